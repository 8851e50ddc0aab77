local values = require "jangada.check.values"

describe("the text of a value", function()
  for _, case in ipairs{
    { nil, "nil" }, { values.null, "nil" }, { true, "true" }, { false, "false" }, { 7, "7" },
    { -3, "-3" }, { 7.0, "7" }, { 0.5, "0.5" }, { math.mininteger, "-9223372036854775808" },
    { "x", '"x"' }, { "", '""' }, { "7", '"7"' }, { 'a"\\\n\t\0', '"a\\"\\\\\\n\\t\\x00"' },
    { "é\xff", '"é\xff"' }, { {}, "[]" }, { { 1, "a", values.null }, '[1 "a" nil]' },
    { { { 1 }, {} }, "[[1] []]" }, { { b = 1, a = { 2 } }, '{"a" [2], "b" 1}' },
    { { n = 5 }, '{"n" 5}' },
  } do
    it("is " .. case[2], function()
      assert.equal(case[2], values.text(case[1]))
    end)
  end

  it("is the same for equal values only", function()
    local known = {}
    for _, value in ipairs{ 1, "1", true, "true", {}, "[]", { 1 }, { "1" }, { { 1 } }, { a = 1 },
      { 1, 2 }, { 12 }, "nil", { "1 2" }, { "1", "2" }, 0.1, 0.1 + 1e-17, 0.2 } do
      local text = values.text(value)
      assert.is_true(known[text] == nil or known[text] == value, text)
      known[text] = value
    end
    assert.equal(values.text(1), values.text(1.0))
  end)

  it("refuses what no history holds", function()
    local ring = {}
    ring[1] = ring
    assert.error_matches(function() values.text(print) end, "cannot be a function")
    assert.error_matches(function() values.text{ { print } } end, "cannot be a function")
    assert.error_matches(function() values.text(ring) end, "too deep")
  end)
end)

describe("values.is_array", function()
  it("counts", function()
    assert.is_true(values.is_array({ 1, values.null }, 2))
    assert.is_false(values.is_array({ 1 }, 2))
    assert.is_false(values.is_array("ab", 2))
    assert.is_false(values.is_array(values.null, 0))
  end)
end)
