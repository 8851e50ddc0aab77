local fresh = require "spec.support.fresh"
local kinds = require "spec.support.kinds"
local store = require "jangada.store"

local raises = fresh.raises

local LAYOUT <const> = "time:I8 sum:T kind:I1? :C text:*"

local function hex(s)
  return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- The values in what pack_records returns.
local function split(packed)
  local values, at = {}, 1
  while at <= #packed do values[#values + 1], at = string.unpack(">s4", packed, at) end
  return values
end

local function pack_one(layout, key, fields)
  return split(store.pack_records(layout, key, { fields }))[1]
end

local function row(time, text, kind) return { time = time, text = text, kind = kind } end

describe("store.pack_records", function()
  it("writes fields, sums and checksums, and the rest as it is", function()
    local packed, total = store.pack_records(LAYOUT, 7, { row(3, "hello", 1), row(4, "") }, 100)
    local values = split(packed)
    assert.equal("0000000000000003" .. "0000000000000069" .. "01" .. "5db9ee9b" .. "68656c6c6f",
      hex(values[1]))
    assert.equal("0000000000000004" .. "0000000000000069" .. "00", hex(values[2]:sub(1, 17)))
    assert.same({ 2, 21, 105 }, { #values, #values[2], total })
  end)

  it("checks key, header and rest with the standard CRC-32C", function()
    local value = pack_one(LAYOUT, 7, row(3, "hello", 1))
    local covered = string.pack(">I8I8I8B", 7, 3, 5, 1) .. "hello"
    assert.equal(store.crc32c(covered), (string.unpack(">I4", value, 18)))
  end)

  it("writes integers of 1 to 8 bytes, and nothing that does not fit", function()
    for width = 1, 8 do
      local layout, max = ("n:I%d text:*"):format(width), width == 8 and math.maxinteger
        or (1 << 8 * width) - 1
      local value = pack_one(layout, 0, { n = max, text = "" })
      assert.equal(width, #value)
      assert.same({ max, "" }, { store.unpack_record(layout, 0, value) })
      for _, bad in ipairs{ max + 1, -1, 1.5, 1.0, "1" } do
        assert.same({ n = 3, nil, 1, "n" },
          table.pack(store.pack_records(layout, 0, { { n = bad, text = "" } })))
      end
    end
  end)

  it("tells which row is not as it should be, and which key of it", function()
    local function fault(...)
      local packed, i, key = store.pack_records(LAYOUT, 1, { row(1, "a"), ... })
      assert.is_nil(packed)
      return { i, key }
    end
    assert.same({ 2, "time" }, fault(row(nil, "a")))
    assert.same({ 2, "text" }, fault(row(1, nil)))
    assert.same({ 2, "text" }, fault(row(1, 7)))
    assert.same({ 2, "kind" }, fault(row(1, "a", 256)))
    assert.same({ 3, "tiem" }, fault(row(1, "a"), { time = 1, text = "a", tiem = 2 }))
    assert.same({ 2, 1 }, fault{ time = 1, text = "a", kind = 2, "x" })
    assert.same({ 2, "sum" }, fault{ time = 1, text = "a", sum = 2 })
    assert.same({ 2 }, fault(7))
    assert.same({ 2 }, fault(setmetatable(row(1, "a"), {})))
  end)

  it("refuses a row whose field of a plus falls below the one before", function()
    local layout = "time:I8+ n:I2+ text:*"
    local function fault(...)
      local rows = {}
      for i, numbers in ipairs{ ... } do
        rows[i] = { time = numbers[1], n = numbers[2], text = "" }
      end
      local packed, i, key = store.pack_records(layout, 1, rows)
      return packed and #split(packed) or { i, key }
    end
    assert.equal(4, fault({ 3, 0 }, { 3, 0 }, { 4, 7 }, { 9, 7 }))
    assert.same({ 3, "time" }, fault({ 3, 0 }, { 3, 0 }, { 2, 0 }))
    assert.same({ 3, "n" }, fault({ 3, 1 }, { 3, 2 }, { 9, 1 }, { 1, 1 }))
    assert.same({ 2, "n" }, fault({ 3, 1 }, { 3, nil }))
  end)

  it("takes no rows, too", function()
    assert.same({ "", 9 }, { store.pack_records(LAYOUT, math.maxinteger, {}, 9) })
  end)

  it("ends at the last key, the largest total and the largest value", function()
    local two = { row(1, ""), row(1, "") }
    raises("key_out_of_range", store.pack_records, LAYOUT, math.maxinteger, two)
    assert.equal(1, #split(store.pack_records(LAYOUT, math.maxinteger, { row(1, "") })))
    assert.error_matches(function()
      store.pack_records(LAYOUT, 1, { row(1, "xx") }, math.maxinteger - 1)
    end, "the total passes 2%^63%-1")
  end)

  it("packs rows of very different sizes, and of the same names written differently", function()
    local rows, expected = {}, {}
    for i = 1, 300 do
      local text = ("%d "):format(i):rep(i % 7 == 0 and 2000 or i % 5)
      rows[i] = { ["ti" .. (i % 2 == 0 and "me" or "m" .. "e")] = i, text = text, kind = i % 3 }
      expected[i] = { i, i % 3, text }
    end
    local values = split((store.pack_records(LAYOUT, 1, rows)))
    assert.equal(300, #values)
    for i, value in ipairs(values) do
      local time, _, kind, text = store.unpack_record(LAYOUT, i, value)
      assert.same(expected[i], { time, kind, text })
    end
  end)

  it("knows a name from another of its length in each row", function()
    local rows = { row(1, "a"), row(2, "b"), { time = 3, tex1 = "c" } }
    local packed, i, key = store.pack_records(LAYOUT, 1, rows)
    assert.is_nil(packed)
    assert.same({ 3, "text" }, { i, key })
    rows[3] = { time = 3, text = "c", kinb = 1 }
    packed, i, key = store.pack_records(LAYOUT, 1, rows)
    assert.is_nil(packed)
    assert.same({ 3, "kinb" }, { i, key })
  end)

  it("takes a long name, too", function()
    local long = ("n"):rep(60) -- such strings are not one and the same in Lua
    local rows = {}
    for i = 1, 5 do rows[i] = { [("n"):rep(59) .. "n"] = i, text = "x" } end
    local values = split((store.pack_records(long .. ":I2 text:*", 1, rows)))
    for i = 1, 5 do assert.equal(string.pack(">I2", i) .. "x", values[i]) end
  end)

  it("refuses other arguments", function()
    for _, arguments in ipairs{ { 7, 1, {} }, { LAYOUT, "1", {} }, { LAYOUT, -1, {} },
      { LAYOUT, 1.5, {} }, { LAYOUT, 1 }, { LAYOUT, 1, {}, -1 }, { LAYOUT, 1, {}, "x" } } do
      assert.is_false(pcall(store.pack_records, table.unpack(arguments, 1, 4)))
    end
  end)

  it("refuses a layout that is none", function()
    for layout, rule in pairs{
      [""] = "name:kind", a = "name:kind", ["a:I8 b"] = "name:kind", ["a:"] = "kinds are",
      ["a:X b:*"] = "kinds are", ["a:I9 b:*"] = "1 to 8", ["a:I0 b:*"] = "1 to 8",
      ["a:I b:*"] = "1 to 8", ["a:I8"] = "stands last", ["a:* b:I1"] = "stands last",
      ["a:C b:C c:*"] = "two checksums", ["a:I8  b:*"] = "name:kind", ["a:I88 b:*"] = "a space",
      [":I8 b:*"] = "without a name", ["a:I8 :*"] = "without a name",
      ["a:I1 b:I1 c:I1 d:I1 e:I1 f:I1 g:I1 h:I1 i:*"] = "8 fields",
      ["a:* "] = "stands last", ["a:I8 "] = "name:kind", ["a:I8\0 b:*"] = "none of them 0",
      [("a"):rep(126) .. ":*"] = "127 bytes",
    } do
      assert.error_matches(function() store.pack_records(layout, 1, {}) end, rule)
    end
  end)

  it("stands a finalizer that changes the rows", function()
    local rows = {}
    for i = 1, 200 do rows[i] = row(i, ("x"):rep(2000)) end
    local function meddle()
      for i = 1, 200 do
        rows[i].text = nil
        rows[i] = nil
      end
    end
    setmetatable({}, { __gc = meddle })
    collectgarbage("step")
    pcall(store.pack_records, LAYOUT, 1, rows)
    collectgarbage()
  end)
end)

describe("store.unpack_record", function()
  it("finds every flipped bit, a cut at every length, and a wrong key", function()
    local value = pack_one(LAYOUT, 7, row(3, "hello", 1))
    assert.same({ 3, 5, 1, "hello" }, { store.unpack_record(LAYOUT, 7, value) })
    for position = 1, #value do
      for bit = 0, 7 do
        local byte = value:byte(position) ~ (1 << bit)
        local bad = value:sub(1, position - 1) .. string.char(byte) .. value:sub(position + 1)
        local nothing, fault = store.unpack_record(LAYOUT, 7, bad)
        assert.is_nil(nothing)
        assert.matches("is damaged: its CRC%-32C says %x+, its bytes give %x+", fault)
      end
    end
    for length = 0, #value - 1 do
      assert.is_nil((store.unpack_record(LAYOUT, 7, value:sub(1, length))))
    end
    assert.matches("it has 20 bytes, and its header 21",
      (select(2, store.unpack_record(LAYOUT, 7, value:sub(1, 20)))))
    assert.is_nil((store.unpack_record(LAYOUT, 8, value)))
  end)

  it("gives no field without a name, and checks nothing without a checksum", function()
    local value = pack_one(LAYOUT, 7, row(3, "hello", 1))
    assert.same({ 3, 1, "hello" },
      { store.unpack_record("time:I8 :T kind:I1 :C text:*", 7, value) })
    assert.same({ 3, value:sub(9) }, { store.unpack_record("time:I8 text:*", 99, value) })
    assert.same({ value }, { store.unpack_record("all:*", 1, value) })
  end)
end)

for _, kind in ipairs(kinds) do
  local place, parent_of = table.unpack(kind)

  describe("bucket:records in " .. place, function()
    local db
    before_each(function() db = fresh.open() end)
    after_each(fresh.clean)

    -- A bucket with the records 5 to 14, between neighbours; fn is given it.
    local function with(fn)
      return db:update(function(tx)
        local up = parent_of(tx)
        up:ensure_bucket("a", { keys = "integer" }):put(20, "before")
        local b = up:ensure_bucket("b", { keys = "integer" })
        up:ensure_bucket("c", { keys = "integer" }):put(15, "after")
        local rows = {}
        for i = 5, 14 do rows[#rows + 1] = row(i * 10, ("x"):rep(i), i) end
        b:append(5, store.pack_records(LAYOUT, 5, rows))
        return fn(b, tx)
      end)
    end

    it("gives columns", function()
      with(function(b)
        local count, times, sums, kind_of, texts, fault = b:records(LAYOUT, 6, 8)
        assert.same({ 3, { 60, 70, 80 }, { 11, 18, 26 }, { 6, 7, 8 },
          { "xxxxxx", "xxxxxxx", "xxxxxxxx" } }, { count, times, sums, kind_of, texts })
        assert.is_nil(fault)
      end)
    end)

    it("gives only columns with names", function()
      with(function(b)
        local results = table.pack(b:records("time:I8 :T kind:I1 :C text:*", 5, 5))
        assert.same({ n = 5, 1, { 50 }, { 5 }, { "xxxxx" } }, results)
      end)
    end)

    it("stops before it would pass so many bytes of rest, but gives one", function()
      with(function(b)
        local function count(...) return (b:records(LAYOUT, ...)) end
        assert.equal(10, count(5, 14))
        assert.equal(2, count(5, 14, 11))
        assert.equal(1, count(5, 14, 10))
        assert.equal(1, count(5, 14, 0))
        assert.equal(0, count(6, 5))
        assert.equal(0, count(math.maxinteger, 0))
      end)
    end)

    it("tells what is missing, and where", function()
      with(function(b)
        local function ends(...)
          local results = table.pack(b:records(LAYOUT, ...))
          return { results[1], results[6] }
        end
        assert.same({ 0, "is missing" }, ends(4, 14))
        assert.same({ 2, "is missing" }, ends(13, 20))
        assert.same({ 0, "is missing" }, ends(15, math.maxinteger))
        b:delete(8)
        assert.same({ 3, "is missing" }, ends(5, 14))
        assert.same({ 3 }, ends(5, 7))
      end)
    end)

    it("tells what is damaged, where it is, and not before it is asked for", function()
      with(function(b)
        b:put(8, b:get(9))
        b:put(10, "short")
        local count, _, _, _, _, fault = b:records(LAYOUT, 5, 14)
        assert.equal(3, count)
        assert.matches("^is damaged: its CRC", fault)
        count, _, _, _, _, fault = b:records(LAYOUT, 9, 14)
        assert.equal(1, count)
        assert.matches("^is damaged: it has 5 bytes", fault)
        assert.is_nil((select(6, b:records(LAYOUT, 5, 14, 18))))
      end)
    end)

    it("refuses other buckets, keys and layouts", function()
      with(function(b, tx)
        local strings = parent_of(tx):ensure_bucket("s")
        assert.is_false(pcall(strings.records, strings, LAYOUT, 1, 2))
        raises("key_out_of_range", b.records, b, LAYOUT, -1, 2)
        for _, arguments in ipairs{ { "x", 1, 2 }, { LAYOUT, "1", 2 }, { LAYOUT, 1 },
          { LAYOUT, 1, 2, -1 } } do
          assert.is_false(pcall(b.records, b, table.unpack(arguments, 1, 4)))
        end
      end)
    end)

    it("sees what it is told to in a view, and ends with the transaction", function()
      with(function() end)
      local kept = db:view(function(tx)
        local b = parent_of(tx):bucket("b")
        assert.equal(10, (b:records(LAYOUT, 5, 14)))
        return b
      end)
      raises("tx_closed", kept.records, kept, LAYOUT, 5, 14)
    end)

    it("stands a finalizer that ends the transaction in the middle", function()
      db:update(function(tx)
        local b = parent_of(tx):ensure_bucket("big", { keys = "integer" })
        local rows = {}
        for i = 1, 2000 do rows[i] = row(i, ("x"):rep(1000)) end
        b:append(1, store.pack_records(LAYOUT, 1, rows))
      end)
      for _ = 1, 20 do
        local tx = db:begin("write")
        local b = parent_of(tx):bucket("big")
        do setmetatable({}, { __gc = function() tx:rollback() end }) end
        local ok, failure = pcall(b.records, b, LAYOUT, 1, 2000)
        assert.is_true(ok or failure.code == "tx_closed", tostring(failure))
        collectgarbage()
        pcall(tx.rollback, tx)
      end
    end)
  end)
end
