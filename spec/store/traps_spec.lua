-- LMDB's traps that a script can spring: on handles and transactions. traps_file_spec.lua has
-- those of files and processes, traps_gc_spec.lua those of the garbage collector.
local errors = require "jangada.errors"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local raises = fresh.raises

describe("a handle", function()
  after_each(fresh.clean)

  it("of another class, or no handle at all, is refused by every method (traps 23, 32)", function()
    local db = fresh.open()
    local tx = db:begin("write")
    local b = tx:create_bucket("b")
    local c = b:cursor()
    local handles = { db, tx, b, c }
    local wrongs = { io.stdout, {}, 1, "x", print, true, coroutine.create(print) }
    for i, handle in ipairs(handles) do
      for j, other in ipairs(handles) do
        if i ~= j then wrongs[#wrongs + 1] = other end
      end
      local class = getmetatable(handle)
      for _, methods in ipairs{ class.__index, { class.__gc, class.__close, class.__tostring } } do
        for name, method in pairs(methods) do
          for _, wrong in ipairs(wrongs) do
            local ok, message = pcall(method, wrong)
            assert.is_false(ok, tostring(name))
            assert.is_string(message)
          end
          assert.is_false(pcall(method))
        end
      end
      for _ = 1, 3 do table.remove(wrongs) end
    end
    b:put("k", "v")
    tx:commit()
  end)

  it("may be finalized and closed by hand, and again, at any level (trap 28)", function()
    for victim = 1, 4 do
      local db = fresh.open()
      local tx = db:begin("write")
      local b = tx:create_bucket("b")
      b:put("k", "v")
      local c = b:create_bucket("n"):cursor()
      local handles = { db, tx, b, c }
      for _ = 1, 3 do
        getmetatable(handles[victim]).__gc(handles[victim])
        assert.matches("closed", tostring(handles[victim]))
      end
      for i = victim == 3 and 5 or victim, 4 do -- a closed Bucket is only its own handle
        assert.matches("closed", tostring(handles[i]))
      end
      assert.is_false(pcall(c.first, c))
      if victim == 3 then assert.equal("v", tx:bucket("b"):get("k")) end
    end
  end)

  it("keeps what it hangs on alive: a bucket or cursor alone keeps its DB (trap 28)", function()
    local path = fresh.path()
    local function last_of(get)
      local db = assert(store.open(path))
      local tx = db:begin("write")
      local b = tx:ensure_bucket("b")
      b:put("k", "v")
      return get(b)
    end
    local b = last_of(function(b) return b:ensure_bucket("n") end)
    collectgarbage()
    b:put("k", "w")
    assert.equal("w", b:get("k"))
    assert.equal("v", b:tx():bucket("b"):get("k"))
    b = nil -- luacheck: ignore
    collectgarbage()
    local c = last_of(function(bucket) return bucket:cursor() end)
    collectgarbage()
    assert.same({ "k", "v" }, { c:first() })
    c:bucket():tx():commit()
    c = nil -- luacheck: ignore
    collectgarbage()
    fresh.open(path)
  end)

  it("of a read transaction is bounded by memory alone (trap 19)", function()
    local db = fresh.open()
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    db:view(function(tx)
      local b, held = tx:bucket("b"), {}
      for i = 1, 2000 do
        held[i] = b:cursor()
        assert.equal("k", (held[i]:first()))
      end
    end)
    local tx = db:begin("write")
    local b, held = tx:bucket("b"), {}
    for i = 1, 2000 do
      held[i] = b:cursor()
      held[i]:first()
    end
    tx:commit() -- LMDB frees them too: a second time would be noticed
    held = nil -- luacheck: ignore
    collectgarbage()
  end)

  it("takes its own keys and values back while it moves (trap 21)", function()
    local db = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      for i = 1, 300 do b:put(("%04d"):format(i), ("v"):rep(i * 20)) end
      local c = b:cursor()
      local key, value = c:first()
      while key do
        b:put(key, value .. "!")
        b:delete(key)
        b:put(key, value .. "!")
        key, value = c:next()
      end
      for i = 1, 300 do assert.equal(20 * i + 1, #b:get(("%04d"):format(i))) end
    end)
  end)
end)

describe("a transaction", function()
  after_each(fresh.clean)

  it("that was dropped does not block the next one (traps 4, 5)", function()
    local db = fresh.open()
    for i = 1, 50 do
      local tx = db:begin("write")
      tx:create_bucket("b"):put("k", tostring(i))
    end
  end)

  it("to read may be dropped any number of times; slots come back (traps 5, 6)", function()
    local db = fresh.open(nil, { readers_max = 8 })
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    collectgarbage("stop")
    for _ = 1, 100 do assert.equal("v", db:begin("read"):bucket("b"):get("k")) end
    collectgarbage("restart")
    local held = {}
    for i = 1, 8 do held[i] = db:begin("read") end
    raises("readers_full", db.begin, db, "read")
    if fresh.journals then
      assert.equal(7, db:view(function() return 7 end)) -- it takes no slot
    else
      raises("readers_full", db.view, db, function() end)
    end
    db:update(function(tx) tx:bucket("b"):put("k", "w") end) -- writing needs no slot
    held[3]:rollback()
    held[3] = db:begin("read")
    assert.equal("w", held[3]:bucket("b"):get("k"))
    for i = 1, 8 do held[i]:rollback() end
  end)

  it("in a coroutine that is dropped while suspended is rolled back (trap 29)", function()
    local db = fresh.open()
    coroutine.wrap(function()
      local tx <close> = db:begin("write")
      tx:create_bucket("b")
      coroutine.yield()
    end)()
    db:update(function(tx) assert.is_nil(tx:bucket("b")) end)
  end)

  it("that met a full map can only be rolled back; a smaller one works "
    .. "(trap 9, Bolt 11)", function()
    local db, path = fresh.open(nil, { size_max = 1 << 20 })
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    local tx = db:begin("write")
    local b = tx:bucket("b")
    local c = b:cursor()
    c:first()
    raises("map_full", function()
      for i = 1, 10000 do b:put(tostring(i), ("x"):rep(1000)) end
    end)
    local f = function() end
    for _, call in ipairs{ { b.get, b, "k" }, { b.put, b, "k", "v" }, { b.delete, b, "k" },
      { b.append, b, { "z" }, { "v" } }, { b.delete_range, b }, { b.create_bucket, b, "n" },
      { tx.bucket, tx, "other" }, { tx.create_bucket, tx, "n" }, { tx.delete_bucket, tx, "b" },
      { c.first, c }, { c.next, c }, { tx.savepoint, tx, f }, { tx.commit, tx } } do
      raises("tx_failed", table.unpack(call))
    end
    raises("tx_closed", tx.rollback, tx)
    local size = io.open(path):seek("end")
    assert.is_true(size <= 1 << 20)
    for i = 1, 20 do
      db:update(function(small) small:bucket("b"):put("small", tostring(i)) end)
    end
    db:view(function(now)
      assert.same({ { "k", "v" }, { "small", "20" } }, fresh.gather(now:bucket("b"):each()))
    end)
  end)

  it("goes on after every call that was refused (trap 11)", function()
    local db = fresh.open(nil, { trees_max = 2 })
    db:update(function(tx)
      local b = tx:create_bucket("b")
      local n = b:create_bucket("n")
      local i = tx:create_bucket("i", { keys = "integer" })
      b:put("k", "v")
      local c = b:cursor()
      local calls = {
        { tx.create_bucket, tx, "b" }, { tx.delete_bucket, tx, "x" }, { tx.create_bucket, tx, "" },
        { tx.create_bucket, tx, "third" }, { tx.create_bucket, tx, ("x"):rep(600) },
        { b.put, b, "n", "v" }, { b.put, b, "", "v" }, { b.put, b, ("x"):rep(600), "v" },
        { b.put, b, "k" }, { b.delete, b, "n" }, { b.create_bucket, b, "k" },
        { b.delete_bucket, b, "k" }, { b.delete_bucket, b, "x" }, { b.delete_range, b },
        { b.append, b, { "a" }, { "v" } }, { b.each, b, { limit = -1 } }, { i.put, i, -1, "v" },
        { i.create_bucket, i, "x" }, { c.delete, c }, { tx.commit, tx }, { tx.rollback, tx },
        { db.close, db }, { db.begin, db, "write" },
        { tx.savepoint, tx, function() error(errors.new("io_error", "mine")) end },
      }
      for number, call in ipairs(calls) do
        assert.is_false(pcall(table.unpack(call)), number)
        n:put(tostring(number), "v")
        b:put(tostring(number), "v")
        assert.equal(number, #fresh.keys(n:each()))
      end
    end)
    db:view(function(tx) assert.equal("v", tx:bucket("b"):get("k")) end)
  end)

  it("#slow may be larger than LMDB's list of dirty pages (trap 25)", function()
    local db = fresh.open()
    local n, value = 150000, ("v"):rep(4000)
    db:update(function(tx)
      local b = tx:create_bucket("b")
      for i = 1, n do b:put(("%08d"):format(i * 7919 % n), value) end
    end)
    db:view(function(tx)
      local count = 0
      for _ in tx:bucket("b"):each() do count = count + 1 end
      assert.equal(n, count)
    end)
  end)
end)

describe("a tree", function()
  after_each(fresh.clean)

  it("younger than a snapshot is not seen from it, and not taken for another (trap 17b)", function()
    local db = fresh.open()
    db:update(function(tx) tx:create_bucket("first"):put("k", "first") end)
    local readers = {}
    for i = 1, 8 do
      readers[i] = db:begin("read")
      db:update(function(tx) tx:create_bucket("x" .. i):put("k", "x" .. i) end)
      local newest = db:begin("read")
      assert.equal("x" .. i, newest:bucket("x" .. i):get("k"))
      newest:rollback()
    end
    for i, reader in ipairs(readers) do
      for j = 1, 8 do
        local b = reader:bucket("x" .. j)
        if j < i then
          assert.equal("x" .. j, b:get("k"))
        else
          assert.is_nil(b)
        end
      end
      assert.equal("first", reader:bucket("first"):get("k"))
      reader:rollback()
    end
  end)

  it("made in what was rolled back leaves nothing that aliases another (trap 17)", function()
    local db = fresh.open()
    db:update(function(tx) tx:create_bucket("keep"):put("k", "keep") end)
    for i = 1, 30 do
      local tx = db:begin("write")
      local dead = tx:create_bucket("dead" .. i)
      dead:put("k", "dead")
      pcall(tx.savepoint, tx, function()
        tx:create_bucket("deader" .. i):put("k", "deader")
        error()
      end)
      tx:create_bucket("between"):put("k", "between")
      assert.equal("dead", dead:get("k"))
      tx:rollback()
      db:update(function(new)
        assert.is_nil(new:bucket("dead" .. i))
        local live = new:create_bucket("live" .. i)
        live:put("k", "live" .. i)
        assert.same({ { "k", "live" .. i } }, fresh.gather(live:each()))
        raises("tx_closed", dead.get, dead, "k")
      end)
    end
    db:view(function(tx)
      assert.equal("keep", tx:bucket("keep"):get("k"))
      for i = 1, 30 do assert.equal("live" .. i, tx:bucket("live" .. i):get("k")) end
      assert.is_nil(tx:bucket("between"))
    end)
  end)

  it("that was deleted and made again while old readers read it stays theirs (trap 17)", function()
    local db = fresh.open()
    local readers = {}
    for i = 1, 10 do
      db:update(function(tx)
        local b = tx:ensure_bucket("b")
        b:put("k", tostring(i))
        b:put("only" .. i, "v")
      end)
      readers[i] = db:begin("read")
      db:update(function(tx) tx:delete_bucket("b") end)
    end
    for i, reader in ipairs(readers) do
      assert.same({ { "k", tostring(i) }, { "only" .. i, "v" } },
        fresh.gather(reader:bucket("b"):each()))
      reader:rollback()
    end
  end)

  it("is named by all bytes of a name, not by those before a NUL (trap 18)", function()
    local db, path = fresh.open()
    local names = { "a", "a\0", "a\0b", "a\0c", "\0", "\0\0" }
    db:update(function(tx)
      for _, name in ipairs(names) do tx:create_bucket(name):put("k", name) end
    end)
    db:close()
    db = fresh.open(path)
    db:update(function(tx)
      for _, name in ipairs(names) do assert.equal(name, tx:bucket(name):get("k")) end
      tx:delete_bucket("a")
      tx:delete_bucket("a\0b")
      assert.same({ "\0", "\0\0", "a\0", "a\0c" }, fresh.keys(tx:buckets()))
    end)
  end)
end)

describe("very many or very deep buckets", function()
  after_each(fresh.clean)

  it("10,000 side by side #big", function()
    local db, path = fresh.open()
    local n = 10000
    db:update(function(tx)
      local b = tx:create_bucket("b")
      for i = 1, n do b:create_bucket(("%05d"):format(i)):put("k", tostring(i)) end
    end)
    db:close()
    db = fresh.open(path)
    db:update(function(tx)
      local b, count = tx:bucket("b"), 0
      for _, nested in b:buckets() do
        count = count + 1
        assert(nested:get("k") == tostring(count))
      end
      assert.equal(n, count)
      tx:delete_bucket("b")
      assert.same({}, fresh.keys(tx:buckets()))
    end)
  end)

  it("100,000 in one another: closed, undone, deleted without C's stack #big", function()
    local db = fresh.open()
    local depth = 100000
    local function dig(b)
      for _ = 1, depth do b = b:ensure_bucket("n") end
      return b
    end
    db:update(function(tx)
      local top = tx:create_bucket("b")
      local b = dig(top)
      b:put("k", "v")
      assert.equal(tx, b:tx())
      pcall(tx.savepoint, tx, function() b:put("k", "lost") error() end)
      assert.equal("v", b:get("k")) -- the handle looks itself up, from the top
      pcall(tx.savepoint, tx, function() tx:delete_bucket("b") error() end)
      raises("bucket_closed", b.get, b, "k")
    end)
    local tx = db:begin("write")
    dig(tx:bucket("b"))
    tx:delete_bucket("b")
    dig(tx:create_bucket("b"))
    db:close{ force = true }
  end)
end)
