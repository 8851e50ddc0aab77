local command = require "jangada.raft.command"
local Log = require "jangada.log"
local process = require "spec.support.process"
local replica = require "jangada.cli.replica"
local store = require "jangada.store"

describe("replica.read", function()
  local LINES <const> = { "one\n", "two\n", "three" }

  local function line(number, text, client)
    return { term = 1, type = command.COMMAND, data = command.encode(client or "c1", number, text) }
  end

  local NO_OP <const> = { term = 1, type = command.NO_OP, data = "" }

  -- Writes entries as a node does, damages the file as told, and reads it back.
  local function read(entries, damage)
    local path = process.directory() .. "/n1.db"
    local db <close> = assert(store.open(path, { durability = "none" }))
    Log.open(db, "replog"):save{ term = 1, entries = entries }
    if damage then db:update(damage) end
    db:close()
    return replica.read(path, LINES, "c1")
  end

  it("finds exactly the input, no-ops aside", function()
    local found = read{ NO_OP, line(1, "one\n"), line(2, "two\n"), NO_OP, line(3, "three") }
    assert.is_nil(found.problem)
    assert.same({ 1, 5, 5, 2, 3, 13 }, { found.first, found.last, found.entries, found.no_ops,
      found.commands, found.bytes })
    assert.equal(store.crc32c("one\ntwo\nthree"), found.digest)
  end)

  for what, case in pairs{
    ["a missing line"] = { { line(1, "one\n"), line(2, "two\n") }, "2 of 3 lines" },
    ["a changed line"] = { { line(1, "one\n"), line(2, "two"), line(3, "three") },
      "entry 2 is not line 2" },
    ["a line twice"] = { { line(1, "one\n"), line(1, "one\n"), line(2, "two\n"), line(3, "three") },
      "entry 2 is command 1, not 2" },
    ["a line too many"] = { { line(1, "one\n"), line(2, "two\n"), line(3, "three"), line(4, "x") },
      "entry 4 is a line more than the input has" },
    ["another client's line"] = { { line(1, "one\n", "c2") }, "entry 1 is of client \"c2\"" },
    ["no-op with data"] = { { { term = 1, type = command.NO_OP, data = "x" } },
      "entry 1 is a no-op with data" },
  } do
    it("finds " .. what, function()
      assert.equal(case[2], read(case[1]).problem)
    end)
  end

  it("finds an entry that is gone from the middle", function()
    local found = read({ line(1, "one\n"), line(2, "two\n"), line(3, "three") }, function(tx)
      tx:bucket("replog"):delete(2)
    end)
    assert.equal("index 3 follows 1", found.problem)
  end)

  it("finds a flipped bit", function()
    local found = read({ line(1, "one\n"), line(2, "two\n"), line(3, "three") }, function(tx)
      local bucket = tx:bucket("replog")
      bucket:put(2, (bucket:get(2):gsub("two", "twp")))
    end)
    assert.truthy(found.problem:find("entry 2 is damaged", 1, true), found.problem)
  end)

  it("finds that there is no log", function()
    local path = process.directory() .. "/n1.db"
    assert(store.open(path)):close()
    assert.equal("there is no bucket replog", replica.read(path, LINES, "c1").problem)
  end)
end)
