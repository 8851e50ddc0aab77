local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local account, entries_of = logs.account, logs.entries_of
local example = logs.example

for _, kind in ipairs(logs.kinds) do
  describe("a transaction that is rolled back leaves the log object true, " .. kind.name, function()
    after_each(scratch.clean)

    local db, log, before
    before_each(function()
      db = kind.open()
      log = example(db)
      before = account(log)
    end)

    local function scribble()
      log:save{ term = 9, vote = "n5", entries = entries_of(8, 9), first = 5, commit = 6 }
      assert.equal(6, log:last_index())
    end

    it("update that raises", function()
      assert.has_error(function()
        db:update(function()
          scribble()
          error("no", 0)
        end)
      end, "no")
      assert.same(before, account(log))
    end)

    it("begin and rollback", function()
      local tx = db:begin("write")
      scribble()
      log:save{ entries = entries_of(9) }
      tx:rollback()
      assert.same(before, account(log))
    end)

    it("a transaction closed by going out of scope", function()
      do
        local _tx <close> = db:begin("write")
        scribble()
      end
      assert.same(before, account(log))
    end)

    it("a savepoint, while what was saved before it stays", function()
      local between
      db:update(function(tx)
        log:save{ entries = entries_of(7) }
        between = account(log)
        assert.has_error(function()
          tx:savepoint(function()
            scribble()
            error("no", 0)
          end)
        end, "no")
        assert.same(between, account(log))
        log:save{ entries = entries_of(7) }
        between = account(log)
      end)
      assert.equal(11, between.last)
      assert.same(between, account(log))
      assert.same(between, account(Log.open(db, "replog")))
    end)

    it("a savepoint that joins, in a transaction that is then rolled back", function()
      local tx = db:begin("write")
      tx:savepoint(scribble)
      assert.equal(6, log:last_index())
      tx:rollback()
      assert.same(before, account(log))
    end)

    it("savepoints in savepoints", function()
      local tx = db:begin("write")
      tx:savepoint(function()
        log:save{ entries = entries_of(7) }
        pcall(tx.savepoint, tx, function()
          scribble()
          error("no")
        end)
        assert.equal(10, log:last_index())
      end)
      tx:commit()
      assert.equal(10, log:last_index())
      assert.same(account(Log.open(db, "replog")), account(log))
    end)

    it("a log opened, and one first written, inside it", function()
      local opened
      local tx = db:begin("write")
      scribble()
      opened = Log.open(db, "replog")
      local new = Log.open(db, "new")
      new:save{ term = 1, entries = entries_of(1) }
      tx:rollback()
      assert.same(before, account(opened))
      assert.equal(0, new:last_index())
      new:save{ term = 2, entries = entries_of(2, 2) }
      assert.equal(2, Log.open(db, "new"):last_index())
    end)

    it("one that was read when its buckets were gone", function()
      pcall(db.update, db, function(tx)
        tx:delete_bucket("replog")
        tx:delete_bucket("replog.meta")
        assert.equal(0, Log.open(db, "replog"):last_index())
        error("no")
      end)
      assert.same(before, account(log))
    end)
  end)
end

