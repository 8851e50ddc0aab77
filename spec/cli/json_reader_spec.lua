local cjson = require "cjson"
local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local json_reader = require "jangada.cli.json_reader"

local function decode(text) return json_reader.decode(text, 7) end

describe("reading JSON", function()
  it("gives back what was written, strings of any bytes and integers of 64 bits too", function()
    local all = {}
    for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    for _, value in ipairs{ "", "plain", "é \u{1f600} \u{e000} \u{202e}", '"\\/\b\f\n\r\t\0',
      table.concat(all), "\xff", "\xff\xfe", "\xff\xfe\xfd", "\xed\xa0\x80", 0, -1, math.maxinteger,
      math.mininteger, true, false, { 1, { "x" }, {} }, json.null } do
      assert.same(value, decode(json.encode(value)))
    end
    for _, value in ipairs{ 0.1, 1 / 3, 3.0, -0.0, 1e300, 5e-324, 1 << 60, 2.0 ^ 60 } do
      local read = decode(json.encode(json.exact(value)))
      assert.equal(math.type(value), math.type(read))
      assert.equal(("%a"):format(value), ("%a"):format(read))
    end
    assert.same({ a = 1, b = { c = json.null } },
      decode(json.encode(json.object("a", 1, "b", json.object("c", nil)))))
  end)

  it("reads what others write", function()
    assert.same({ a = { 1, 2.5, "xé" }, ["b c"] = {}, n = -12 },
      decode(' { "a" : [ 1 , 25e-1, "x\\u00e9" ],\n"b c":{ },"n":-12\t} '))
    assert.equal("\u{1f600}\u{e9}", decode('"\\ud83d\\ude00\\u00E9"'))
    assert.equal('/"\\\b\f\n\r\t', decode('"\\/\\"\\\\\\b\\f\\n\\r\\t"'))
    local value = { list = { 1, { "two" } }, text = "naïve \u{1f600}\n", yes = true }
    assert.same(value, decode(cjson.encode(value)))
  end)

  it("refuses what is no JSON, and says where", function()
    for text, message in pairs{
      [""] = "column 1: a number", ["nul"] = "column 1: a value",
      ['"a'] = "column 2: a string does",
      ['"\n"'] = "column 2: a control", ['"\\x"'] = "column 2: no such escape",
      ['"\\u12g4"'] = "four hexadecimal", ['"\\ud83d"'] = "half", ['"\\ude00"'] = "half",
      ['"\\ud83d\\u0041"'] = "half", ["[1 2]"] = "column 4: ',' or ']'", ["[1,]"] = "column 4",
      ["[1"] = "column 3", ['{"a" 1}'] = "column 6: ':'", ["{a:1}"] = "column 2: a name",
      ['{"a":1,}'] = "column 8: a name", ["1 2"] = "column 3: there is something",
      ["99999999999999999999"] = "cannot be kept", ["-"] = "cannot be kept", ["1e"] = "cannot",
      ['{"base64":"?"}'] = "base64", ['{"base64":"abc"}'] = "base64", ["+1"] = "cannot be kept",
      [("["):rep(40)] = "too deep", ["\xff"] = "column 1",
    } do
      local ok, failure = pcall(decode, text)
      assert.is_false(ok, text)
      assert.is_true(errors.is(failure, "input_invalid"), tostring(failure))
      assert.matches(message, failure.message)
      assert.matches("^line 7, ", failure.message)
    end
  end)
end)
