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

  it("keeps what it acknowledged when it is killed", function()
    for seed = first, first + 4 do
      local path = fresh.path()
      local command = ("LUA_PATH='%s' LUA_CPATH='%s' timeout -s KILL %s lua5.4 "
        .. "spec/support/fuzz.lua --seconds 60 --seed %d --file '%s' --acknowledge 2>&1"):format(
        package.path, package.cpath, 0.1 + seed % 7 / 20, seed, path)
      local committed, pending
      for line in io.popen(command):lines() do
        local what, digest = line:match("^(%a+) (%x+%.%d+)$")
        if what == "pending" then pending = digest end
        if what == "committed" then committed = digest end
      end
      local pipe <close> = io.popen(("LUA_PATH='%s' LUA_CPATH='%s' lua5.4 "
        .. "spec/support/fuzz.lua --digest '%s' 2>&1"):format(package.path, package.cpath, path))
      local found = pipe:read("l")
      assert(committed and (found == committed or found == pending),
        ("SEED=%d: found %s, acknowledged %s, pending %s"):format(seed, found, committed, pending))
    end
  end)
end)
