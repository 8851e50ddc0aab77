-- Transactions too large for the journal, and those in which something failed.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"

local raises, all_of = fresh.raises, programs.all_of

describe("a transaction larger than the journal", function()
  after_each(fresh.clean)

  local large = ("v"):rep(30000)

  -- Writes 90,000 bytes into the journal of 65,536.
  local function fill(b, prefix)
    for i = 1, 3 do b:put((prefix or "large") .. i, large) end
  end

  it("is durable when its commit returns, and nothing of it is in the journal", function()
    for _, wait in ipairs{ true, false } do
      local rig = journals.rig()
      rig:put("1")
      local tx = rig.db:begin("write")
      fill(tx:bucket("b"))
      local ticket = tx:commit{ wait = wait }
      if not wait then assert.is_true(ticket:is_durable()) end
      local info = rig.db:info().journal
      assert.same({ 3, 3, 3, 0, 0 },
        { info.lsn, info.flushed_lsn, info.checkpoint_lsn, info.behind, info.used })
      rig:crash()
      rig:open()
      assert.equal("1 large1 large2 large3", rig:keys())
      assert.equal(0, rig.db:info().journal.replayed)
      assert.is_true((rig.db:check()))
    end
  end)

  it("may be large by one value, wherever that is written", function()
    local value = ("v"):rep(200000)
    local ways = {
      function(tx) tx:bucket("b"):put("k", value) end,
      function(tx) tx:savepoint(function() tx:bucket("b"):put("k", value) end) end,
      function(tx) tx:bucket("b"):append({ "a", "k" }, { "", value }) end,
      function(tx)
        for i = 1, 5 do tx:bucket("b"):put("k", value .. i) end
        tx:bucket("b"):put("k", value)
      end,
    }
    for _, way in ipairs(ways) do
      local rig = journals.rig()
      rig:put("0", "in the journal")
      rig.db:update(way)
      rig:put("z", "in the journal")
      rig:crash()
      rig:open()
      assert.equal(value, rig.db:view(function(tx) return tx:bucket("b"):get("k") end))
      assert.equal(1, rig.db:info().journal.replayed)
      assert.matches("^0 a? ?k z$", rig:keys())
    end
  end)

  it("leaves all handles in use, at their place", function()
    local rig = journals.rig()
    rig.db:update(function(tx)
      local b = tx:bucket("b")
      for i = 1, 9 do b:put(tostring(i), "v") end
      b:create_bucket("n"):put("k", "v")
      b:create_bucket("t", { tree = true }):put("k", "v")
    end)
    local epoch = rig.db:info().journal.epoch
    rig.db:update(function(tx)
      local b = tx:bucket("b")
      local n, t = b:bucket("n"), b:bucket("t")
      local new, pair = tx:create_bucket("new"), {}
      fresh.undone(tx, function() tx:create_bucket("undone"):put("k", "undone") end)
      for i = 1, 9 do new:put(tostring(i), "new") end
      pair[1] = new:create_bucket("n"):create_bucket("t", { tree = true })
      pair[2] = tx:create_bucket("another")
      local c, each, state = b:cursor(), new:each()
      c:seek("4")
      assert.equal("1", (each(state)))
      assert.equal("2", (each(state)))
      assert.equal(epoch, rig.db:info().journal.epoch)
      fill(b)
      assert.equal(epoch + 1, rig.db:info().journal.epoch) -- it is without a record from here on
      assert.equal("5", (c:next()))
      c:delete()
      assert.equal("6", (c:next()))
      assert.equal("3", (each(state)))
      for i, handle in ipairs{ n, t, new, pair[1], pair[2] } do handle:put("after", tostring(i)) end
      assert.equal(new, tx:bucket("new"))
      assert.is_nil(tx:bucket("undone"))
      fresh.undone(tx, function()
        b:put("undone", "v")
        tx:create_bucket("undone"):put("k", "undone")
        fill(t)
      end)
      assert.is_nil(b:get("undone"))
      assert.equal("4", (each(state)))
      tx:savepoint(function() tx:create_bucket("kept"):put("k", "kept") end)
    end)
    rig:crash()
    rig:open()
    rig.db:view(function(tx)
      local b, new = tx:bucket("b"), tx:bucket("new")
      assert.equal("1 2 3 4 6 7 8 9 large1 large2 large3 n t", rig:keys())
      assert.same({ { "after", "1" }, { "k", "v" } }, fresh.gather(b:bucket("n"):each()))
      assert.same({ { "after", "2" }, { "k", "v" } }, fresh.gather(b:bucket("t"):each()))
      assert.equal("3", new:get("after"))
      assert.same({ { "after", "4" } }, fresh.gather(new:bucket("n"):bucket("t"):each()))
      assert.same({ { "after", "5" } }, fresh.gather(tx:bucket("another"):each()))
      assert.equal("kept", tx:bucket("kept"):get("k"))
      assert.is_nil(tx:bucket("undone"))
    end)
    assert.is_true((rig.db:check()))
  end)

  it("goes on from every kind of write", function()
    local ways = {
      function(b) b:put("k", large) end,
      function(b) b:delete("1") end,
      function(b) b:delete_range("1", "2") end,
      function(b) b:append({ "x", "y" }, { large, large }) end,
      function(b)
        local c = b:cursor()
        c:seek("1")
        c:delete()
        assert.equal("2", (c:next()))
      end,
    }
    local function before(tx)
      for i = 1, 5 do tx:bucket("b"):put(tostring(i), "v") end
    end
    for _, way in ipairs(ways) do
      local rig, twin = journals.rig(), fresh.open(nil, { durability = "none" })
      twin:update(function(tx) tx:create_bucket("b") end)
      local epoch = rig.db:info().journal.epoch
      for _, db in ipairs{ twin, rig.db } do
        db:update(before)
        db:update(function(tx)
          local b = tx:bucket("b")
          b:put("full", ("v"):rep(65536 - 48 - 4 - 13 - 1)) -- one byte is left
          assert.equal(epoch, rig.db:info().journal.epoch)
          way(b)
          assert.equal(db == twin and epoch or epoch + 1, rig.db:info().journal.epoch)
          b:put("last", "v")
        end)
      end
      rig:crash()
      rig:open()
      assert.same(all_of(twin), all_of(rig.db))
    end
  end)

  it("that is rolled back was never there, and what was committed before is", function()
    local rig = journals.rig()
    rig:put("1")
    for _, ends in ipairs{ "error", "rollback", "collection", "crash" } do
      if ends == "error" then
        pcall(rig.db.update, rig.db, function(tx)
          tx:create_bucket("new")
          fill(tx:bucket("b"))
          error("rolled back")
        end)
      else
        local tx = rig.db:begin("write")
        tx:create_bucket("new"):put("k", "v")
        fill(tx:bucket("b"))
        if ends == "rollback" then tx:rollback() end
        if ends == "crash" then
          rig:crash()
          rig:open()
        end
        tx = nil
        assert.is_nil(tx)
        collectgarbage()
      end
      assert.equal("1", rig:keys())
      rig.db:update(function(tx)
        assert.is_nil(tx:bucket("new"))
        tx:bucket("b"):put("1", ends)
      end)
    end
    rig:crash()
    rig:open()
    assert.equal("1", rig:keys())
    rig.db:view(function(tx) assert.equal("crash", tx:bucket("b"):get("1")) end)
  end)

  it("beside a snapshot leaves that as it is", function()
    local rig = journals.rig()
    rig:put("1")
    local snapshot <close> = rig.db:begin("read")
    rig.db:update(function(tx)
      fill(tx:create_bucket("new"))
      tx:bucket("b"):delete("1")
    end)
    assert.is_nil(snapshot:bucket("new"))
    assert.equal("v", snapshot:bucket("b"):get("1"))
    assert.equal("", rig:keys())
  end)

  it("of more pages than LMDB keeps in memory is committed #slow #big", function()
    local rig = journals.rig{ journal_disk = false, journal_size = 1 << 30 }
    rig:put("1")
    local value = ("v"):rep(3000)
    rig.db:update(function(tx)
      local b = tx:bucket("b")
      for i = 1, 140000 do b:put(("%06d"):format(i), value) end
      assert.equal(value, b:get("000001")) -- LMDB has written it to the file meanwhile
    end)
    rig:put("2")
    rig:crash()
    rig:open()
    rig.db:view(function(tx)
      assert.equal(140002, tx:bucket("b"):count())
      assert.equal(value, tx:bucket("b"):get("140000"))
    end)
    assert.equal(1, rig.db:info().journal.replayed)
  end)
end)

describe("a transaction in which something failed", function()
  after_each(fresh.clean)

  it("does not commit in part, though the failure was caught", function()
    local cases = {
      { size_max = 1 << 20, journal_size = 1 << 24 }, -- within the journal
      { size_max = 1 << 20 }, -- without a record
    }
    for _, options in ipairs(cases) do
      local rig = journals.rig(options)
      rig:put("1")
      local function half(tx)
        tx:bucket("b"):put("half", "v")
        raises("map_full", function() tx:bucket("b"):put("large", ("v"):rep(2 << 20)) end)
        raises("tx_failed", function() tx:bucket("b"):put("more", "v") end)
      end
      raises("tx_failed", rig.db.update, rig.db, half)
      local tx <close> = rig.db:begin("write")
      half(tx)
      raises("tx_failed", tx.savepoint, tx, print)
      raises("tx_failed", tx.commit, tx)
      rig:put("2")
      assert.equal("1 2", rig:keys())
      rig:crash()
      rig:open()
      assert.equal("1 2", rig:keys())
    end
  end)
end)
