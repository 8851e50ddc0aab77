local fresh = require "spec.support.fresh"

local raises = fresh.raises

describe("a manual transaction", function()
  local db
  before_each(function() db = fresh.open() end)
  after_each(fresh.clean)

  local function get(key)
    return db:view(function(tx)
      local b = tx:bucket("b")
      return b and b:get(key)
    end)
  end

  it("commits what it wrote (Bolt 26)", function()
    local tx = db:begin("write")
    tx:create_bucket("b"):put("k", "v")
    if fresh.journals then raises("write_tx_active", get, "k") else assert.is_nil(get("k")) end
    tx:commit()
    assert.equal("v", get("k"))
  end)

  it("raises tx_closed once it has ended, from every method of every handle "
    .. "(Bolt 21, 23, 24, 86)", function()
    for _, ending in ipairs{ "commit", "rollback", "close" } do
      local tx = db:begin("write")
      local b = tx:ensure_bucket("b")
      b:put("k", "v")
      b:ensure_bucket("nested")
      local c = b:cursor()
      c:first()
      local step, state = b:each()
      local names = tx:buckets()
      if ending == "close" then getmetatable(tx).__close(tx) else tx[ending](tx) end
      local f = function() end
      local calls = {
        { tx.commit, tx }, { tx.rollback, tx }, { tx.bucket, tx, "b" },
        { tx.create_bucket, tx, "n" }, { tx.ensure_bucket, tx, "b" },
        { tx.delete_bucket, tx, "b" }, { tx.buckets, tx }, { tx.savepoint, tx, f },
        { tx.on_commit, tx, f }, { tx.on_rollback, tx, f }, { names },
        { b.get, b, "k" }, { b.put, b, "k", "v" }, { b.delete, b, "k" }, { b.delete_range, b },
        { b.append, b, { "x" }, { "x" } }, { b.each, b }, { b.cursor, b }, { b.buckets, b },
        { b.bucket, b, "nested" }, { b.create_bucket, b, "n" }, { b.ensure_bucket, b, "n" },
        { b.delete_bucket, b, "nested" },
        { c.first, c }, { c.last, c }, { c.next, c }, { c.prev, c }, { c.seek, c, "k" },
        { c.delete, c },
      }
      for _, call in ipairs(calls) do raises("tx_closed", table.unpack(call)) end
      raises("cursor_closed", step, state)
      assert.equal(-1, tx:id())
      assert.is_true(tx:is_writable())
      assert.equal(db, tx:db())
      assert.equal(tx, b:tx())
      assert.equal(b, c:bucket())
      assert.equal("b", b:name())
      for _, handle in ipairs{ tx, b, c } do assert.matches("closed", tostring(handle)) end
    end
  end)

  it("cannot be committed when it is a read transaction, and stays open then (Bolt 22)", function()
    local tx = db:begin("read")
    raises("tx_not_writable", tx.commit, tx)
    assert.is_nil(tx:bucket("b"))
    tx:rollback()
    raises("tx_closed", tx.rollback, tx)
  end)

  it("reads the snapshot of its start, again and again, for every bucket (Bolt 25, 26)", function()
    db:update(function(tx)
      for _, name in ipairs{ "b", "c" } do
        local b = tx:create_bucket(name)
        b:put("k", "old")
        b:create_bucket("nested"):put("k", "old")
      end
    end)
    local old = db:begin("read")
    local held = old:bucket("c")
    for i = 1, 5 do
      db:update(function(tx)
        for name, b in tx:buckets() do
          b:put("k", "new" .. i)
          b:put(name .. i, "new")
          b:ensure_bucket("nested"):put("k", "new" .. i)
        end
        tx:ensure_bucket("b" .. i):put("k", "new")
      end)
      local seen = {}
      for name, b in old:buckets() do
        seen[#seen + 1] = name
        assert.same({ { "k", "old" }, { "nested", false } }, fresh.gather(b:each()))
        assert.equal("old", b:bucket("nested"):get("k"))
      end
      assert.same({ "b", "c" }, seen)
      assert.is_nil(old:bucket("b" .. i))
      assert.equal("old", held:get("k"))
      assert.equal("new" .. i, get("k"))
    end
    old:rollback()
  end)

  it("keeps a deleted bucket readable in an older snapshot (Bolt 25)", function()
    db:update(function(tx)
      tx:create_bucket("b"):put("k", "old")
      tx:create_bucket("c", { tree = false }):put("k", "old")
    end)
    local old = db:begin("read")
    db:update(function(tx)
      tx:delete_bucket("b")
      tx:delete_bucket("c")
    end)
    local gone = db:begin("read")
    db:update(function(tx)
      tx:create_bucket("b"):put("k", "new")
      tx:create_bucket("c"):put("k", "new")
    end)
    for _, name in ipairs{ "b", "c" } do
      assert.equal("old", old:bucket(name):get("k"))
      assert.is_nil(gone:bucket(name))
      db:view(function(tx) assert.equal("new", tx:bucket(name):get("k")) end)
    end
    assert.same({}, fresh.keys(gone:buckets()))
    old:rollback()
    gone:rollback()
  end)

  it("discards everything when rolled back, buckets too (Bolt 27)", function()
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    local tx = db:begin("write")
    local b = tx:bucket("b")
    b:put("k", "w")
    b:put("l", "w")
    b:create_bucket("nested"):put("k", "w")
    tx:create_bucket("c"):put("k", "w")
    tx:create_bucket("d", { tree = false }):put("k", "w")
    tx:delete_bucket("b")
    tx:rollback()
    db:view(function(now)
      assert.same({ "b" }, fresh.keys(now:buckets()))
      assert.same({ { "k", "v" } }, fresh.gather(now:bucket("b"):each()))
    end)
  end)

  it("is the only one that writes, until it ends (Bolt 28 D)", function()
    local tx = db:begin("write")
    for _ = 1, 3 do raises("write_tx_active", db.begin, db, "write") end
    tx:rollback()
    tx = db:begin("write")
    tx:commit()
    db:begin("write"):rollback()
  end)

  it("numbers commits one by one; a reader has the number of its snapshot (Bolt 29)", function()
    local first = db:view(function(tx) return tx:id() end)
    for i = 1, 5 do
      local tx = db:begin("write")
      assert.equal(first + i, tx:id())
      tx:ensure_bucket("b"):put("k", tostring(i))
      tx:commit()
      assert.equal(-1, tx:id())
      assert.equal(first + i, db:view(function(now) return now:id() end))
    end
    db:begin("write"):rollback()
    assert.equal(first + 5, db:view(function(tx) return tx:id() end))
  end)

  it("tells its DB and whether it writes (Bolt 43)", function()
    local r = db:begin("read")
    local w = db:begin("write")
    assert.equal(db, w:db())
    assert.equal(db, r:db())
    assert.is_true(w:is_writable())
    assert.is_false(r:is_writable())
    w:rollback()
    r:rollback()
  end)

  it("rolls back at the end of a to-be-closed variable, also by an error", function()
    for _, fails in ipairs{ false, true } do
      pcall(function()
        local tx <close> = db:begin("write")
        tx:create_bucket("b")
        if fails then error("x") end
      end)
      db:update(function(tx) assert.is_nil(tx:bucket("b")) end)
    end
  end)

  it("may be held across a yield (trap 29)", function()
    local routine = coroutine.wrap(function()
      local tx <close> = db:begin("write")
      local b = tx:create_bucket("b")
      for k, v in coroutine.wrap(function() coroutine.yield("k", "v") end) do
        b:put(k, v)
        coroutine.yield()
      end
      tx:commit()
    end)
    routine()
    raises("write_tx_active", db.begin, db, "write")
    routine()
    assert.equal("v", get("k"))
  end)

  it("has no first top-level key: the root holds only buckets (Bolt 41)", function()
    db:update(function(tx)
      for _, name in ipairs{ "b", "a\0b", "a", "\1odd", "\255", ("n"):rep(503) } do
        tx:create_bucket(name):put("name", name)
      end
    end)
    db:view(function(tx)
      local names = {}
      for name, b in tx:buckets() do
        names[#names + 1] = name
        assert.equal(name, b:name())
        assert.equal(name, b:get("name"))
      end
      assert.same({ "\1odd", "a", "a\0b", "b", ("n"):rep(503), "\255" }, names)
    end)
  end)
end)

describe("a handler", function()
  local db
  before_each(function() db = fresh.open() end)
  after_each(fresh.clean)

  it("of on_commit runs after the commit, in the order of registration (Bolt 31)", function()
    local ran = {}
    db:update(function(tx)
      tx:create_bucket("b"):put("k", "v")
      for i = 1, 20 do
        tx:on_commit(function()
          ran[#ran + 1] = i
          assert.equal("v", db:view(function(now) return now:bucket("b"):get("k") end))
          raises("tx_closed", tx.bucket, tx, "b")
        end)
        tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
      end
      assert.same({}, ran)
    end)
    local expected = {}
    for i = 1, 20 do expected[i] = i end
    assert.same(expected, ran)
  end)

  it("of on_commit never runs after a rollback, of on_rollback only then (Bolt 31)", function()
    for _, ending in ipairs{ "rollback", "raise", "close", "collect", "force" } do
      local ran = {}
      local function register(tx)
        tx:on_commit(function() ran[#ran + 1] = "commit" end)
        tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
      end
      local other = fresh.open()
      if ending == "raise" then
        pcall(other.update, other, function(tx) register(tx) error("x") end)
      else
        local tx = other:begin("write")
        register(tx)
        if ending == "rollback" then tx:rollback() end
        if ending == "close" then getmetatable(tx).__close(tx) end
        if ending == "force" then other:close{ force = true } end
        tx = nil -- luacheck: ignore
        collectgarbage()
      end
      assert.same({ "rollback" }, ran, ending)
    end
  end)

  it("of on_rollback runs when the commit fails, of on_commit does not (Bolt 31)", function()
    local ran = {}
    local small = fresh.open(nil, { size_max = 1 << 20 })
    local tx = small:begin("write")
    tx:on_commit(function() ran[#ran + 1] = "commit" end)
    tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
    local b = tx:create_bucket("b")
    pcall(b.put, b, "k", ("x"):rep(2 << 20))
    raises("tx_failed", tx.commit, tx)
    assert.same({ "rollback" }, ran)
    raises("tx_closed", tx.rollback, tx)
  end)

  it("may begin a transaction, of its own too (Bolt 31)", function()
    local depth = 0
    local function again(tx)
      tx:ensure_bucket("b"):put(tostring(depth), "v")
      if depth < 10 then
        tx:on_commit(function()
          depth = depth + 1
          db:update(again)
        end)
      end
    end
    db:update(again)
    db:view(function(tx) assert.equal(11, #fresh.keys(tx:bucket("b"):each())) end)
  end)

  it("that raises keeps no other from running, and its error is raised at the end", function()
    local ran = {}
    local ok, raised = pcall(db.update, db, function(tx)
      tx:create_bucket("b")
      for i = 1, 4 do
        tx:on_commit(function()
          ran[#ran + 1] = i
          if i % 2 == 0 then error(i, 0) end
        end)
      end
    end)
    assert.is_false(ok)
    assert.equal(2, raised)
    assert.same({ 1, 2, 3, 4 }, ran)
    db:view(function(tx) assert.is_truthy(tx:bucket("b")) end)
  end)

  it("may close the DB", function()
    for _, kind in ipairs{ "on_commit", "on_rollback" } do
      for _, managed in ipairs{ true, false } do
        local other = fresh.open()
        local function work(tx)
          tx[kind](tx, function() other:close{ force = true } end)
          if kind == "on_rollback" and managed then error("undo") end
        end
        if managed then
          pcall(other.update, other, work)
        else
          local tx = other:begin("write")
          work(tx)
          tx[kind == "on_commit" and "commit" or "rollback"](tx)
        end
        assert.equal("", other:path())
      end
    end
  end)

  it("is not taken after the end, nor from within a handler of the same transaction", function()
    local ran = 0
    db:update(function(tx)
      tx:on_commit(function()
        raises("tx_closed", tx.on_commit, tx, function() ran = ran + 1 end)
      end)
    end)
    assert.equal(0, ran)
  end)

  it("must be a function", function()
    db:update(function(tx)
      assert.error_matches(function() tx:on_commit() end, "function expected")
      assert.error_matches(function() tx:on_rollback({}) end, "function expected")
    end)
  end)

  it("cannot yield", function()
    local routine = coroutine.create(function()
      db:update(function(tx) tx:on_commit(function() coroutine.yield() end) end)
    end)
    local ok, message = coroutine.resume(routine)
    assert.is_false(ok)
    assert.matches("yield", message)
  end)
end)
