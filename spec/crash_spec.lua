-- Crashed in every way a disk can: docs/crash.md says what each program tries. SEED=n: from there.
local fresh = require "spec.support.fresh"
local prove = require "spec.support.crash.prove"

local seed = tonumber(os.getenv("SEED")) or os.time() % 100000

local function each(durabilities, program, arguments)
  local runs = {}
  for i, durability in ipairs(durabilities) do
    runs[i] = ("--durability %s --seed %d %s"):format(durability, seed, arguments)
  end
  prove.hold(program, runs)
end

describe("the store", function()
  it("survives each order in which a disk may have written", function()
    each({ "commit", "journal" }, "orders", "--steps 4 --states 200")
  end)

  it("survives each order in which a disk may have written, at length #slow", function()
    each({ "commit", "journal" }, "orders", "--states 20000")
  end)

  it("survives a disk that fails", function()
    each({ "commit" }, "faults", "--steps 2") -- the others take longer: below
  end)

  it("survives a disk that fails, at length #slow", function()
    each({ "commit", "journal", "none" }, "faults", "--steps 12")
  end)

  it("survives kill -9, hundreds of times #slow", function()
    each({ "commit", "journal", "none" }, "kills", "--kills 200")
  end)
end)

describe("a program that is no part of the proofs", function()
  after_each(fresh.clean)

  it("is made to fail from without", function()
    local path = fresh.path()
    local db = fresh.open(path)
    db:update(function(tx) tx:create_bucket("b") end)
    db:close()
    local command = ("RECORDER_FAIL='%s %%s' %s lua5.4 bin/jangada db put '%s' b k v 2>&1"):format(
      fresh.directory, prove.environment(), path)
    local pipe <close> = assert(io.popen(command:format("write 1 ENOSPC forever")))
    assert.matches("No space left", pipe:read("a"))
    assert.is_nil((pipe:close()))
  end)
end)
