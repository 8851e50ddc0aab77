local fresh = require "spec.support.fresh"
local kinds = require "spec.support.kinds"

local raises = fresh.raises

for _, kind in ipairs(kinds) do
  local place, parent_of = table.unpack(kind)

  describe("bucket:append in " .. place, function()
    local db
    before_each(function() db = fresh.open() end)
    after_each(fresh.clean)

    local function with(options, fn)
      return db:update(function(tx)
        local up = parent_of(tx)
        up:ensure_bucket("a"):put("k", "before") -- neighbours on both sides
        local b = up:ensure_bucket("b", options)
        up:ensure_bucket("c"):put("k", "after")
        fn(b)
        assert.equal("before", up:bucket("a"):get("k"))
        assert.equal("after", up:bucket("c"):get("k"))
      end)
    end

    it("adds keys and values, and tells how many", function()
      with(nil, function(b)
        assert.equal(3, b:append({ "a", "b", "c" }, { "1", "2", "" }))
        assert.equal(1, b:append({ "c\0" }, { "4" }))
        assert.equal(0, b:append({}, {}))
        assert.same({ { "a", "1" }, { "b", "2" }, { "c", "" }, { "c\0", "4" } },
          fresh.gather(b:each()))
      end)
    end)

    it("counts from a first integer key", function()
      with({ keys = "integer" }, function(b)
        assert.equal(3, b:append(5, { "5", "6", "7" }))
        assert.equal(2, b:append({ 9, 300 }, { "9", "300" }))
        assert.equal(1, b:append(math.maxinteger, { "last" }))
        assert.equal(0, b:append(0, {}))
        assert.same({ { 5, "5" }, { 6, "6" }, { 7, "7" }, { 9, "9" }, { 300, "300" },
          { math.maxinteger, "last" } }, fresh.gather(b:each()))
      end)
    end)

    it("takes the values as one string, each behind its size", function()
      with({ keys = "integer" }, function(b)
        local long = ("x"):rep(70000)
        assert.equal(3, b:append(5, string.pack(">s4s4s4", "5", "", long)))
        assert.equal(0, b:append(8, ""))
        assert.equal(2, b:append({ 9, 300 }, string.pack(">s4s4", "9", "300")))
        assert.same({ { 5, "5" }, { 6, "" }, { 7, long }, { 9, "9" }, { 300, "300" } },
          fresh.gather(b:each()))
      end)
    end)

    it("writes nothing when such a string is cut short", function()
      with({ keys = "integer" }, function(b)
        local whole = string.pack(">s4s4", "one", "two")
        for size = 1, #whole - 1 do
          if size ~= 7 then -- there the first value ends
            assert.error_matches(function() b:append(1, whole:sub(1, size)) end,
              ("value %d is cut short"):format(size < 7 and 1 or 2))
          end
        end
        assert.error_matches(function() b:append(1, "\xff\xff\xff\xff") end, "value 1 is cut")
        assert.error_matches(function() b:append({ 1 }, whole) end, "as many values as keys")
        raises("not_ascending", b.append, b, { 2, 1 }, whole)
        raises("key_out_of_range", b.append, b, math.maxinteger, whole)
        assert.same({}, fresh.gather(b:each()))
      end)
    end)

    it("escapes values in such a string as in a table", function()
      with(nil, function(b)
        local magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27"
        b:append({ "a", "b" }, string.pack(">s4s4", magic, magic .. "T"))
        assert.same({ { "a", magic }, { "b", magic .. "T" } }, fresh.gather(b:each()))
      end)
    end)

    it("adds many over many pages", function()
      with({ keys = "integer" }, function(b)
        local values = {}
        for i = 1, 3000 do values[i] = ("%d "):format(i):rep(i % 50 + 1) end
        b:append(1, values)
        b:append(3001, values)
        for i = 1, 6000, 37 do assert.equal(values[(i - 1) % 3000 + 1], b:get(i)) end
        local count = 0
        for k in b:each() do
          count = count + 1
          assert.equal(count, k)
        end
        assert.equal(6000, count)
      end)
    end)

    it("writes nothing when a key is not past the one before it or the last", function()
      with(nil, function(b)
        b:append({ "b" }, { "1" })
        for _, keys in ipairs{ { "a" }, { "b" }, { "c", "c" }, { "c", "e", "d" }, { "", "c" },
          { "c", ("x"):rep(504) } } do
          local values = {}
          for i = 1, #keys do values[i] = "2" end
          assert.is_false(pcall(b.append, b, keys, values))
          assert.same({ { "b", "1" } }, fresh.gather(b:each()))
        end
        raises("not_ascending", b.append, b, { "b" }, { "v" })
        raises("not_ascending", b.append, b, { "c", "c" }, { "v", "v" })
        b:create_bucket("z")
        raises("not_ascending", b.append, b, { "y" }, { "v" }) -- a bucket's name is a key too
        b:append({ "zz" }, { "v" })
      end)
    end)

    it("writes nothing when a value is no string or a key out of range", function()
      with({ keys = "integer" }, function(b)
        b:append(1, { "1" })
        assert.error_matches(function() b:append(2, { "2", 3 }) end, "value 2 is a number")
        assert.error_matches(function() b:append(2, { "2", false }) end, "value 2 is a boolean")
        raises("key_out_of_range", b.append, b, math.maxinteger, { "a", "b" })
        raises("key_out_of_range", b.append, b, -1, { "a" })
        raises("not_ascending", b.append, b, 1, { "a" })
        raises("not_ascending", b.append, b, 0, { "a", "b", "c" })
        assert.same({ { 1, "1" } }, fresh.gather(b:each()))
      end)
    end)

    it("wants as many values as keys, in tables", function()
      with(nil, function(b)
        assert.error_matches(function() b:append({ "a", "b" }, { "1" }) end, "as many values")
        assert.error_matches(function() b:append({ "a" }, { "1", "2" }) end, "as many values")
        assert.error_matches(function() b:append({ "a" }) end, "table expected")
        assert.error_matches(function() b:append("a", { "1" }) end, "table of keys")
        assert.error_matches(function() b:append(1, { "1" }) end, "table of keys")
        assert.error_matches(function() b:append({ 1 }, { "1" }) end, "string expected")
        assert.error_matches(function() b:append() end, "table")
        assert.same({}, fresh.gather(b:each()))
      end)
    end)

    it("reads the tables without running code of theirs", function()
      with(nil, function(b)
        local trap = { __index = function() error("run") end, __len = function() return 3 end }
        assert.equal(1, b:append(setmetatable({ "a" }, trap), setmetatable({ "1" }, trap)))
      end)
    end)

    it("goes on where deletes left the end", function()
      with({ keys = "integer" }, function(b)
        b:append(1, { "1", "2", "3", "4" })
        b:delete_range(3)
        b:append(3, { "three" })
        assert.same({ { 1, "1" }, { 2, "2" }, { 3, "three" } }, fresh.gather(b:each()))
        b:delete_range()
        b:append(1, { "again" })
        assert.same({ { 1, "again" } }, fresh.gather(b:each()))
      end)
    end)
  end)
end
