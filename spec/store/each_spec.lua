local fresh = require "spec.support.fresh"
local kinds = require "spec.support.kinds"

local raises = fresh.raises

for _, kind in ipairs(kinds) do
  local place, parent_of = table.unpack(kind)

  describe("bucket:each in " .. place, function()
    local db, tx, b
    before_each(function()
      db = fresh.open()
      tx = db:begin("write")
      local up = parent_of(tx)
      up:create_bucket("a"):put("\255", "a neighbour")
      b = up:create_bucket("b")
      up:create_bucket("c"):put("\0", "a neighbour")
    end)
    after_each(function()
      tx, b = nil, nil
      fresh.clean()
    end)

    local function fill(keys)
      for key in keys:gmatch(".") do b:put(key, key:upper()) end
    end

    local function keys_of(options)
      return table.concat(fresh.keys(b:each(options)))
    end

    it("gives keys and buckets in order, a bucket with nil (Bolt 84)", function()
      assert.same({}, fresh.gather(b:each()))
      fill "ca"
      b:create_bucket("b"):put("k", "v")
      assert.same({ { "a", "A" }, { "b", false }, { "c", "C" } }, fresh.gather(b:each()))
      assert.same({ { "c", "C" }, { "b", false }, { "a", "A" } },
        fresh.gather(b:each{ reverse = true }))
    end)

    it("keeps from <= key <= to, also in reverse", function()
      fill "bdfh"
      for _, case in ipairs{
        { nil, nil, "bdfh" }, { "d", nil, "dfh" }, { nil, "f", "bdf" }, { "d", "f", "df" },
        { "c", "g", "df" }, { "d", "d", "d" }, { "e", "e", "" }, { "f", "d", "" },
        { "", nil, "bdfh" }, { nil, "", "" }, { "i", nil, "" }, { nil, "a", "" },
        { "d\0", "h", "fh" }, { nil, "\255", "bdfh" }, { "\255", nil, "" },
      } do
        local from, to, expected = table.unpack(case, 1, 3)
        assert.equal(expected, keys_of{ from = from, to = to })
        assert.equal(expected:reverse(), keys_of{ from = from, to = to, reverse = true })
      end
    end)

    it("gives all of every combination of bounds that a plain filter would", function()
      local keys = { "\0", "a", "a\0", "ab", "a\255", "a\255\255", "b", "\254", "\255", "\255\0",
        "\255\255", "\255\255\255" }
      for i = #keys, 1, -1 do b:put(keys[i], "v") end
      local bounds = { false, "", "a", "a\255", "aa", "b\0", "\255", "\255\255", ("\255"):rep(503) }
      for _, from in ipairs(bounds) do
        for _, to in ipairs(bounds) do
          for _, prefix in ipairs(bounds) do
            local expected = {}
            for _, key in ipairs(keys) do
              if (not from or key >= from) and (not to or key <= to)
                and (not prefix or key:sub(1, #prefix) == prefix) then
                expected[#expected + 1] = key
              end
            end
            local options = { from = from or nil, to = to or nil, prefix = prefix or nil }
            assert.same(expected, fresh.keys(b:each(options)))
            for i = 1, #expected // 2 do
              expected[i], expected[#expected + 1 - i] = expected[#expected + 1 - i], expected[i]
            end
            options.reverse = true
            assert.same(expected, fresh.keys(b:each(options)))
          end
        end
      end
    end)

    it("stops after limit items", function()
      fill "abcd"
      for limit, expected in pairs{ [0] = "", [1] = "a", [3] = "abc", [9] = "abcd" } do
        assert.equal(expected, keys_of{ limit = limit })
      end
      assert.equal("dc", keys_of{ limit = 2, reverse = true })
      assert.equal("bc", keys_of{ limit = 2, from = "b" })
      assert.equal("c", keys_of{ limit = 1, prefix = "c" })
    end)

    it("skips nothing when what it stands on is deleted, and sees keys put ahead "
      .. "(Bolt 85 D)", function()
      for _, reverse in ipairs{ false, true } do
        for i = 1, 400 do b:put(("%04d"):format(2 * i), "v") end
        local seen = {}
        for key in b:each{ reverse = reverse } do
          seen[#seen + 1] = tonumber(key)
          b:delete(key)
          if tonumber(key) % 100 == 0 then -- one ahead, one behind
            b:put(("%04d"):format(key + (reverse and -1 or 1)), "new")
            b:put(("%04d"):format(key + (reverse and 3 or -3)), "behind")
          end
        end
        assert.equal(408, #seen)
        if not reverse then
          for i = 2, #seen do assert.is_true(seen[i - 1] < seen[i]) end
        end
        assert.equal(8, #fresh.keys(b:each()))
        b:delete_range()
      end
    end)

    it("goes on over its own deletes in bulk, and over a savepoint undone", function()
      for i = 1, 1000 do b:put(("%04d"):format(i), "v") end
      local seen = {}
      for key in b:each() do
        seen[#seen + 1] = key
        if key == "0100" then b:delete_range("0050", "0900") end
        if key == "0950" then
          pcall(tx.savepoint, tx, function() b:delete_range() error() end)
        end
      end
      assert.same({ 200, "0100", "0901", "1000" }, { #seen, seen[100], seen[101], seen[200] })
    end)

    it("ends by itself, by break and by an error, and is closed then (trap 30)", function()
      fill "abc"
      local step, state, first, closing = b:each()
      assert.is_nil(first)
      assert.equal(state, closing)
      while step(state) do end
      raises("cursor_closed", step, state)
      local held
      local function each()
        local s, c, f, k = b:each()
        held = c
        return s, c, f, k
      end
      for _ in each() do break end -- luacheck: ignore
      raises("cursor_closed", held.first, held)
      pcall(function() for _ in each() do error("x") end end)
      raises("cursor_closed", held.first, held)
    end)

    it("may be nested", function()
      fill "ab"
      local pairs_seen = {}
      for x in b:each() do
        for y in b:each{ reverse = true } do pairs_seen[#pairs_seen + 1] = x .. y end
      end
      assert.same({ "ab", "aa", "bb", "ba" }, pairs_seen)
    end)

    it("names an unknown option, and one of a wrong type", function()
      for text, options in pairs{
        ["unknown option 'form'"] = { form = "a" },
        ["option 'limit' must be a number"] = { limit = "1" },
        ["option 'limit' must be an integer from 0"] = { limit = -1 },
        ["option 'reverse' must be a boolean"] = { reverse = 1 },
        ["option 'from' must be a string"] = { from = 1 },
        ["option 'prefix' must be a string, not a boolean"] = { prefix = true },
      } do
        local ok, message = pcall(b.each, b, options)
        assert.is_false(ok)
        assert.matches(text, message, 1, true)
      end
      assert.error_matches(function() b:each("a") end, "table expected")
    end)

    it("reads its options at once, without running code of theirs", function()
      fill "abc"
      local options = setmetatable({ from = "b" }, { __index = function() error("run") end })
      local seen = {}
      for key in b:each(options) do
        seen[#seen + 1] = key
        options.from, options.reverse = nil, true
      end
      assert.same({ "b", "c" }, seen)
    end)
  end)
end

describe("bucket:each of integer keys", function()
  after_each(fresh.clean)

  it("takes integer bounds, and no prefix", function()
    local db = fresh.open()
    db:update(function(tx)
      for _, tree in ipairs{ true, false } do
        local b = tx:create_bucket(tree and "t" or "p", { keys = "integer", tree = tree })
        for i = 0, 600 do b:put(i, tostring(i)) end
        b:put(math.maxinteger, "last")
        assert.same({ 255, 256, 257 }, fresh.keys(b:each{ from = 255, to = 257 }))
        assert.same({ 257, 256, 255 }, fresh.keys(b:each{ from = 255, to = 257, reverse = true }))
        assert.same({ 600, math.maxinteger }, fresh.keys(b:each{ from = 600 }))
        assert.same({ math.maxinteger, 600 }, fresh.keys(b:each{ reverse = true, limit = 2 }))
        assert.same({ 0 }, fresh.keys(b:each{ to = 0 }))
        assert.same({}, fresh.keys(b:each{ from = 3, to = 2 }))
        raises("key_out_of_range", b.each, b, { from = -1 })
        assert.error_matches(function() b:each{ prefix = 1 } end, "integer keys have no prefix")
        assert.error_matches(function() b:each{ from = "1" } end, "option 'from' must be a number")
      end
    end)
  end)
end)
