local cjson = require "cjson"
local json = require "jangada.cli.json"

describe("JSON", function()
  it("keeps the order of an object's fields, and a nil is a null", function()
    assert.equal('{"b":1,"a":null,"c":[],"d":{}}',
      json.encode(json.object("b", 1, "a", nil, "c", {}, "d", json.object())))
    assert.equal('{"b":false}', json.encode(json.present("a", nil, "b", false, "c", nil)))
    assert.equal('[1,null,"x"]', json.encode{ 1, json.null, "x" })
  end)

  it("writes integers exactly", function()
    assert.equal("[9223372036854775807,-9223372036854775808,0,0.5]",
      json.encode{ math.maxinteger, math.mininteger, 0, 0.5 })
  end)

  it("writes what UTF-8 is as a string that other programs read back", function()
    for _, text in ipairs{ "", "plain", 'quote " slash / backslash \\', "\0\1\n\r\t\27\127",
      "naïve \u{202e} \u{85} \u{10ffff} \u{1f600} \u{fffe} \u{e000}" } do
      local encoded = json.encode(text)
      assert.equal(text, cjson.decode("[" .. encoded .. "]")[1])
      assert.is_nil(encoded:find("%c"))
      assert.is_nil(encoded:find("\u{202e}", 1, true))
    end
    assert.equal('"é"', json.encode("é"))
  end)

  it("writes all other bytes as an object of base64", function()
    assert.equal('{"base64":"/w=="}', json.encode("\xff"))
    assert.equal('{"base64":"7aCA"}', json.encode("\xed\xa0\x80")) -- a surrogate is no UTF-8
  end)

  it("writes base64 as RFC 4648 does", function()
    local expected = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      fooba = "Zm9vYmE=", foobar = "Zm9vYmFy", ["\xff\xef\xbf"] = "/++/" }
    for bytes, text in pairs(expected) do assert.equal(text, json.base64(bytes)) end
  end)
end)
