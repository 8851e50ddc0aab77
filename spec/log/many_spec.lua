-- Thousands of logs in one store, and one log in several hands.
local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"
local store = require "jangada.store"

local account, entries_of = logs.account, logs.entries_of

for _, kind in ipairs(logs.kinds) do
  describe("many logs in one store, " .. kind.name, function()
    after_each(scratch.clean)

    it("are saved in one transaction, all or none", function()
      local db, groups = kind.open(), {}
      for i = 1, 200 do groups[i] = Log.open(db, { "groups", tostring(i) }) end
      db:update(function()
        for i, log in ipairs(groups) do
          log:save{ term = i, vote = "n1", entries = entries_of(i) }
        end
      end)
      local before = {}
      for i, log in ipairs(groups) do before[i] = account(log) end
      pcall(db.update, db, function()
        for i, log in ipairs(groups) do
          log:save{ term = i + 1, entries = entries_of(i + 1), commit = 1 }
          assert.equal(2, log:last_index())
        end
        error("no")
      end)
      for i, log in ipairs(groups) do assert.same(before[i], account(log)) end
      db = kind.reopen(db)
      for i in ipairs(groups) do
        assert.same(before[i], account(Log.open(db, { "groups", tostring(i) })))
      end
    end)

    it("are undone one by one by savepoints", function()
      local db, groups = kind.open(), {}
      for i = 1, 20 do groups[i] = Log.open(db, { "groups", tostring(i) }) end
      db:update(function(tx)
        for i, log in ipairs(groups) do
          log:save{ term = 1, entries = entries_of(1) }
          pcall(tx.savepoint, tx, function()
            log:save{ term = 2, entries = entries_of(2) }
            assert(i % 2 == 0)
          end)
          assert.equal(i % 2 == 0 and 2 or 1, log:last_index())
        end
      end)
      for i, log in ipairs(groups) do assert.equal(i % 2 == 0 and 2 or 1, log:last_index()) end
    end)
  end)
end

describe("five thousand logs", function()
  after_each(scratch.clean)

  it("are opened, written and opened again", function()
    local db, path = scratch.open()
    local function open_all()
      local groups = {}
      for i = 1, 5000 do groups[i] = Log.open(db, { "groups", tostring(i) }) end
      return groups
    end
    local groups = open_all()
    assert.equal(0, db:stats().commits)
    db:update(function()
      for i, log in ipairs(groups) do log:save{ term = i, entries = entries_of(1, i) } end
    end)
    assert.equal(1, db:stats().commits)
    db:close()
    db = scratch.open(path)
    for i, log in ipairs(open_all()) do
      assert.equal(i, (log:hard_state()))
      assert.equal(i, log:last_term())
      assert.equal("t1#1", log:entry(1).data)
    end
    assert.is_true(db:info().trees < 8)
  end)
end)

describe("a log that is opened twice", function()
  after_each(scratch.clean)

  it("is one, so that neither hand sees old things", function()
    local db = scratch.open()
    local one = Log.open(db, "replog")
    one:save{ term = 3, entries = entries_of(1, 2, 3) }
    local two = Log.open(db, "replog")
    two:save{ entries = entries_of(3), first = 2 }
    assert.same({ 2, 3 }, { one:last_index(), one:term(2) })
    one:save{ term = 4, vote = "n1" }
    assert.same({ 4, "n1", 0 }, { two:hard_state() })
  end)

  it("keeps what was noted as committed", function()
    local db = scratch.open()
    local one = Log.open(db, "replog")
    one:save{ term = 3, entries = entries_of(1, 2, 3) }
    one:note_commit(2)
    local two = Log.open(db, "replog")
    logs.raises("log_committed", two.save, two, { entries = {}, first = 2 })
  end)

  it("sees what was written to its buckets meanwhile", function()
    local db = scratch.open()
    local one = Log.open(db, "replog")
    one:save{ term = 3, entries = entries_of(1, 2, 3) }
    db:update(function(tx) tx:bucket("replog"):delete(3) end)
    logs.raises("log_damaged", Log.open, db, "replog")
    db:update(function(tx)
      tx:delete_bucket("replog")
      tx:delete_bucket("replog.meta")
    end)
    assert.equal(0, Log.open(db, "replog"):last_index())
    assert.equal(0, one:last_index())
  end)

  it("does not keep its DB from being collected", function()
    local path = os.tmpname()
    os.remove(path)
    local weak = setmetatable({}, { __mode = "v" })
    do
      local db = assert(store.open(path, { durability = "none" }))
      local log = Log.open(db, "replog")
      log:save{ term = 1 }
      weak.db, weak.log = db, log
    end
    for _ = 1, 3 do collectgarbage() end
    assert.is_nil(weak.log)
    assert.is_nil(weak.db)
    os.remove(path)
    os.remove(path .. "-lock")
  end)
end)

describe("a log in a file that other processes write to", function()
  after_each(scratch.clean)

  -- Another process, as far as the log can tell: the module loaded again.
  local function another(db, name)
    local loaded = {}
    for module, value in pairs(package.loaded) do
      if module:find("^jangada%.log") then
        loaded[module] = value
        package.loaded[module] = nil
      end
    end
    local log = require("jangada.log").open(db, name)
    for module, value in pairs(loaded) do package.loaded[module] = value end
    return log
  end

  it("is read anew each time", function()
    local _, path = scratch.open()
    scratch.close(path)
    local db <close> = assert(store.open(path, { durability = "none", shared = true }))
    local one, two = Log.open(db, "replog"), another(db, "replog")
    assert.not_equal(one, two)
    one:save{ term = 3, entries = entries_of(1, 2, 3) }
    two:save{ term = 4, vote = "n2", entries = entries_of(4) }
    one:save{ entries = entries_of(4) }
    assert.same({ 5, 5, 4, "n2", 0 }, { one:last_index(), two:last_index(), two:hard_state() })
    assert.same(account(one), account(two))
    one:note_commit(5)
    logs.raises("log_committed", one.save, one, { entries = {}, first = 5 })
    local seen = 0
    for index in two:each() do
      seen = seen + 1
      if index == 5 and seen == 5 then one:save{ entries = entries_of(4) } end
    end
    assert.equal(6, seen)
    two:save{ entries = entries_of(4) }
    assert.equal(7, one:last_index())
    logs.save_snapshot(one, { index = 2, term = 2 }, ("x"):rep(2 << 20), { commit = 3 })
    assert.equal(2 << 20, #logs.data_of(two))
    two:save{ compact = 2 }
    assert.equal(3, one:first_index())
    assert.same({}, one:verify())
  end)
end)
