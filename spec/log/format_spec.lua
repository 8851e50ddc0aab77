local errors = require "jangada.errors"
local format = require "jangada.log.format"

local function hex(s)
  return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function code_of(fn, ...)
  local ok, failure = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_true(errors.is(failure), tostring(failure))
  return failure.code, failure.message
end

describe("the entry format", function()
  it("has golden bytes: term, position, type, CRC32C, then the data as it is", function()
    assert.equal("0000000000000003" .. "0000000000000069" .. "01" .. "5db9ee9b" .. "68656c6c6f",
      hex(format.encode(7, 3, 1, "hello", 105)))
    assert.equal("0000000000000001" .. "0000000000000000" .. "00" .. "d98ec60e",
      hex(format.encode(1, 1, 0, "")))
  end)

  it("covers index, term, position, type and data with the standard CRC32C", function()
    local store = require "jangada.store"
    assert.equal(0xe3069283, store.crc32c("123456789"))
    local covered = string.pack(">I8I8I8B", 7, 3, 105, 1) .. "hello"
    assert.equal(store.crc32c(covered),
      (string.unpack(">I4", format.encode(7, 3, 1, "hello", 105), 18)))
  end)

  it("gives back what it was given", function()
    for _, entry in ipairs{
      { 1, 1, 0, "", 0 }, { 1 << 53, 1 << 40, 255, "\0\n\255", 3 },
      { math.maxinteger, math.maxinteger, 128, ("x"):rep(100000), math.maxinteger },
    } do
      local index, term, type, data, position = table.unpack(entry)
      local value = format.encode(index, term, type, data, position)
      assert.equal(format.HEADER_SIZE + #data, #value)
      assert.same({ term, type, data, position }, { format.decode(index, value) })
    end
  end)

  it("finds every flipped bit, a cut at every length, and a wrong index, and names the index",
    function()
      local value = format.encode(7, 3, 1, "hello", 105)
      for position = 1, #value do
        for bit = 0, 7 do
          local byte = value:byte(position) ~ (1 << bit)
          local bad = value:sub(1, position - 1) .. string.char(byte) .. value:sub(position + 1)
          local code, message = code_of(format.decode, 7, bad)
          assert.equal("log_damaged", code)
          assert.matches("entry 7", message)
        end
      end
      for length = 0, #value - 1 do
        assert.equal("log_damaged", (code_of(format.decode, 7, value:sub(1, length))))
      end
      assert.equal("log_damaged", (code_of(format.decode, 8, value)))
    end)
end)

describe("the meta format", function()
  it("has golden bytes", function()
    assert.equal("jangada.log 2", format.VERSION)
    assert.equal("6a616e676164612e6c6f672032" .. "3a3553cd",
      hex(format.seal("format", format.VERSION)))
    assert.equal("0000000000000005" .. "0000000000000009" .. "0000000000000008" .. "026e32",
      hex(format.encode_hard_state(5, "n2", 9, 8)))
    assert.equal("0000000000000005" .. "0000000000000009" .. "0000000000000000" .. "00",
      hex(format.encode_hard_state(5, nil, 9, 0)))
    assert.equal("0000000000000007" .. "0000000000000003" .. "0000000000000400"
      .. "0000000000000002", hex(format.encode_base(7, 3, 1024, 2)))
    assert.equal("0000000000000008" .. "0000000000000003" .. "0000000000000405"
      .. "0000000000000006" .. "0000000000010001" .. "0000000000000002" .. "6d",
      hex(format.encode_snapshot{ index = 8, term = 3, position = 1029, id = 6, size = 65537,
        chunks = 2, info = "m" }))
    assert.equal("72756e2f" .. "0000000000000005", hex(format.run_key(5)))
    assert.equal("0000000000000009", hex(format.encode_run(9)))
    assert.equal("6368756e6b2f" .. "0000000000000006" .. "0000000000000002",
      hex(format.chunk_key(6, 2)))
    assert.equal("stable/key", format.stable_key("key"))
    assert.equal("7365726965732f" .. "046c6f6164" .. "0000000000000003",
      hex(format.sample_key("load", 3)))
    assert.equal("00" .. "0000000000000064" .. "01" .. "3fe0000000000000",
      hex(format.encode_sample(100, 0.5)))
    assert.equal("01" .. "4059400000000000" .. "00" .. "ffffffffffffffff",
      hex(format.encode_sample(101.0, -1)))
  end)

  it("gives back what it was given", function()
    local function there_and_back(...)
      return format.decode_hard_state(format.encode_hard_state(...))
    end
    assert.same({ 5, "n2", 9, 8 }, { there_and_back(5, "n2", 9, 8) })
    local term, vote, commit = there_and_back(6, nil, 0, 0)
    assert.same({ 6, 0 }, { term, commit })
    assert.is_nil(vote)
    assert.same({ 7, 3, 1024, 2 }, { format.decode_base(format.encode_base(7, 3, 1024, 2)) })
    local snapshot = { index = 8, term = 3, position = 1029, id = 6, size = 65537, chunks = 2,
      info = "\0" }
    assert.same(snapshot, format.decode_snapshot(format.encode_snapshot(snapshot)))
    assert.equal(12, format.run_term(format.run_key(12)))
    assert.equal(34, format.decode_run(format.encode_run(34)))
    assert.same({ 6, 2 }, { format.chunk_place(format.chunk_key(6, 2)) })
    assert.same({ "load", 3 }, { format.sample_place(format.sample_key("load", 3)) })
    assert.same({ 101.0, -1 }, { format.decode_sample(format.encode_sample(101.0, -1)) })
    assert.equal("payload", format.unseal("key", format.seal("key", "payload")))
  end)

  it("finds damage of the payload and a record under another key", function()
    local sealed = format.seal("hard", "payload")
    assert.equal("log_damaged", (code_of(format.unseal, "hard", "q" .. sealed:sub(2))))
    assert.equal("log_damaged", (code_of(format.unseal, "herd", sealed)))
    assert.equal("log_damaged", (code_of(format.unseal, "hard", "abc")))
    local _, message = code_of(format.unseal, "hard", "")
    assert.matches("hard", message)
  end)

  it("orders the keys of runs by their terms", function()
    assert.is_true(format.run_key(255) < format.run_key(256))
    assert.is_true(format.run_key(1) < format.run_key(1 << 40))
  end)
end)
