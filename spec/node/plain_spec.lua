local labs = require "spec.support.labs"
local plain = require "jangada.node.plain"

describe("plain.copy", function()
  it("copies values of every plain kind, by value", function()
    local inner = {1, 2.5, "three", true, false}
    local original = {type = "x", inner = inner, [1] = "one", [2.5] = "float", [true] = "yes"}
    local copy = plain.copy(original, "body")
    assert.same(original, copy)
    assert.not_equal(original, copy)
    assert.not_equal(inner, copy.inner)
    inner[1] = 100
    assert.equal(1, copy.inner[1])
  end)

  it("keeps integers and floats apart", function()
    local copy = plain.copy({1, 1.0}, "body")
    assert.equal("integer", math.type(copy[1]))
    assert.equal("float", math.type(copy[2]))
  end)

  it("copies a table that stands in two places twice", function()
    local part = {}
    local copy = plain.copy({part, part}, "body")
    assert.not_equal(copy[1], copy[2])
  end)

  local function refused(value)
    local code, message = labs.code_of(plain.copy, value, "body")
    assert.equal("not_plain", code)
    return message
  end

  it("names the path to what is not plain", function()
    assert.matches("body.entries[3].data is a function",
      refused{entries = {{}, {}, {data = print}}}, 1, true)
    assert.matches('body["a b"] is a thread', refused{["a b"] = coroutine.create(print)}, 1, true)
    assert.matches("body is a userdata", refused(io.stdout), 1, true)
    assert.matches("body.rate is NaN", refused{rate = 0 / 0}, 1, true)
    assert.matches("body.x is a table with a metatable", refused{x = setmetatable({}, {})}, 1, true)
    assert.matches("body.x is a table with a table as key", refused{x = {[{}] = 1}}, 1, true)
  end)

  it("refuses circles, and whatever nests as deep", function()
    local circle = {}
    circle.next = {circle}
    assert.matches("in a circle", refused(circle))
    local deep = {}
    for _ = 1, plain.depth_max do deep = {deep} end
    assert.matches("nested deeper than 64", refused(deep))
  end)

  it("nests as deep as it says", function()
    local deep = {}
    for _ = 2, plain.depth_max do deep = {deep} end
    plain.copy(deep, "body")
  end)

  it("ends on a value that doubles at every level", function()
    local wide = {}
    for _ = 1, 40 do wide = {wide, wide} end
    assert.matches("holds more than", refused(wide))
  end)
end)

describe("plain.clone", function()
  it("copies what copy copies", function()
    local value = {type = "x", list = {{1, "a"}, {2, "b"}}, [2.5] = true, empty = {}}
    local clone = plain.clone(value)
    assert.same(value, clone)
    assert.equal(plain.digest(value, "value"), plain.digest(clone, "clone"))
    clone.list[1][2] = "changed"
    assert.equal("a", value.list[1][2])
    assert.equal("text", plain.clone("text"))
    assert.is_nil(plain.clone(nil))
  end)
end)

describe("plain.digest", function()
  local function digest(value) return plain.digest(value, "value") end

  it("is the digest that copy returns", function()
    for _, value in ipairs{{a = 1, b = {2, 3}}, "text", 7, true, {}} do
      local _, digested = plain.copy(value, "value")
      assert.equal(digest(value), digested)
    end
  end)

  it("copies tables of any number of fields", function()
    for length = 0, 3 do
      for fields = 0, 50 do
        local value = {}
        for i = 1, length do value[i] = i end
        for i = 1, fields do value["key" .. i] = {i, {}} end
        assert.same(value, (plain.copy(value, "value")))
      end
    end
  end)

  it("does not depend on the order in which fields were set", function()
    local forth, back = {}, {}
    for i = 1, 100 do forth["key" .. i] = i end
    for i = 100, 1, -1 do back["key" .. i] = i end
    assert.equal(digest(forth), digest(back))
  end)

  it("tells apart what is alike", function()
    local values = {
      {}, {{}}, {{}, {}}, {{{}}}, {a = 1}, {a = 2}, {b = 1}, {a = "1"}, {["1"] = "a"}, {a = true},
      {a = false}, {a = 1.0}, {[1] = "a"}, {a = {b = 1}}, {b = {a = 1}}, {a = 1, b = 2},
      {a = 2, b = 1}, {1, 2}, {2, 1}, {1, 2, 3}, "", "a", "b", 0, 0.0, -0.0, 1, -1, true, false,
      {a = ("x"):rep(100)}, {a = ("x"):rep(101)}, {{a = 1}, {b = 2}}, {{a = 1, b = 2}, {}},
    }
    local seen = {}
    for i, value in ipairs(values) do
      local d = digest(value)
      assert.is_nil(seen[d], ("values %d and %s have one digest"):format(i, seen[d]))
      seen[d] = i
    end
  end)

  it("changes with every bit of a long string", function()
    local seen = {}
    for i = 1, 200 do
      local bytes = {}
      for j = 1, 200 do bytes[j] = j == i and "b" or "a" end
      seen[digest(table.concat(bytes))] = true
    end
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.equal(200, n)
  end)

  it("grows by digest_field when a field is added", function()
    local before = digest{type = "x", n = 1}
    assert.equal(digest{type = "x", n = 1, in_reply_to = 17},
      before + plain.digest_field("in_reply_to", 17))
  end)

  it("is the same in another process", function()
    local value = [[{a = {1, 2, {x = "y"}}, b = "text", c = 2.5, d = true, e = ("long"):rep(50)}]]
    local here = load("return " .. value)()
    local there = labs.run_process(([[
      local plain = require "jangada.node.plain"
      io.write(("%%016x"):format(plain.digest(%s, "value")))]]):format(value))
    assert.equal(("%016x"):format(digest(here)), there)
  end)
end)
