local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local account, raises = logs.account, logs.raises

-- A log of so many entries, all committed, with a snapshot up to the last.
local function filled(db, count, size)
  local log = Log.open(db, "replog")
  log:save{ term = 1 }
  local data, batch = ("x"):rep(size or 10), {}
  for i = 1, 1000 do batch[i] = { term = 1, data = data } end
  for at = 1, count, 1000 do
    log:save{ entries = table.move(batch, 1, math.min(1000, count - at + 1), 1, {}) }
  end
  log:save{ commit = count, snapshot = { index = count, term = 1 } }
  return log
end

local function entries_in(db)
  return db:view(function(tx) return tx:bucket("replog"):count() end)
end

for _, kind in ipairs(logs.kinds) do
  describe("what compaction leaves behind, " .. kind.name, function()
    after_each(scratch.clean)

    it("goes at once when it is little", function()
      local db = kind.open()
      local log = filled(db, 4096)
      log:save{ compact = 4000 }
      assert.equal(96, entries_in(db))
      assert.equal(0, log:sweep())
    end)

    it("is no part of the log from the first moment, and goes in steps of so many", function()
      local db = kind.open()
      local log = filled(db, 30000)
      log:save{ compact = 29990 }
      assert.equal(30000 - 4096, entries_in(db))
      assert.equal(29991, log:first_index())
      assert.same({}, log:verify())
      assert.equal(1000, log:sweep(1000))
      assert.equal(16384, log:sweep())
      assert.equal(29990 - 4096 - 16384 - 1000, log:sweep())
      assert.equal(0, log:sweep())
      assert.equal(10, entries_in(db))
    end)

    it("goes on after a restart, with any save", function()
      local db = kind.open()
      local log = filled(db, 10000)
      log:save{ compact = 9990 }
      db = kind.reopen(db)
      log = Log.open(db, "replog")
      local before = account(log)
      local saves = 0
      while entries_in(db) > 10 do
        log:save{ vote = "n" .. saves }
        saves = saves + 1
      end
      assert.equal(5894 // 256 + 1, saves)
      before.vote = "n" .. saves - 1
      before.stats.vote = before.vote
      assert.same(before, account(log))
      assert.same(before, account(Log.open(db, "replog")))
    end)

    it("goes faster than entries come", function()
      local entries = {}
      for i = 1, 1000 do entries[i] = { term = 1, data = "new" } end
      for _, compacted in ipairs{ 6000, 5990 } do -- all of it, or nearly
        local db = kind.open()
        local log = filled(db, 6000)
        log:save{ compact = compacted }
        log:save{ entries = entries }
        assert.is_true(entries_in(db) < 1904)
      end
    end)

    it("comes back with the transaction that is rolled back", function()
      local db = kind.open()
      local log = filled(db, 5000)
      pcall(db.update, db, function()
        log:save{ compact = 4990 }
        log:sweep()
        assert.equal(10, db:write_tx():bucket("replog"):count())
        error("no")
      end)
      assert.equal(5000, entries_in(db))
      assert.equal(1, log:first_index())
      assert.equal(5000, #log:entries(1))
      assert.same({}, log:verify())
    end)

    it("is known to be there again when a transaction that swept it all is rolled back", function()
      local db = kind.open()
      local log = filled(db, 5000)
      log:save{ compact = 5000 }
      local swept
      pcall(db.update, db, function()
        swept = log:sweep()
        assert(log:sweep() == 0)
        error("undone")
      end)
      assert.equal(5000 - 4096, swept)
      assert.equal(swept, log:sweep())
      assert.equal(0, entries_in(db))
    end)

    it("has gaps after a snapshot was installed over it", function()
      local db = kind.open()
      local log = filled(db, 5000)
      log:save{ snapshot = { index = 20000, term = 1 }, first = 20001, commit = 20000 }
      log:save{ entries = { { term = 1, data = "x" } }, commit = 20001 }
      log:save{ snapshot = { index = 30000, term = 1 }, first = 30001, commit = 30000 }
      log:save{ entries = { { term = 1, data = "x" } } }
      while log:sweep() > 0 do end
      assert.equal(1, entries_in(db))
      assert.same({}, log:verify())
    end)

    it("is counted in integers from 64 on: log_bad_field", function()
      local log = Log.open(kind.open(), "replog")
      assert.equal(0, log:sweep())
      for _, bad in ipairs{ 0, 63, 64.5, "64" } do raises("log_bad_field", log.sweep, log, bad) end
    end)
  end)
end

describe("a step of a sweep", function()
  after_each(scratch.clean)

  it("removes no more than a few MiB", function()
    local db = scratch.open()
    local log = filled(db, 300, 100000)
    log:save{ compact = 290 }
    local removed = 300 - entries_in(db)
    assert.is_true(removed > 16 and removed <= 42, tostring(removed))
    assert.is_true(log:sweep() <= 42)
  end)

  it("removes what is damaged, too", function()
    local db = scratch.open()
    local log = filled(db, 5000)
    log:save{ compact = 4990 }
    db:update(function(tx)
      tx:bucket("replog"):put(4500, "")
      tx:bucket("replog"):put(4990, "bad")
      tx:bucket("replog"):delete(4700)
    end)
    while log:sweep() > 0 do end
    assert.equal(10, entries_in(db))
  end)

  it("opens no transaction where nothing is left", function()
    local db = scratch.open()
    local log = filled(db, 10)
    log:save{ compact = 5 }
    while log:sweep() > 0 do end
    local before = db:stats().commits
    assert.equal(0, log:sweep())
    assert.equal(before, db:stats().commits)
  end)
end)
