local format = require "jangada.cli.db.format"
local fresh = require "spec.support.fresh"

local function random_bytes(n)
  local parts = {}
  for i = 1, n do
    local kind = math.random(6)
    parts[i] = kind == 1 and "\\" or kind == 2 and utf8.char(math.random(0x80, 0xd7ff))
      or kind == 3 and " " or kind == 4 and string.char(math.random(33, 126))
      or string.char(math.random(0, 255))
  end
  return table.concat(parts)
end

local function message_of(...) return fresh.raises("input_invalid", ...) end

describe("a format", function()
  it("reads back what it wrote, whatever the bytes", function()
    local seed = os.time()
    math.randomseed(seed)
    for _, name in ipairs(format.names) do
      local form = format.named(name)
      for _ = 1, 2000 do
        local bytes = random_bytes(math.random(0, 12))
        local text = form.encode(bytes)
        assert.equal(bytes, form.decode(text), ("seed %d, %s: %q"):format(seed, name, bytes))
        if name == "ascii-encoded" then assert.is_nil(text:find("[^ -~]")) end
        if name ~= "bytes" then assert.is_nil(text:find("%c")) end
      end
    end
  end)

  it("leaves printable ASCII alone, but for backslashes and spaces at either end", function()
    local form = format.named("ascii-encoded")
    assert.equal("a b/c#d", form.encode("a b/c#d"))
    assert.equal("a\\\\b", form.encode("a\\b"))
    assert.equal("\\x20a b\\x20", form.encode(" a b "))
    assert.equal("\\x20", form.encode(" "))
    assert.equal("\\x20\\x20", form.encode("  "))
  end)

  it("escapes what would steer a terminal, and bytes that are no character", function()
    local form = format.named("ascii-encoded")
    assert.equal("\\x1b[31m\\n\\r\\t\\x00\\x7f\\xc3\\xa9\\xff",
      form.encode("\27[31m\n\r\t\0\127é\xff"))
  end)

  it("reads the escapes of mdb_dump -p too", function()
    assert.equal("a\nb\xff/", format.named("text").decode("a\\0ab\\ff\\/"))
  end)

  it("says what it cannot read", function()
    local text, hex = format.named("text").decode, format.named("hex").decode
    assert.matches("'\\q' is no escape", message_of(text, "a\\qb"), 1, true)
    assert.matches("'\\' is no escape", message_of(text, "a\\"), 1, true)
    assert.matches("'\\x' is no escape", message_of(text, "\\x4"), 1, true)
    assert.matches("'g' is no hexadecimal digit", message_of(hex, "0g"), 1, true)
    assert.matches("odd number", message_of(hex, "abc"), 1, true)
  end)

  it("reads hexadecimal digits of either case, with white space among them", function()
    assert.equal("\xab\xcd", format.named("hex").decode("aB CD\n"))
  end)

  it("writes an integer key as digits, and reads no other text as one", function()
    local form = format.named("hex")
    assert.equal("255", format.encode_key(form, 255))
    assert.equal(255, format.decode_key(form, "255", true))
    assert.equal(math.maxinteger, format.decode_key(form, "9223372036854775807", true))
    for _, text in ipairs{ "", "x", "-1", "1.0", "0x10", "9223372036854775808", " 1" } do
      message_of(format.decode_key, form, text, true)
    end
  end)
end)

describe("a path of names", function()
  it("reads back what it wrote, slashes in names too", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 2000 do
      local names = {}
      for i = 1, math.random(4) do
        names[i] = random_bytes(math.random(5)) .. (math.random(3) == 1 and "/" or "")
      end
      local path = format.encode_path(names)
      assert.same(names, format.decode_path(path), ("seed %d: %s"):format(seed, path))
    end
    assert.equal("a/b\\/c/\\x00", format.encode_path{ "a", "b/c", "\0" })
  end)

  it("has no empty names", function()
    for _, path in ipairs{ "", "/", "a/", "/a", "a//b" } do
      assert.matches("a name is empty", message_of(format.decode_path, path))
    end
  end)
end)
