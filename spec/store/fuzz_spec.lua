-- Random operations against the model (spec/support/fuzz.lua), each run in a process of its own:
-- a signal or a hang is a verdict too. SEED=n runs one seed.
local fresh = require "spec.support.fresh"

local first = tonumber(os.getenv("SEED")) or os.time() % 100000

local function start(arguments)
  return io.popen(("LUA_PATH='%s' LUA_CPATH='%s' %s 2>&1"):format(package.path, package.cpath,
    arguments))
end

-- One seed and the next, side by side.
local function fuzz_two(seed, seconds)
  local pipes = {}
  for i = 1, 2 do
    pipes[i] = start(("timeout %d lua5.4 spec/support/fuzz.lua --seconds %s --seed %d --file '%s'")
      :format(seconds * 10 + 60, seconds, seed + i - 1, fresh.path()))
  end
  for i, pipe in ipairs(pipes) do
    local output = pipe:read("a")
    local _, kind, status = pipe:close()
    assert(kind == "exit" and status == 0,
      ("SEED=%d: %s (%s %d)"):format(seed + i - 1, output, kind, status))
  end
end

describe("the store under random operations", function()
  after_each(fresh.clean)

  it("does what the model does", function()
    for seed = first, first + 2, 2 do fuzz_two(seed, 0.5) end -- one of four has hardly any room
  end)

  it("does what the model does, for long #slow", function()
    for seed = first, first + 10, 2 do fuzz_two(seed, 5) end
  end)

  -- Begins a life that ends when it is killed.
  local function live(store, life)
    local seed = store.seed + life
    return start(("timeout -s KILL %s lua5.4 spec/support/fuzz.lua --seconds 60 --seed %d "
      .. "--file '%s' --acknowledge --resume"):format(0.2 + seed % 7 / 20, seed, store.path))
  end

  -- The digests of a life's last commit and of what may follow it.
  local function acknowledged(pipe)
    local committed, pending
    for line in pipe:lines() do
      local what, digest = line:match("^(%a+) (%x+%.%d+)$")
      if what == "pending" then pending = digest end
      if what == "committed" then committed = digest end
    end
    pipe:close()
    return committed, pending
  end

  it("keeps what it acknowledged when it is killed, again and again", function()
    local commits, stores = 0, {}
    for i = 1, 3 do stores[i] = { seed = first + i - 1, path = fresh.path() } end
    for life = 1, 3 do
      local pipes = {}
      for i, store in ipairs(stores) do pipes[i] = live(store, life) end
      for i, store in ipairs(stores) do
        local committed, pending = acknowledged(pipes[i])
        local pipe <close> = start(("lua5.4 spec/support/fuzz.lua --digest '%s'"):format(
          store.path))
        local found = pipe:read("l")
        if committed then commits = commits + 1 else committed = store.found end
        assert(found == pending or committed == nil or found == committed,
          ("SEED=%d, life %d: found %s, acknowledged %s, pending %s"):format(store.seed, life,
          found, committed, pending))
        assert.matches("^%x+%.%d+$", found)
        store.found = found
      end
    end
    assert.is_true(commits > 0) -- a slow machine may kill some lives before their first
  end)
end)
