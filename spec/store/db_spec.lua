local errors = require "jangada.errors"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local raises = fresh.raises

local function put(db, key, value)
  return db:update(function(tx) tx:ensure_bucket("b"):put(key, value) end)
end

local function get(db, key)
  return db:view(function(tx)
    local b = tx:bucket("b")
    return b and b:get(key)
  end)
end

describe("db:update", function()
  local db
  before_each(function() db = fresh.open() end)
  after_each(fresh.clean)

  it("commits when its function returns, and passes arguments and results on (Bolt 14)", function()
    local results = table.pack(db:update(function(tx, ...)
      tx:create_bucket("b"):put("k", "v")
      return ...
    end, 1, nil, "three", nil))
    assert.same({ n = 4, 1, nil, "three", nil }, results)
    assert.equal("v", get(db, "k"))
    assert.equal(0, select("#", db:update(function() end)))
  end)

  it("takes and gives more values than C's stack holds at first", function()
    local many = {}
    for i = 1, 5000 do many[i] = i end
    local results = table.pack(db:update(function(_, ...) return ... end, table.unpack(many)))
    assert.equal(5000, results.n)
    assert.equal(5000, results[5000])
  end)

  it("rolls back when its function raises, and raises the same again (Bolt 14, 15)", function()
    for _, object in ipairs{ "text", { 1 }, false, errors.new("io_error", "mine") } do
      local ok, raised = pcall(db.update, db, function(tx)
        tx:create_bucket("b"):put("k", "v")
        error(object, 0)
      end)
      assert.is_false(ok)
      assert.equal(object, raised)
      assert.is_nil(get(db, "k"))
      put(db, "after", "v") -- and the write lock is free
      db:update(function(tx) tx:delete_bucket("b") end)
    end
  end)

  it("raises what its function raised, though an on_rollback handler raises (Bolt 14)", function()
    local ok, raised = pcall(db.update, db, function(tx)
      tx:on_rollback(function() error("handler", 0) end)
      error("function", 0)
    end)
    assert.is_false(ok)
    assert.equal("function", raised)
  end)

  it("refuses commit and rollback inside, and commits all the same (Bolt 17)", function()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      raises("tx_managed", tx.commit, tx)
      raises("tx_managed", tx.rollback, tx)
      b:put("k", "v")
    end)
    assert.equal("v", get(db, "k"))
  end)

  it("raises the commit's own error (Bolt 19)", function()
    local small = fresh.open(nil, { size_max = 1 << 20 })
    put(small, "k", "v")
    raises("tx_failed", small.update, small, function(tx)
      local b = tx:bucket("b")
      b:put("k", "w")
      raises("map_full", b.put, b, "large", ("x"):rep(2 << 20))
    end)
    assert.equal("v", get(small, "k"))
  end)

  it("raises write_tx_active inside another one, which goes on (Bolt 28 D)", function()
    db:update(function(tx)
      raises("write_tx_active", db.update, db, function() end)
      raises("write_tx_active", db.begin, db, "write")
      tx:create_bucket("b"):put("k", "v")
    end)
    assert.equal("v", get(db, "k"))
  end)

  it("wants a function, and begins nothing without one", function()
    for _, method in ipairs{ "update", "view" } do
      assert.error_matches(function() db[method](db) end, "function expected")
      assert.error_matches(function() db[method](db, {}) end, "function expected")
    end
    put(db, "k", "v")
  end)

  it("raises tx_closed when its transaction was ended within it, or the DB closed", function()
    put(db, "k", "v")
    local message = raises("tx_closed", db.update, db, function(tx)
      local again <close> = tx
      again:bucket("b"):put("k", "lost")
    end)
    assert.equal("update: its transaction was ended within it", message)
    assert.equal("v", get(db, "k"))
    message = raises("tx_closed", db.update, db, function() db:close{ force = true } end)
    assert.equal("update: the DB was closed within it", message)
    raises("db_closed", db.view, db, print)
  end)
end)

describe("db:view", function()
  local db
  before_each(function()
    db = fresh.open(nil, { readers_max = 4 })
    put(db, "k", "v")
  end)
  after_each(fresh.clean)

  it("passes arguments and results on", function()
    assert.same({ 1, 2 }, { db:view(function(_, ...) return ... end, 1, 2) })
  end)

  it("raises what its function raises, and leaves no reader slot behind (Bolt 16, 18)", function()
    local object = {}
    for _ = 1, 20 do -- there are 4 slots
      local ok, raised = pcall(db.view, db, function() error(object) end)
      assert.is_false(ok)
      assert.equal(object, raised)
    end
    put(db, "k", "w")
  end)

  it("refuses rollback and commit inside (Bolt 17)", function()
    db:view(function(tx)
      raises("tx_managed", tx.rollback, tx)
      raises("tx_managed", tx.commit, tx)
      assert.equal("v", tx:bucket("b"):get("k"))
    end)
  end)

  it("lets nothing write (Bolt 20, 33, 35, 61)", function()
    db:view(function(tx)
      local b = tx:bucket("b")
      local c = b:cursor()
      c:first()
      local calls = {
        { b.put, b, "k", "v" }, { b.delete, b, "k" }, { b.delete, b, "missing" },
        { b.delete_range, b }, { b.append, b, { "z" }, { "z" } }, { c.delete, c },
        { b.create_bucket, b, "n" }, { b.ensure_bucket, b, "n" }, { b.delete_bucket, b, "n" },
        { tx.create_bucket, tx, "n" }, { tx.ensure_bucket, tx, "b" },
        { tx.delete_bucket, tx, "b" }, { tx.savepoint, tx, function() end },
        { tx.on_commit, tx, function() end }, { tx.on_rollback, tx, function() end },
      }
      for _, call in ipairs(calls) do raises("tx_not_writable", table.unpack(call)) end
      assert.is_false(tx:is_writable())
      assert.is_false(b:is_writable())
      assert.equal("v", b:get("k"))
    end)
  end)

  it("nests, and sees what was committed (Bolt 25)", function()
    db:view(function(tx)
      assert.equal("v", get(db, "k"))
      assert.equal("v", tx:bucket("b"):get("k"))
    end)
  end)

  it("raises tx_closed when the DB was closed within it; with a journal that is refused", function()
    if fresh.journals then
      for _, how in ipairs{ {}, { force = true } } do
        local code = how.force and "read_tx_active" or "tx_open"
        db:view(function() raises(code, db.close, db, how) end)
      end
      raises("tx_closed", db.view, db, function() getmetatable(db).__close(db) end)
    else
      raises("tx_closed", db.view, db, function() db:close{ force = true } end)
    end
    raises("db_closed", db.view, db, print)
  end)

  it("with a journal reads what no other transaction may change meanwhile", function()
    if not fresh.journals then return end
    local path = fresh.path()
    local calls = {
      { db.update, db, print }, { db.batch, db, {} }, { db.begin, db, "write" },
      { db.begin, db, "read" }, { db.checkpoint, db }, { db.backup, db, path }, { db.check, db },
      { db.abandon, db },
    }
    db:view(function(tx)
      for _, call in ipairs(calls) do raises("read_tx_active", table.unpack(call)) end
      db:view(function() raises("read_tx_active", db.update, db, print) end)
      raises("read_tx_active", db.update, db, print)
      db:flush()
      assert.equal("v", tx:bucket("b"):get("k"))
    end)
    put(db, "k", "w")
    assert.equal("w", get(db, "k"))
  end)

  it("sees what was committed, in an update too; with a journal that is refused", function()
    if fresh.journals then
      db:update(function(tx)
        raises("write_tx_active", get, db, "k")
        raises("write_tx_active", db.begin, db, "read")
        assert.equal("v", db:write_tx():bucket("b"):get("k"))
        tx:bucket("b"):put("k", "new")
      end)
      return assert.equal("new", get(db, "k"))
    end
    db:update(function(tx)
      tx:bucket("b"):put("k", "new")
      db:view(function(old)
        assert.equal("v", old:bucket("b"):get("k"))
        assert.equal("v", get(db, "k"))
      end)
    end)
    assert.equal("new", get(db, "k"))
  end)
end)

describe("a yield", function()
  after_each(fresh.clean)

  it("inside update, view or savepoint raises and rolls back (trap 29)", function()
    local db = fresh.open()
    local routines = {
      function() db:update(function(tx) tx:create_bucket("b") coroutine.yield() end) end,
      function() db:view(function() coroutine.yield() end) end,
      function()
        db:update(function(tx)
          tx:savepoint(function() tx:create_bucket("b") coroutine.yield() end)
        end)
      end,
    }
    for _, routine in ipairs(routines) do
      local ok, message = coroutine.resume(coroutine.create(routine))
      assert.is_false(ok)
      assert.matches("yield", tostring(message))
      db:update(function(tx) assert.is_nil(tx:bucket("b")) end)
    end
  end)
end)

describe("db:begin", function()
  after_each(fresh.clean)

  it("takes read or write, nothing else", function()
    local db = fresh.open()
    for _, kind in ipairs{ false, true, 1, "rw", "", "Write" } do
      assert.is_false(pcall(db.begin, db, kind))
    end
    assert.is_false(pcall(db.begin, db))
    local r <close> = db:begin("read")
    local w <close> = db:begin("write")
    assert.is_true(w:is_writable())
    assert.is_false(r:is_writable())
  end)

  it("raises db_read_only for writes to a DB opened read_only (Bolt 10)", function()
    local db, path = fresh.open()
    db:close()
    db = fresh.open(path, { read_only = true })
    raises("db_read_only", db.begin, db, "write")
    raises("db_read_only", db.update, db, function() end)
    assert.equal(7, db:view(function() return 7 end))
  end)
end)

describe("db:write_tx", function()
  after_each(fresh.clean)

  it("gives the open write transaction, and nil when there is none", function()
    local db = fresh.open()
    assert.is_nil(db:write_tx())
    db:update(function(tx)
      assert.equal(tx, db:write_tx())
      tx:savepoint(function() assert.equal(tx, db:write_tx()) end)
      tx:on_commit(function() assert.is_nil(db:write_tx()) end)
    end)
    assert.is_nil(db:write_tx())
    db:view(function() assert.is_nil(db:write_tx()) end)
    local tx = db:begin("write")
    assert.equal(tx, db:write_tx())
    tx:rollback()
    assert.is_nil(db:write_tx())
  end)
end)

describe("db:close", function()
  after_each(fresh.clean)

  it("refuses with tx_open while a transaction is open (Bolt 7 D)", function()
    for _, kind in ipairs{ "read", "write" } do
      local db = fresh.open()
      local tx = db:begin(kind)
      raises("tx_open", db.close, db)
      raises("tx_open", db.close, db, { force = false })
      assert.not_equal("", db:path())
      tx:rollback()
      db:close()
    end
  end)

  it("rolls transactions back and closes all handles when forced (Bolt 7 D)", function()
    local db, path = fresh.open()
    put(db, "k", "v")
    local old, tx = db:begin("read"), db:begin("write")
    local b, c = tx:bucket("b"), old:bucket("b"):cursor()
    b:put("k", "w")
    db:close{ force = true }
    raises("tx_closed", b.get, b, "k")
    raises("tx_closed", c.first, c)
    raises("tx_closed", tx.commit, tx)
    raises("tx_closed", old.rollback, old)
    assert.equal("v", get(fresh.open(path), "k"))
  end)

  it("does nothing the second time (Bolt 8)", function()
    local db = fresh.open()
    db:close()
    db:close()
    db:close{ force = true }
    assert.is_true(pcall(getmetatable(db).__close, db))
  end)

  it("leaves a DB that raises db_closed and has no path (Bolt 9, 13)", function()
    local db, path = fresh.open()
    assert.equal(path, db:path())
    db:close()
    assert.equal("", db:path())
    assert.matches("closed", tostring(db))
    raises("db_closed", db.begin, db, "read")
    raises("db_closed", db.begin, db, "write")
    raises("db_closed", db.update, db, function() end)
    raises("db_closed", db.view, db, function() end)
    raises("db_closed", db.write_tx, db)
    raises("db_closed", db.is_read_only, db)
  end)

  it("frees the file for the next (Bolt 8)", function()
    local db, path = fresh.open()
    for _ = 1, 20 do
      db:close()
      db = fresh.open(path)
    end
  end)

  it("happens at the end of a to-be-closed variable, also by an error", function()
    local path = fresh.path()
    for _, fails in ipairs{ false, true } do
      local tx
      pcall(function()
        local db <close> = assert(store.open(path))
        tx = db:begin("write")
        tx:ensure_bucket("b")
        if fails then error("x") end
      end)
      raises("tx_closed", tx.bucket, tx, "b")
    end
    fresh.open(path)
  end)

  it("names an unknown option", function()
    local db = fresh.open()
    assert.error_matches(function() db:close{ forced = true } end, "unknown option 'forced'")
    assert.error_matches(function() db:close{ force = 1 } end, "must be a boolean")
    assert.error_matches(function() db:close(true) end, "table expected")
  end)
end)

describe("db:key_size_max", function()
  after_each(fresh.clean)

  it("is 503 everywhere (Bolt 57)", function()
    assert.equal(503, fresh.open():key_size_max())
  end)
end)
