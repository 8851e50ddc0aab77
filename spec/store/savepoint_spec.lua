local fresh = require "spec.support.fresh"

local raises = fresh.raises

-- Runs fn(tx) in a savepoint that is undone.
local function undone(tx, fn)
  local ok, raised = pcall(tx.savepoint, tx, function(inner)
    fn(inner)
    error("undo", 0)
  end)
  assert.is_false(ok)
  assert.equal("undo", raised)
end

describe("tx:savepoint", function()
  local db
  before_each(function()
    db = fresh.open()
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
  end)
  after_each(fresh.clean)

  local function items() -- committed ones
    return db:view(function(tx) return fresh.gather(tx:bucket("b"):each()) end)
  end

  it("passes the transaction, arguments and results", function()
    db:update(function(tx)
      local results = table.pack(tx:savepoint(function(inner, ...)
        assert.equal(tx, inner)
        return ...
      end, 1, nil, 3, nil))
      assert.same({ n = 4, 1, nil, 3, nil }, results)
    end)
  end)

  it("joins the transaction when its function returns", function()
    db:update(function(tx)
      tx:savepoint(function() tx:bucket("b"):put("l", "w") end)
      assert.equal("w", tx:bucket("b"):get("l"))
    end)
    assert.same({ { "k", "v" }, { "l", "w" } }, items())
  end)

  it("undoes only what was written in it when its function raises", function()
    db:update(function(tx)
      local b = tx:bucket("b")
      b:put("before", "1")
      undone(tx, function()
        b:put("before", "2")
        b:put("inside", "2")
        b:delete("k")
      end)
      assert.equal("1", b:get("before"))
      b:put("zafter", "3")
    end)
    assert.same({ { "before", "1" }, { "k", "v" }, { "zafter", "3" } }, items())
  end)

  it("nests, and each undoes its own part", function()
    db:update(function(tx)
      local b = tx:bucket("b")
      tx:savepoint(function()
        b:put("1", "kept")
        undone(tx, function()
          b:put("2", "lost")
          tx:savepoint(function() b:put("3", "lost, though it joined") end)
        end)
        b:put("4", "kept")
      end)
    end)
    assert.same({ { "1", "kept" }, { "4", "kept" }, { "k", "v" } }, items())
  end)

  it("nests as deep as Lua's C stack allows, and raises past it", function()
    db:update(function(tx)
      local b, deepest = tx:bucket("b"), 0
      local function down(_, n)
        deepest = n
        b:put(("%05d"):format(n), "v")
        tx:savepoint(down, n + 1)
      end
      assert.is_false(pcall(tx.savepoint, tx, down, 1))
      assert.is_true(deepest > 10)
      assert.same({ { "k", "v" } }, fresh.gather(b:each()))
    end)
    assert.same({ { "k", "v" } }, items())
  end)

  it("refuses commit and rollback inside, and goes on", function()
    local tx = db:begin("write")
    tx:savepoint(function()
      raises("savepoint_active", tx.commit, tx)
      raises("savepoint_active", tx.rollback, tx)
      tx:bucket("b"):put("l", "w")
    end)
    tx:commit()
    assert.same({ { "k", "v" }, { "l", "w" } }, items())
  end)

  it("raises tx_closed when the transaction was ended within it", function()
    local tx = db:begin("write")
    raises("tx_closed", tx.savepoint, tx, function() getmetatable(tx).__close(tx) end)
    tx = db:begin("write")
    raises("tx_closed", tx.savepoint, tx, function()
      tx:savepoint(function() db:close{ force = true } end)
    end)
  end)

  it("raises what its function raised, also when an on_rollback handler raises", function()
    db:update(function(tx)
      local ok, raised = pcall(tx.savepoint, tx, function()
        tx:on_rollback(function() error("handler", 0) end)
        error("function", 0)
      end)
      assert.is_false(ok)
      assert.equal("function", raised)
    end)
  end)

  it("undone, fires its on_rollback handlers at once and drops its on_commit ones", function()
    local ran = {}
    local function say(what) return function() ran[#ran + 1] = what end end
    db:update(function(tx)
      tx:on_commit(say "outer commit")
      tx:on_rollback(say "outer rollback")
      undone(tx, function()
        tx:on_rollback(say "rollback 1")
        tx:on_commit(say "commit")
        tx:savepoint(function() tx:on_rollback(say "rollback 2, of one that joined") end)
      end)
      assert.same({ "rollback 1", "rollback 2, of one that joined" }, ran)
      tx:savepoint(function() tx:on_commit(say "inner commit") end)
    end)
    assert.same({ "rollback 1", "rollback 2, of one that joined", "outer commit",
      "inner commit" }, ran)
  end)

  it("that joined fires on_rollback when the transaction is rolled back", function()
    local ran = 0
    pcall(db.update, db, function(tx)
      tx:savepoint(function() tx:on_rollback(function() ran = ran + 1 end) end)
      assert.equal(0, ran)
      error("x")
    end)
    assert.equal(1, ran)
  end)

  it("shows on_rollback handlers the transaction as it was before", function()
    db:update(function(tx)
      local seen
      undone(tx, function()
        tx:on_rollback(function() seen = tx:bucket("b"):get("k") end)
        tx:bucket("b"):put("k", "lost")
      end)
      assert.equal("v", seen)
    end)
  end)

  it("takes buckets made in it along when undone; their handles are closed", function()
    for _, options in ipairs{ { tree = true }, { tree = false }, { keys = "integer" } } do
      db:update(function(tx)
        local handles = {}
        undone(tx, function()
          local top = tx:create_bucket("new", options)
          handles = { top, tx:bucket("b"):create_bucket("nested", options) }
          for _, b in ipairs(handles) do b:put(options.keys and 1 or "x", "w") end
        end)
        for _, b in ipairs(handles) do raises("bucket_closed", b.get, b, "x") end
        assert.is_nil(tx:bucket("new"))
        assert.is_nil(tx:bucket("b"):bucket("nested"))
        local again = tx:create_bucket("new", options)
        assert.same({}, fresh.gather(again:each()))
        raises("bucket_closed", handles[1].get, handles[1], "x")
        tx:delete_bucket("new")
      end)
    end
  end)

  it("gives deleted buckets back when undone", function()
    db:update(function(tx)
      local b = tx:bucket("b")
      b:create_bucket("nested"):put("k", "deep")
      b:create_bucket("tree", { tree = true }):put("k", "deep")
    end)
    db:update(function(tx)
      local b = tx:bucket("b")
      local nested = b:bucket("nested")
      undone(tx, function()
        b:delete_bucket("nested")
        tx:delete_bucket("b")
        tx:create_bucket("b"):put("k", "another")
      end)
      raises("bucket_closed", nested.get, nested, "k")
      local now = tx:bucket("b")
      assert.equal("v", now:get("k"))
      assert.equal("deep", now:bucket("nested"):get("k"))
      assert.equal("deep", now:bucket("tree"):get("k"))
    end)
    db:view(function(tx) assert.equal("deep", tx:bucket("b"):bucket("tree"):get("k")) end)
  end)

  it("leaves handles from before it in use, cursors and iterations at their place", function()
    db:update(function(tx)
      local b = tx:bucket("b")
      local n = b:create_bucket("n")
      for i = 1, 9 do n:put(tostring(i), "v") end
      local c = n:cursor()
      c:seek("5")
      undone(tx, function()
        n:delete("6")
        assert.equal("7", c:next())
        c:delete()
        c:seek("3")
      end)
      assert.equal("4", c:next())
      c:seek("5")
      undone(tx, function() n:delete_range() end)
      assert.equal("6", c:next())
      local seen = {}
      for k in n:each() do
        seen[#seen + 1] = k
        if k == "4" then undone(tx, function() n:delete_range("5", "6") end) end
        if k == "7" then tx:savepoint(function() n:delete("8") end) end
      end
      assert.same({ "1", "2", "3", "4", "5", "6", "7", "9" }, seen)
    end)
  end)

  it("leaves the transaction usable when the map was full in it (trap 9)", function()
    local small = fresh.open(nil, { size_max = 1 << 20 })
    small:update(function(tx)
      local b = tx:create_bucket("b")
      raises("map_full", tx.savepoint, tx, function() b:put("large", ("x"):rep(2 << 20)) end)
      b:put("small", "v")
    end)
    small:view(function(tx)
      assert.same({ { "small", "v" } }, fresh.gather(tx:bucket("b"):each()))
    end)
  end)

  it("wants a function and a write transaction", function()
    db:update(function(tx)
      assert.error_matches(function() tx:savepoint() end, "function expected")
      assert.error_matches(function() tx:savepoint{} end, "function expected")
    end)
    db:view(function(tx) raises("tx_not_writable", tx.savepoint, tx, function() end) end)
  end)
end)
