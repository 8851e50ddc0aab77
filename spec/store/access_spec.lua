local fresh = require "spec.support.fresh"
local kinds = require "spec.support.kinds"

local raises = fresh.raises
local magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27" -- begins the reference records of buckets

for _, kind in ipairs(kinds) do
  local place, parent_of = table.unpack(kind)

  describe("the items of a bucket in " .. place, function()
    local db
    before_each(function()
      db = fresh.open()
      db:update(function(tx)
        parent_of(tx):create_bucket("b")
        parent_of(tx):create_bucket("b2"):put("k", "of another")
      end)
    end)
    after_each(fresh.clean)

    -- Runs fn(bucket, tx) in an update, then, if given, the second in a view.
    local function with(fn, after)
      db:update(function(tx) fn(parent_of(tx):bucket("b"), tx) end)
      if after then db:view(function(tx) after(parent_of(tx):bucket("b"), tx) end) end
    end

    it("are nil while missing (Bolt 52)", function()
      with(function(b)
        b:put("kk", "v")
        for _, key in ipairs{ "", "k", "kkk", "\255", ("k"):rep(503) } do
          assert.is_nil(b:get(key))
        end
      end)
    end)

    it("are read back before and after the commit (Bolt 53, 54)", function()
      with(function(b)
        b:put("k", "1")
        assert.equal("1", b:get("k"))
        b:put("k", ("2"):rep(5000))
        b:put("k", "3")
        assert.equal("3", b:get("k"))
      end, function(b) assert.equal("3", b:get("k")) end)
    end)

    it("may be empty, and are then empty, not nil (Bolt 55)", function()
      with(function(b) b:put("k", "") end, function(b)
        assert.equal("", b:get("k"))
        assert.same({ { "k", "" } }, fresh.gather(b:each()))
      end)
    end)

    it("have keys of 1 to 503 bytes (Bolt 56, 57)", function()
      with(function(b)
        raises("key_required", b.put, b, "", "v")
        raises("key_required", b.delete, b, "")
        raises("key_required", b.append, b, { "" }, { "v" })
        b:put(("k"):rep(503), "v")
        for _, size in ipairs{ 504, 511, 512, 70000 } do
          local key = ("k"):rep(size)
          assert.matches("503", raises("key_too_large", b.put, b, key, "v"))
          raises("key_too_large", b.get, b, key)
          raises("key_too_large", b.delete, b, key)
          raises("key_too_large", b.delete_range, b, key)
          raises("key_too_large", b.delete_range, b, nil, key)
          raises("key_too_large", b.append, b, { key }, { "v" })
          raises("key_too_large", b.each, b, { from = key })
          local c = b:cursor()
          raises("key_too_large", c.seek, c, key)
        end
        assert.equal("v", b:get(("k"):rep(503)))
      end)
    end)

    it("have strings as keys and values: nothing is converted (Bolt 56, trap 22)", function()
      with(function(b)
        for _, wrong in ipairs{ 1, 1.5, true, {}, print, b } do
          for _, method in ipairs{ "get", "put", "delete" } do
            assert.error_matches(function() b[method](b, wrong, "v") end, "string expected")
          end
          assert.error_matches(function() b:put("k", wrong) end, "string expected")
        end
        assert.error_matches(function() b:put(nil, "v") end, "string expected")
        assert.error_matches(function() b:put("k") end, "string expected")
        assert.error_matches(function() b:get() end, "string expected")
        assert.same({}, fresh.gather(b:each()))
      end)
    end)

    it("are of any bytes, in the order of unsigned bytes, shorter first (Bolt 63)", function()
      local keys = { "\0", "\0\0", "\0\1", "\1", "A", "a", "a\0", "a\0b", "aa", "b", "\127", "\128",
        "\254\255", "\255", "\255\0", "\255\255", ("\255"):rep(503) }
      with(function(b)
        for i = #keys, 1, -1 do b:put(keys[i], keys[i] .. "\0\255") end
      end, function(b)
        assert.same(keys, fresh.keys(b:each()))
        for _, key in ipairs(keys) do assert.equal(key .. "\0\255", b:get(key)) end
      end)
    end)

    it("are in that order where words of a machine would order them otherwise", function()
      local keys = {}
      for size = 6, 17 do -- around one word, and two
        for at = 1, size do
          for _, byte in ipairs{ "\0", "\1", "\127", "\128", "\255" } do
            keys[#keys + 1] = ("\127"):rep(at - 1) .. byte .. ("\127"):rep(size - at)
          end
        end
      end
      local is_known, wanted = {}, {}
      with(function(b)
        for _, key in ipairs(keys) do b:put(key, key) end
      end, function(b)
        for _, key in ipairs(keys) do
          assert.equal(key, b:get(key))
          if not is_known[key] then wanted[#wanted + 1] = key end
          is_known[key] = true
        end
        table.sort(wanted, function(k, l) -- not by `<`, which asks the locale
          local i = 1
          while k:byte(i) and k:byte(i) == l:byte(i) do i = i + 1 end
          return (k:byte(i) or -1) < (l:byte(i) or -1)
        end)
        assert.same(wanted, fresh.keys(b:each()))
      end)
      assert.is_true(db:check())
    end)

    it("are large or small (Bolt 64)", function()
      local sizes = { 1, 100, 1000, 2000, 2030, 2040, 2050, 4000, 4080, 4096, 8192, 65536, 1 << 20 }
      with(function(b)
        for _, size in ipairs(sizes) do b:put(("%07d"):format(size), ("v"):rep(size)) end
      end, function(b)
        local count = 0
        for k, v in b:each() do
          assert.equal(tonumber(k), #v)
          assert.equal(("v"):rep(#v), v)
          count = count + 1
        end
        assert.equal(#sizes, count)
      end)
    end)

    it("may begin as a bucket's record does: they are still values", function()
      local values = { magic, magic .. "P", magic .. "L", magic .. "L" .. magic,
        magic .. "T" .. ("\0"):rep(17), magic .. "P" .. ("\0"):rep(17), magic:sub(1, 15),
        magic .. ("x"):rep(10000) }
      with(function(b)
        for i, value in ipairs(values) do b:put(tostring(i), value) end
        b:create_bucket("nested") -- from now on every put looks for buckets
        for i, value in ipairs(values) do
          assert.equal(value, b:get(tostring(i)))
          b:put(tostring(i), value)
          b:put("x" .. i, value)
        end
        b:append({ "z" }, { values[5] })
      end, function(b)
        for i, value in ipairs(values) do
          assert.equal(value, b:get(tostring(i)))
          assert.equal(value, b:get("x" .. i))
          assert.is_nil(b:bucket("x" .. i))
        end
        local c = b:cursor()
        assert.same({ "z", values[5] }, { c:last() })
      end)
    end)

    it("are deleted one by one; delete tells whether there was one (Bolt 60)", function()
      with(function(b)
        b:put("k", "v")
        b:create_bucket("nested"):put("k", "v")
        assert.is_false(b:delete("missing"))
        assert.is_true(b:delete("k"))
        assert.is_false(b:delete("k"))
        assert.is_nil(b:get("k"))
        raises("incompatible", b.delete, b, "nested")
        b:put("after", "v") -- the transaction is whole
      end, function(b, tx)
        assert.same({ { "after", "v" }, { "nested", false } }, fresh.gather(b:each()))
        assert.equal("v", b:bucket("nested"):get("k"))
        assert.equal("of another", parent_of(tx):bucket("b2"):get("k"))
      end)
    end)

    it("half of them deleted leave exactly the other half (Bolt 64)", function()
      local n = 4000
      with(function(b)
        for i = 1, n do b:put(("%06d"):format(i * 7919 % n), "v" .. i) end
      end)
      with(function(b)
        for i = 0, n - 1, 2 do assert.is_true(b:delete(("%06d"):format(i))) end
      end, function(b)
        local keys = fresh.keys(b:each())
        assert.equal(n // 2, #keys)
        for i, key in ipairs(keys) do assert.equal(("%06d"):format(2 * i - 1), key) end
      end)
    end)

    it("are deleted by ranges, both ends inclusive, nil leaving one open", function()
      local all = "bcdefgh"
      local cases = { -- from, to, what is left
        { nil, nil, "" }, { "d", "f", "bcgh" }, { "d", nil, "bc" }, { nil, "d", "efgh" },
        { "cc", "e\0", "bcfgh" }, { "d", "d", "bcefgh" }, { "dd", "de", all }, { "f", "d", all },
        { "", "c", "defgh" }, { nil, "", all }, { "", "", all }, { "i", nil, all },
        { nil, "a", all },
        { "h", "\255", "bcdefg" }, { ("\255"):rep(503), nil, all },
      }
      for _, case in ipairs(cases) do
        local from, to, left = table.unpack(case, 1, 3)
        with(function(b)
          for key in all:gmatch(".") do b:put(key, "v") end
          assert.equal(#all - #left, b:delete_range(from, to))
        end, function(b, tx)
          assert.equal(left, table.concat(fresh.keys(b:each())))
          assert.equal("of another", parent_of(tx):bucket("b2"):get("k"))
        end)
      end
    end)

    it("stay valid as Lua strings for ever (Bolt 62 D)", function()
      local value, key
      with(function(b)
        b:put("key", ("v"):rep(9000))
        key, value = b:cursor():first()
        b:put("key", ("w"):rep(9000))
      end)
      db:close()
      assert.equal(("v"):rep(9000), value)
      assert.equal("key", key)
    end)
  end)

  describe("integer keys of a bucket in " .. place, function()
    local db
    before_each(function() db = fresh.open() end)
    after_each(fresh.clean)

    it("are 0 to 2^63-1, in their order", function()
      local keys = { 0, 1, 255, 256, 65536, 1 << 32, 1 << 53, (1 << 53) + 1, math.maxinteger }
      db:update(function(tx)
        local b = parent_of(tx):create_bucket("b", { keys = "integer" })
        for i = #keys, 1, -1 do b:put(keys[i], tostring(keys[i])) end
        b:put(2.0, magic .. "P") -- a float that is an integer; values are never looked into
        for _, wrong in ipairs{ -1, math.mininteger } do
          raises("key_out_of_range", b.put, b, wrong, "v")
          raises("key_out_of_range", b.get, b, wrong)
          raises("key_out_of_range", b.delete, b, wrong)
        end
        for _, wrong in ipairs{ "1", "", 1.5, 2 ^ 63, 0 / 0, 1 / 0, true, {} } do
          assert.is_false(pcall(b.put, b, wrong, "v"))
          assert.is_false(pcall(b.get, b, wrong))
        end
      end)
      db:view(function(tx)
        local b = parent_of(tx):bucket("b")
        assert.equal(magic .. "P", b:get(2))
        local seen = fresh.keys(b:each())
        table.insert(keys, 3, 2)
        assert.same(keys, seen)
        for _, key in ipairs(seen) do assert.equal("integer", math.type(key)) end
        for _, key in ipairs(keys) do
          if key ~= 2 then assert.equal(tostring(key), b:get(key)) end
        end
      end)
    end)

    it("are stored as eight bytes, big-endian", function()
      db:update(function(tx)
        local b = parent_of(tx):create_bucket("b", { keys = "integer" })
        for i = 1, 300 do b:put(i, "v") end
        assert.equal(256, b:delete_range(1, 256))
        assert.is_true(b:delete(257))
        assert.is_false(b:delete(257))
        assert.same({ 258, "v" }, { b:cursor():first() })
      end)
    end)
  end)
end

describe("values", function()
  after_each(fresh.clean)

  -- One concatenation of many parts: string.rep would need its memory twice.
  local function large_string(size)
    local parts = 150 -- Lua compiles no more than 200
    local concatenate = load("local part, rest = ... return rest" .. ("..part"):rep(parts))
    return concatenate(("x"):rep(size // parts), ("x"):rep(size % parts))
  end

  it("have a limit below 2 GiB, and raise value_too_large past it #slow (Bolt 58 D, trap 24)",
    function()
      local db = fresh.open()
      local value = large_string(0x7ffff000 - 65536 + 1)
      db:update(function(tx)
        local b = tx:create_bucket("b")
        raises("value_too_large", b.put, b, "k", value)
        raises("value_too_large", b.append, b, { "k" }, { value })
        assert.equal(0x7ffff000 - 65536 + 1, #value)
        assert.is_nil(b:get("k"))
      end)
    end)
end)
