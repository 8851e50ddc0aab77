local json = require "jangada.cli.json"
local lines = require "jangada.cli.lab.lines"

local function text(value)
  return json.encode(lines.of(value))
end

describe("a line of plain data", function()
  it("is the same for the same data", function()
    assert.equal('{"a":1,"b":[1,2,"x"],"c":{"d":true,"e":false}}',
      text{c = {e = false, d = true}, b = {1, 2, "x"}, a = 1})
    assert.equal('{"step":1,"kind":"x","a":null}', lines.row(table.pack("step", 1, "kind", "x",
      "a", nil)))
  end)

  it("tells arrays, objects and all other tables apart", function()
    assert.equal("{}", text{})
    assert.equal("[[1],[false]]", text{{1}, {false}})
    assert.equal('{"pairs":[[2,"b"],[4,"d"]]}', text{[2] = "b", [4] = "d"})
    assert.equal('{"pairs":[[true,1],[1,"a"],["1","b"]]}', text{[1] = "a", ["1"] = "b", [true] = 1})
    assert.equal('{"pairs":[[1,1],[2.5,1],[3,1]]}', text{[1] = 1, [2.5] = 1, [3] = 1})
  end)

  it("keeps numbers and bytes", function()
    assert.equal("[9007199254740993,0.1,1.0,0.30000000000000004]",
      text{9007199254740993, 0.1, 1.0, 0.1 + 0.2})
    assert.equal('["inf","-inf",{"base64":"/w=="}]', text{math.huge, -math.huge, "\xff"})
  end)
end)
