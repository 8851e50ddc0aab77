-- Random operations against the model (spec/support/fuzz.lua), each run in a process of its own:
-- a signal or a hang is a verdict too. SEED=n runs one seed.
local fresh = require "spec.support.fresh"

local first = tonumber(os.getenv("SEED")) or os.time() % 100000

local function fuzz(seed, seconds)
  local pipe <close> = io.popen(("LUA_PATH='%s' LUA_CPATH='%s' timeout %d lua5.4 "
    .. "spec/support/fuzz.lua --seconds %s --seed %d --file '%s' 2>&1"):format(package.path,
    package.cpath, seconds * 10 + 60, seconds, seed, fresh.path()))
  local output = pipe:read("a")
  local _, kind, status = pipe:close()
  assert(kind == "exit" and status == 0,
    ("SEED=%d: %s (%s %d)"):format(seed, output, kind, status))
end

describe("the store under random operations", function()
  after_each(fresh.clean)

  it("does what the model does", function()
    for seed = first, first + 3 do fuzz(seed, 0.5) end -- one of four has hardly any room
  end)

  it("does what the model does, for long #slow", function()
    for seed = first, first + 11 do fuzz(seed, 5) end
  end)

  local function run(arguments)
    return io.popen(("LUA_PATH='%s' LUA_CPATH='%s' %s 2>&1"):format(package.path, package.cpath,
      arguments))
  end

  -- Runs until it is killed; returns the digests of its last commit and of what may follow it.
  local function run_and_kill(seed, path, seconds)
    local committed, pending
    local pipe <close> = run(("timeout -s KILL %s lua5.4 spec/support/fuzz.lua --seconds 60 "
      .. "--seed %d --file '%s' --acknowledge --resume"):format(seconds, seed, path))
    for line in pipe:lines() do
      local what, digest = line:match("^(%a+) (%x+%.%d+)$")
      if what == "pending" then pending = digest end
      if what == "committed" then committed = digest end
    end
    return committed, pending
  end

  it("keeps what it acknowledged when it is killed, again and again", function()
    local commits = 0
    for seed = first, first + 2 do
      local path, known = fresh.path(), nil -- what the file held when the last life ended
      for life = 1, 3 do
        local committed, pending = run_and_kill(seed + life, path, 0.2 + (seed + life) % 7 / 20)
        local pipe <close> = run(("lua5.4 spec/support/fuzz.lua --digest '%s'"):format(path))
        local found = pipe:read("l")
        if committed then commits = commits + 1 else committed = known end
        assert(found == pending or committed == nil or found == committed,
          ("SEED=%d, life %d: found %s, acknowledged %s, pending %s"):format(seed, life, found,
          committed, pending))
        assert.matches("^%x+%.%d+$", found)
        known = found
      end
    end
    assert.is_true(commits > 0) -- a slow machine may kill some lives before their first
  end)
end)
