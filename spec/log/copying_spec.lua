local Log = require "jangada.log"
local format = require "jangada.log.format"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local account, entries_of = logs.account, logs.entries_of
local example, raises = logs.example, logs.raises

-- What a copy has to be: all but how often the original was compacted.
local function essence(log)
  local said = account(log)
  said.stats.compactions = nil
  said.data = log:snapshot() and logs.data_of(log)
  said.stable, said.series = log:stable("key"), {}
  for i, name in ipairs(log:series_names()) do said.series[i] = { name, log:series(name) } end
  return said
end

local function full(db)
  local log = example(db)
  logs.save_snapshot(log, { index = 5, term = 4, info = "i" }, ("x"):rep(150000),
    { commit = 8, compact = 2 })
  log:save{ applied = 6, stable = { key = "a\0b", other = "c" } }
  for i = 1, 30 do log:sample(i % 2 == 0 and "even" or "odd", i / 2, i) end
  return log
end

for _, from in ipairs(logs.kinds) do
  for _, to in ipairs(logs.kinds) do
    describe(("a copy from a log %s to one %s"):format(from.name, to.name), function()
      after_each(scratch.clean)

      it("is the same, in each state a log can be in", function()
        local states = {
          function(db) return Log.open(db, "replog") end,
          example,
          full,
          function(db)
            local log = full(db)
            log:save{ compact = 5 }
            return log
          end,
          function(db)
            local log = full(db)
            log:save{ commit = 9, snapshot = { index = 9, term = 6 }, compact = 9 }
            return log
          end,
          function(db)
            local log = Log.open(db, "replog")
            log:save{ term = 4, snapshot = { index = 99, term = 3, position = 1234 }, first = 100,
              commit = 100, entries = entries_of(4, 4) }
            return log
          end,
        }
        for _, make in ipairs(states) do
          local log = make(from.open())
          local db = to.open()
          local copy = Log.open(db, { "copies", "1" })
          log:copy_to(copy)
          assert.same(essence(log), essence(copy))
          assert.same({}, copy:verify())
          db = to.reopen(db)
          assert.same(essence(log), essence(Log.open(db, { "copies", "1" })))
        end
      end)

      it("goes to an empty log: log_not_empty", function()
        local log = full(from.open())
        local copy = Log.open(to.open(), "copy")
        copy:save{ term = 1 }
        raises("log_not_empty", log.copy_to, log, copy)
        raises("log_not_empty", log.copy_to, log, log)
      end)
    end)
  end
end

describe("a copy", function()
  after_each(scratch.clean)

  it("goes to a log, and not to something else", function()
    local log = Log.memory()
    for _, other in ipairs{ false, 5, "other.db", {}, io.stdout } do
      assert.matches("copy_to: a log is needed",
        raises("log_bad_field", log.copy_to, log, other or nil))
    end
    raises("log_bad_field", log.copy_to, log, Log.memory(), print)
  end)

  it("takes many transactions, and tells how far it is", function()
    local db, other = scratch.open(), scratch.open()
    local log, copy = Log.open(db, "replog"), Log.open(other, "replog")
    local entries = {}
    for i = 1, 9000 do entries[i] = { term = 1, data = "entry " .. i } end
    log:save{ term = 1, entries = entries }
    local calls = {}
    log:copy_to(copy, { progress = function(...)
      calls[#calls + 1] = { ... }
      assert.is_nil(other:write_tx())
    end })
    assert.same({ { 4096, 9000 }, { 8192, 9000 }, { 9000, 9000 } }, calls)
    assert.same(log:entries(1), copy:entries(1))
  end)

  it("can be a part of a transaction", function()
    local log, db = full(scratch.open()), scratch.open()
    local copy = Log.open(db, "copy")
    pcall(db.update, db, function()
      log:copy_to(copy)
      assert.same(essence(log), essence(copy))
      error("no")
    end)
    assert.equal(0, copy:last_index())
    log:copy_to(copy)
    assert.same(essence(log), essence(copy))
  end)

  it("stops at what is damaged, and what is there is lawful", function()
    local db = scratch.open()
    full(db)
    db:update(function(tx)
      tx:bucket("replog"):put(5, format.encode(7, 4, 0, "t4#5", 20))
    end)
    db = logs.kinds[1].reopen(db)
    local log = Log.open(db, "replog")
    local copy = Log.open(scratch.open(), "copy")
    assert.matches("entry 5", raises("log_damaged", log.copy_to, log, copy))
    assert.same({}, copy:verify())
  end)
end)
