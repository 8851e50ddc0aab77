local labs = require "spec.support.labs"
local order = require "jangada.node.order"

local function keys_of(t)
  local keys = {}
  for key in order.pairs(t) do keys[#keys + 1] = key end
  return keys
end

describe("the order of pairs", function()
  it("is numbers, strings, false, true", function()
    local t = {b = 1, a = 1, [3] = 1, [-1] = 1, [2.5] = 1, [true] = 1, [false] = 1, [""] = 1}
    assert.same({-1, 2.5, 3, "", "a", "b", false, true}, keys_of(t))
  end)

  it("is that of the index in a list", function()
    local list = {}
    for i = 1, 1000 do list[i] = i * i end
    local n = 0
    for i, square in order.pairs(list) do
      n = n + 1
      assert.equal(n, i)
      assert.equal(n * n, square)
    end
    assert.equal(1000, n)
  end)

  it("leaves out what is gone when its turn comes, and never meets what is new", function()
    local t, met = {a = 1, b = 2, c = 3}, {}
    for key in order.pairs(t) do
      met[#met + 1] = key
      t.b, t.d = nil, 4
    end
    assert.same({"a", "c"}, met)
  end)

  it("refuses keys that have no order", function()
    for _, key in ipairs{{}, print, coroutine.create(print)} do
      assert.equal("unordered_key", (labs.code_of(order.pairs, {[key] = 1, a = 2})))
      assert.equal("unordered_key", (labs.code_of(order.next, {[key] = 1, a = 2})))
    end
  end)

  it("honours __pairs", function()
    local t = setmetatable({}, {__pairs = function() return next, {x = 1}, nil end})
    assert.same({"x"}, keys_of(t))
  end)

  it("refuses what is no table", function()
    assert.has_error(function() order.pairs(nil) end)
    assert.has_error(function() order.pairs(5) end)
  end)
end)

describe("next", function()
  it("walks in the order of pairs", function()
    local t = {z = 1, m = 2, [4] = 3, [true] = 4}
    local keys, key = {}, nil
    repeat
      key = order.next(t, key)
      keys[#keys + 1] = key
    until key == nil or #keys > 4
    assert.same(keys_of(t), keys)
  end)

  it("is nil for an empty table", function()
    assert.is_nil(order.next({}))
  end)
end)

describe("sort", function()
  it("sorts lists of any length as table.sort does", function()
    for _, n in ipairs{0, 1, 2, 3, 99, 100, 101, 127, 128, 129, 1000} do
      local list, x = {}, 7
      for i = 1, n do
        x = (x * 1103515245 + 12345) % 2147483648
        list[i] = x % 500
      end
      local expected = table.move(list, 1, n, 1, {})
      table.sort(expected)
      order.sort(list)
      assert.same(expected, list)
      order.sort(list, function(a, b) return a > b end)
      for i = 2, n do assert.is_true(list[i - 1] >= list[i]) end
    end
  end)

  it("keeps the order of equal elements in a long list", function()
    local list = {}
    for i = 1, 500 do list[i] = {key = i % 7, place = i} end
    order.sort(list, function(a, b) return a.key < b.key end)
    for i = 2, 500 do
      local a, b = list[i - 1], list[i]
      assert.is_true(a.key < b.key or (a.key == b.key and a.place < b.place))
    end
  end)
end)
