local fresh = require "spec.support.fresh"
local kinds = require "spec.support.kinds"

local raises = fresh.raises

for _, kind in ipairs(kinds) do
  local place, parent_of = table.unpack(kind)

  describe("a bucket in " .. place, function()
    local db
    before_each(function() db = fresh.open() end)
    after_each(fresh.clean)

    it("is nil while it does not exist (Bolt 32)", function()
      db:update(function(tx)
        local up = parent_of(tx)
        for _, name in ipairs{ "b", "", ("x"):rep(504), ("x"):rep(70000), "\0" } do
          assert.is_nil(up:bucket(name))
        end
      end)
    end)

    it("cannot be made twice; ensure_bucket gives it with its data (Bolt 33, 34)", function()
      db:update(function(tx)
        local up = parent_of(tx)
        up:create_bucket("b"):put("k", "v")
        raises("bucket_exists", up.create_bucket, up, "b")
        assert.equal("v", up:ensure_bucket("b"):get("k"))
      end)
      db:update(function(tx)
        local up = parent_of(tx)
        raises("bucket_exists", up.create_bucket, up, "b")
        assert.equal("v", up:ensure_bucket("b"):get("k"))
      end)
    end)

    it("has a name of 1 to 503 bytes, any of them (Bolt 33, 57)", function()
      db:update(function(tx)
        local up = parent_of(tx)
        for _, method in ipairs{ "create_bucket", "ensure_bucket", "delete_bucket" } do
          raises("bucket_name_required", up[method], up, "")
          raises("key_too_large", up[method], up, ("n"):rep(504))
          assert.error_matches(function() up[method](up) end, "string expected")
          assert.error_matches(function() up[method](up, 7) end, "string expected")
        end
        for _, name in ipairs{ "\0", "\1t", "\1jangada", "a\0b", "\255", ("n"):rep(502),
          ("n"):rep(503) } do
          assert.equal(name, up:create_bucket(name):name())
          assert.equal(name, up:bucket(name):name())
        end
      end)
    end)

    it("is deleted with all in it, of now and of before (Bolt 36, 37)", function()
      local function fill(tx)
        local b = parent_of(tx):ensure_bucket("b")
        for i = 1, 50 do b:put("k" .. i, "v") end
        for _, tree in ipairs{ true, false } do
          local n = b:ensure_bucket("n" .. tostring(tree), { tree = tree })
          n:put("k", "v")
          n:ensure_bucket("deep", { tree = not tree }):put("k", "v")
        end
      end
      db:update(fill)
      for _ = 1, 3 do
        db:update(function(tx)
          fill(tx)
          local up = parent_of(tx)
          up:delete_bucket("b")
          assert.is_nil(up:bucket("b"))
          raises("bucket_not_found", up.delete_bucket, up, "b")
          local b = up:create_bucket("b") -- in the same transaction
          assert.same({}, fresh.gather(b:each()))
          assert.same({}, fresh.keys(b:buckets()))
          fill(tx)
          up:delete_bucket("b")
        end)
        db:update(function(tx) -- and in the next
          assert.is_nil(parent_of(tx):bucket("b"))
          assert.same({}, fresh.gather(parent_of(tx):create_bucket("b"):each()))
          fill(tx)
        end)
      end
    end)

    it("raises bucket_not_found when it is deleted and was not there (Bolt 35)", function()
      db:update(function(tx)
        local up = parent_of(tx)
        raises("bucket_not_found", up.delete_bucket, up, "b")
        assert.is_truthy(up:create_bucket("b"))
      end)
    end)

    it("closes its handles, and those of all in it, when deleted (Bolt 44 D)", function()
      db:update(function(tx)
        local up = parent_of(tx)
        local b = up:create_bucket("b")
        local n = b:create_bucket("n")
        n:put("k", "v")
        local c = n:cursor()
        c:first()
        local step, state = n:each()
        up:delete_bucket("b")
        up:create_bucket("b"):create_bucket("n"):put("k", "another")
        local f = { { b.get, b, "k" }, { b.put, b, "k", "v" }, { b.bucket, b, "n" },
          { b.each, b }, { b.cursor, b }, { n.get, n, "k" }, { n.put, n, "k", "v" },
          { n.delete, n, "k" }, { n.append, n, { "x" }, { "x" } }, { n.buckets, n },
          { c.first, c }, { c.next, c }, { c.delete, c }, { step, state } }
        for _, call in ipairs(f) do raises("bucket_closed", table.unpack(call)) end
        assert.equal("b", b:name())
        assert.equal(tx, n:tx())
      end)
    end)

    it("has one state for all who hold it (Bolt 42, 53)", function()
      db:update(function(tx)
        local up = parent_of(tx)
        local a = up:create_bucket("b")
        local b, c = up:bucket("b"), up:ensure_bucket("b")
        assert.equal(a, b)
        assert.equal(a, c)
        a:put("k", "v")
        assert.equal("v", b:get("k"))
      end)
    end)

    it("knows its name and transaction (Bolt 43)", function()
      db:update(function(tx)
        local b = parent_of(tx):create_bucket("b")
        assert.equal(tx, b:tx())
        assert.equal(tx, b:create_bucket("n"):tx())
        assert.equal("b", b:name())
        assert.is_true(b:is_writable())
        assert.matches("b", tostring(b))
      end)
      db:view(function(tx)
        local b = parent_of(tx):bucket("b")
        assert.equal(tx, b:tx())
        assert.is_false(b:is_writable())
      end)
    end)

    it("is listed in the order of names, with what happens meanwhile (Bolt 41, 84)", function()
      db:update(function(tx)
        local up = parent_of(tx):ensure_bucket("list")
        for _, name in ipairs{ "b", "d", "a", "c" } do up:create_bucket(name) end
        up:put("bb", "a key")
        local names = {}
        for name, b in up:buckets() do
          names[#names + 1] = name
          assert.equal(name, b:name())
          if name == "b" then
            up:delete_bucket("b")
            up:delete_bucket("c")
            up:create_bucket("e")
          end
        end
        assert.same({ "a", "b", "d", "e" }, names)
        assert.same({ "a", "d", "e" }, fresh.keys(up:buckets()))
      end)
    end)

    it("with integer keys has no buckets in it", function()
      db:update(function(tx)
        local up = parent_of(tx)
        local b = up:create_bucket("b", { keys = "integer" })
        for _, tree in ipairs{ true, false } do
          raises("incompatible", b.create_bucket, b, "n", { tree = tree })
          raises("incompatible", b.ensure_bucket, b, "n", { tree = tree })
        end
        assert.is_nil(b:bucket("n"))
        assert.same({}, fresh.keys(b:buckets()))
        b:put(1, "v")
        raises("bucket_not_found", b.delete_bucket, b, "n")
      end)
    end)

    it("keeps its kind of keys; ensure_bucket refuses another", function()
      db:update(function(tx)
        parent_of(tx):create_bucket("i", { keys = "integer" }):put(7, "v")
        parent_of(tx):create_bucket("s"):put("7", "v")
      end)
      db:update(function(tx)
        local up = parent_of(tx)
        raises("incompatible", up.ensure_bucket, up, "s", { keys = "integer" })
        assert.equal("v", up:ensure_bucket("i"):get(7))
        assert.equal("v", up:ensure_bucket("i", { keys = "integer" }):get(7))
        assert.equal("v", up:ensure_bucket("s", { keys = "string" }):get("7"))
      end)
    end)

    it("names an unknown option", function()
      db:update(function(tx)
        local up = parent_of(tx)
        for text, options in pairs{
          ["unknown option 'key'"] = { key = "integer" },
          ["option 'keys' is string or integer, not 'number'"] = { keys = "number" },
          ["option 'tree' must be a boolean"] = { tree = 1 },
        } do
          for _, method in ipairs{ "create_bucket", "ensure_bucket" } do
            local ok, message = pcall(up[method], up, "b", options)
            assert.is_false(ok)
            assert.matches(text, message, 1, true)
          end
        end
        assert.is_nil(up:bucket("b"))
      end)
    end)
  end)
end

describe("nested buckets", function()
  local db, path
  before_each(function() db, path = fresh.open() end)
  after_each(fresh.clean)

  it("and keys share one namespace, and refuse each other (Bolt 32-35, 52, 59, 60)", function()
    db:update(function(tx)
      for _, tree in ipairs{ true, false } do
        local b = tx:ensure_bucket("b" .. tostring(tree), { tree = tree })
        b:put("key", "v")
        local n = b:create_bucket("bucket", { tree = tree })
        n:put("k", "v")
        assert.is_nil(b:bucket("key"))
        assert.is_nil(b:get("bucket"))
        raises("incompatible", b.create_bucket, b, "key")
        raises("incompatible", b.ensure_bucket, b, "key")
        raises("incompatible", b.delete_bucket, b, "key")
        raises("incompatible", b.put, b, "bucket", "v")
        raises("incompatible", b.delete, b, "bucket")
        raises("incompatible", b.delete_range, b)
        raises("incompatible", b.delete_range, b, "bucket", "bucket")
        assert.equal(0, b:delete_range("bucket\0", "k"))
        assert.equal("v", b:get("key")) -- and the transaction is whole
        assert.equal("v", n:get("k"))
      end
    end)
  end)

  it("of one name in different parents are different (Bolt 39)", function()
    db:update(function(tx)
      for _, name in ipairs{ "a", "b" } do
        local top = tx:create_bucket(name)
        top:put("k", name)
        for _, inner in ipairs{ "a", "b" } do top:create_bucket(inner):put("k", name .. inner) end
      end
    end)
    db:view(function(tx)
      for _, name in ipairs{ "a", "b" } do
        local top = tx:bucket(name)
        assert.equal(name, top:get("k"))
        for _, inner in ipairs{ "a", "b" } do
          assert.equal(name .. inner, top:bucket(inner):get("k"))
        end
      end
    end)
  end)

  it("survive 10,000 sibling keys and a reopening (Bolt 40)", function()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      b:create_bucket("05000x"):create_bucket("deep"):put("k", "v")
      for i = 1, 10000 do b:put(("%05d"):format(i), ("%05d"):format(i)) end
    end)
    db:close()
    db = fresh.open(path)
    db:view(function(tx)
      local b = tx:bucket("b")
      assert.equal("v", b:bucket("05000x"):bucket("deep"):get("k"))
      local count, buckets = 0, 0
      for k, v in b:each() do
        if v then assert.equal(k, v) else buckets = buckets + 1 end
        count = count + 1
      end
      assert.same({ 10001, 1 }, { count, buckets })
    end)
  end)

  it("give all their pages back when deleted (Bolt 38, 65)", function()
    local function size()
      local f <close> = assert(io.open(path, "rb"))
      return f:seek("end")
    end
    local size_first
    for round = 1, 12 do
      db:update(function(tx)
        local b = tx:create_bucket("b")
        for i = 1, 20 do
          local n = b:create_bucket("n" .. i, { tree = i % 2 == 0 })
          for j = 1, 100 do n:put(("%03d"):format(j), ("v"):rep(100)) end
          n:put("large", ("v"):rep(20000))
        end
      end)
      db:update(function(tx) tx:delete_bucket("b") end)
      db:close()
      db = fresh.open(path)
      if round == 3 then size_first = size() end
    end
    assert.is_true(size() <= size_first * 1.2, size_first .. " -> " .. size())
  end)

  it("never mix with the siblings whose prefixes are next to theirs", function()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      local handles = {}
      for i = 1, 300 do -- ids past 255: the next prefix differs in two bytes
        handles[i] = b:create_bucket(("%03d"):format(i))
        handles[i]:put("\255\255", "last" .. i)
        handles[i]:put("\0", "first" .. i)
      end
      for i = 1, 300 do
        assert.same({ { "\0", "first" .. i }, { "\255\255", "last" .. i } },
          fresh.gather(handles[i]:each()))
        if i % 2 == 0 then b:delete_bucket(("%03d"):format(i)) end
      end
      for i = 1, 299, 2 do
        assert.same({ { "\255\255", "last" .. i }, { "\0", "first" .. i } },
          fresh.gather(handles[i]:each{ reverse = true }))
      end
    end)
  end)
end)

describe("trees_max", function()
  after_each(fresh.clean)

  it("bounds the trees: trees_full, with the remedy, and the transaction goes on", function()
    local db = fresh.open(nil, { trees_max = 3 })
    db:update(function(tx)
      for i = 1, 3 do tx:create_bucket("b" .. i) end
      local message = raises("trees_full", tx.create_bucket, tx, "b4")
      assert.matches("trees_max", message)
      assert.matches("{tree=false}", message, 1, true)
      local b = tx:bucket("b1")
      raises("trees_full", b.create_bucket, b, "n", { tree = true })
      tx:create_bucket("b4", { tree = false }):put("k", "v")
      b:create_bucket("n"):put("k", "v")
    end)
    db:view(function(tx)
      assert.equal("v", tx:bucket("b4"):get("k"))
      assert.equal("v", tx:bucket("b1"):bucket("n"):get("k"))
    end)
  end)

  it("counts no tree that was rolled back", function()
    local db = fresh.open(nil, { trees_max = 3 })
    for _ = 1, 10 do
      local tx = db:begin("write")
      for i = 1, 3 do tx:create_bucket("b" .. i) end
      pcall(tx.savepoint, tx, function() tx:delete_bucket("b1") error() end)
      tx:rollback()
    end
    db:update(function(tx)
      for _ = 1, 10 do
        pcall(tx.savepoint, tx, function()
          for i = 1, 3 do tx:create_bucket("b" .. i) end
          error()
        end)
      end
      for i = 1, 3 do tx:create_bucket("b" .. i) end
    end)
  end)

  it("counts no tree that was deleted while nobody reads it", function()
    local db = fresh.open(nil, { trees_max = 3 })
    for i = 1, 20 do
      db:update(function(tx) tx:create_bucket("b" .. i):put("k", "v") end)
      db:update(function(tx) tx:delete_bucket("b" .. i) end)
    end
  end)
end)
