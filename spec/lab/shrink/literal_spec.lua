local literal = require "jangada.lab.shrink.literal"

local function again(value)
  return assert(load("return " .. literal.of(value)))()
end

describe("literal.of", function()
  it("writes plain data so that reading it gives it again", function()
    for _, value in ipairs{
      0, -1, math.maxinteger, math.mininteger, 0.1, 1 / 3, 1e300, 2.0, 1 / 0, -1 / 0, "", "a\nb",
      "a]]b\n]=]", "\n\nx", "x]", "x\n]", "\0\r\n\"\\", true, false,
      {}, {1, 2, {3, {a = 4}}}, {["end"] = 1, a = 2, ["b c"] = 3, [7] = 4, [true] = 5},
      {nil, 2, nil, 4}, {x = ("long "):rep(100), y = {("long "):rep(20), ("long "):rep(20)}},
    } do
      local read = again(value)
      assert.same(value, read)
      assert.equal(math.type(value), math.type(read))
    end
    local nan = again(0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("writes the same whatever order the table has", function()
    local one, two = {}, {}
    for i = 1, 50 do one["k" .. i] = i end
    for i = 50, 1, -1 do two["k" .. i] = i end
    assert.equal(literal.of(one), literal.of(two))
  end)
end)

describe("literal.is_plain", function()
  it("knows what can be written", function()
    assert.is_true(literal.is_plain{1, "a", {x = {true}}})
    assert.is_false(literal.is_plain{x = print})
    assert.is_false(literal.is_plain(setmetatable({}, {})))
    assert.is_false(literal.is_plain{[{}] = 1})
    local circle = {}
    circle[1] = circle
    assert.is_false(literal.is_plain(circle))
  end)
end)
