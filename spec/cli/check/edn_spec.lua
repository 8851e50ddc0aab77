local check = require "jangada.check"
local edn = require "jangada.cli.check.edn"

local function value(text)
  return edn.maps("{:value " .. text .. "}")[1].value
end

describe("EDN", function()
  for text, expected in pairs{
    ["nil"] = "none", ["true"] = true, ["false"] = false, ["7"] = 7, ["-12"] = -12, ["+3"] = 3,
    ["0.5"] = 0.5, ["1e3"] = 1000.0, ["7N"] = 7, ["0.5M"] = 0.5, [":ok"] = "ok",
    ["symbol"] = "symbol",
    [":a.b/c"] = "a.b/c", ['"a b"'] = "a b", ['"\\"\\\\\\n\\u00e9"'] = '"\\\né', ['""'] = "",
    ["#inst \"2020\""] = "2020", ["#a.b.Tag 7"] = 7,
  } do
    it(("reads %s"):format(text), function()
      if expected == "none" then expected = nil end
      assert.equal(expected, value(text))
      assert.equal(math.type(expected), math.type(value(text)))
    end)
  end

  it("reads vectors, lists, sets and maps", function()
    assert.same({ 1, { 2, "x" } }, value("[1 [2, :x]]"))
    assert.same({ 1, 2 }, value("(1 2)"))
    assert.same({ 1, 2 }, value("#{1 2}"))
    assert.same({}, value("[]"))
    assert.same({ a = 1, b = { c = 2 } }, value("{:a 1, :b {:c 2} :none nil}"))
    assert.equal(check.null, value("[nil 1]")[1])
  end)

  it("reads maps one after another, and in a vector or a list, with their lines", function()
    for _, frame in ipairs{ "%s", "[%s]", "(%s)", "; first\n[%s] ; last" } do
      local maps = edn.maps(frame:format("{:f :read}\n; comment }\n\n {:f :write\n :value 1} "
        .. "{:f :x}"))
      assert.equal(3, #maps)
      local first = frame:find("\n") and 2 or 1
      assert.same({ f = "read", line = first }, maps[1])
      assert.same({ f = "write", value = 1, line = first + 3 }, maps[2])
      assert.equal(first + 4, maps[3].line)
    end
    assert.same({}, edn.maps(" \n"))
  end)

  for what, case in pairs{
    ["a string that does not end"] = { '{:f "x}', "line 1: a string does not end" },
    ["a map that does not end"] = { "{:f :x}\n{:f :y", "line 2: '}' is missing at the end" },
    ["a vector that does not end"] = { "[{:f :x}\n", "line 2: '%]' is missing at the end" },
    ["a key without a value"] = { "{:f}", "line 1: a map has a key without a value" },
    ["what is no map"] = { "{:f :x}\n:y", "line 2: an event is a map, not y" },
    ["a bracket too many"] = { "{:f :x})", "line 1: '%)' does not belong here" },
    ["a number too large"] = { "{:f 99999999999999999999}", "is no number that can be kept" },
    ["a number that is none"] = { "{:f 12ab}", "12ab is no number" },
    ["an escape that is none"] = { '{:f "\\q"}', "no such escape: \\q" },
    ["a tag of nothing"] = { "{:f #x", "a value is missing at the end" },
    ["what is nested without end"] = { ("{:f ["):rep(1000), "too deep" },
  } do
    it("refuses " .. what, function()
      assert.error_matches(function() edn.maps(case[1]) end, case[2])
    end)
  end

  it("survives any bytes", function()
    local errors = require "jangada.errors"
    math.randomseed(5)
    local pieces = { "{", "}", "[", "]", "(", ")", '"', "\\", ":f", "#", ";", "\n", " ", "1", "nil",
      "x", "\0", "\xff", "\\u00" }
    for _ = 1, 3000 do
      local parts = {}
      for i = 1, math.random(12) do parts[i] = pieces[math.random(#pieces)] end
      local ok, failure = pcall(edn.maps, table.concat(parts))
      assert.is_true(ok or errors.is(failure, "history_invalid"), tostring(failure))
    end
  end)
end)
