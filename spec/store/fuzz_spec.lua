-- Random operations against the model (spec/support/fuzz.lua), each run in a process of its own:
-- a signal or a hang is a verdict too. SEED=n begins with that one.
local fresh = require "spec.support.fresh"

local first = tonumber(os.getenv("SEED")) or os.time() % 100000

local function start(arguments)
  return io.popen(("LUA_PATH='%s' LUA_CPATH='%s' %s 2>&1"):format(package.path, package.cpath,
    arguments))
end

-- One seed and the next, side by side; adds to `met` what they met, {["lost commits"] = n, ...}.
local function fuzz_two(seed, seconds, durability, met)
  local pipes = {}
  for i = 1, 2 do
    pipes[i] = start(("timeout %d lua5.4 spec/support/fuzz.lua --seconds %s --seed %d "
      .. "--durability %s --file '%s'"):format(seconds * 10 + 60, seconds, seed + i - 1, durability,
      fresh.path()))
  end
  for i, pipe in ipairs(pipes) do
    local output = pipe:read("a")
    local _, kind, status = pipe:close()
    assert(kind == "exit" and status == 0,
      ("SEED=%d: %s (%s %d)"):format(seed + i - 1, output, kind, status))
    for what, n in output:match("%((.*)%)"):gmatch("([%a_: ]-) (%d+)") do
      what = what:gsub("^ ", "")
      met[what] = (met[what] or 0) + tonumber(n)
    end
  end
end

describe("the store under random operations", function()
  after_each(fresh.clean)

  it("does what the model does", function()
    for seed = first, first + 2, 2 do -- one of four has hardly any room
      fuzz_two(seed, 0.3, fresh.durability, {})
    end
  end)

  it("does what the model does, for long, and meets all that can happen #slow", function()
    local all = { "commit", "commit by checkpoint", "ticket", "ticket not durable", "close",
      "crash: none", "crash: cut", "crash: tear", "crash: rot", "lost commits", "journal_corrupt",
      "poisoned", "io_error", "map_full" }
    local met, seed = {}, first
    local function missing()
      for _, what in ipairs(all) do
        if not met[what] then return what end
      end
    end
    for round = 1, 4 do -- a busy machine does less in the same time
      for _, durability in ipairs{ "none", "commit", "journal", "journal", "journal", "journal" } do
        seed = seed + 2
        fuzz_two(seed, 5, durability, met)
      end
      if not missing() then break end
      assert(round < 4, missing())
    end
  end)

  -- Begins a life that ends when it is killed.
  local function live(store, life)
    local seed = store.seed + life
    return start(("timeout -s KILL %s lua5.4 spec/support/fuzz.lua --seconds 60 --seed %d "
      .. "--durability %s --file '%s' --acknowledge"):format(0.2 + seed % 7 / 20, seed,
      fresh.durability, store.path))
  end

  -- A set of the digests that may be found then: of the last commit that was acknowledged, and of
  -- those after it. nil: it was killed before it had begun.
  local function acknowledged(pipe)
    local digests, committed, expected = {}, nil, {}
    for line in pipe:lines() do
      local number, digest = line:match("^pending (%d+) (%x+%.%d+)$")
      if number then digests[tonumber(number)] = digest end
      committed = tonumber(line:match("^committed (%d+)$")) or committed
    end
    pipe:close()
    for number, digest in pairs(digests) do
      if committed and number >= committed then expected[digest] = true end
    end
    return committed and expected, committed or 0
  end

  it("keeps what it acknowledged when it is killed, again and again", function()
    local commits, stores = 0, {}
    for i = 1, 3 do stores[i] = { seed = first + i - 1, path = fresh.path() } end
    for life = 1, 3 do
      local pipes = {}
      for i, store in ipairs(stores) do pipes[i] = live(store, life) end
      for i, store in ipairs(stores) do
        local expected, count = acknowledged(pipes[i])
        local pipe <close> = start(("lua5.4 spec/support/fuzz.lua --digest '%s'"):format(
          store.path))
        local found = pipe:read("l")
        assert.matches("^%x+%.%d+$", found)
        expected = expected or store.expected
        assert(not expected or expected[found],
          ("SEED=%d, life %d: found %s, which is older than what was acknowledged"):format(
          store.seed, life, found))
        store.expected, commits = { [found] = true }, commits + count
      end
    end
    assert.is_true(commits > 9) -- a slow machine may kill some lives before their first
  end)
end)
