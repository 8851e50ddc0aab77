local kv = require "jangada.raft.kv"
local list = require "jangada.raft.list"

describe("the list machine", function()
  it("appends, and answers with the position", function()
    local machine = list.new()
    assert.equal(1, machine:apply("a"))
    assert.equal(2, machine:apply(""))
    assert.same({ "a", "" }, machine.items)
  end)
end)

describe("a query", function()
  it("of a list is its length, or a position", function()
    local machine = list.new()
    assert.equal(0, machine:query("length"))
    machine:apply("a")
    assert.equal(1, machine:query("length"))
    assert.equal("a", machine:query("1"))
    for _, none in ipairs{ "0", "2", "99999999999999999999" } do
      assert.is_falsy(machine:query(none), none)
    end
    for _, other in ipairs{ "", "-1", "1.5", "a" } do assert.is_nil(machine:query(other)) end
    assert.same({ "a" }, machine.items)
  end)

  it("of keys and values is a get or a range; what changes something is none", function()
    local machine = kv.new()
    machine:apply(kv.put("x", "1"))
    assert.equal("1", machine:query(kv.get("x")))
    assert.is_false(machine:query(kv.get("y")))
    assert.same({ { "x", "1" } }, machine:query(kv.range("a", "z")))
    for _, other in ipairs{ kv.put("x", "2"), kv.delete("x"), kv.increment("x"),
      kv.cas("x", "1", "2"), kv.cas("y", nil, "2"), "", "nonsense", kv.get("x"):sub(1, -2) } do
      assert.is_nil(machine:query(other))
    end
    assert.same({ x = "1" }, machine.values)
  end)
end)

describe("the kv machine", function()
  local machine
  before_each(function() machine = kv.new() end)

  it("puts and gets", function()
    assert.is_false(machine:apply(kv.get("x")))
    assert.is_true(machine:apply(kv.put("x", "1")))
    assert.equal("1", machine:apply(kv.get("x")))
    machine:apply(kv.put("x", "\0"))
    assert.equal("\0", machine:apply(kv.get("x")))
  end)

  it("deletes, and says whether there was something", function()
    machine:apply(kv.put("x", "1"))
    assert.is_true(machine:apply(kv.delete("x")))
    assert.is_false(machine:apply(kv.delete("x")))
    assert.is_false(machine:apply(kv.get("x")))
  end)

  it("compares and sets", function()
    assert.is_true(machine:apply(kv.cas("x", nil, "1")))
    assert.is_false(machine:apply(kv.cas("x", nil, "2")))
    assert.is_false(machine:apply(kv.cas("x", "3", "2")))
    assert.is_true(machine:apply(kv.cas("x", "1", "2")))
    assert.equal("2", machine:apply(kv.get("x")))
    assert.is_false(machine:apply(kv.cas("y", "1", "2")))
  end)

  it("increments, and leaves alone what is no number or would be none", function()
    assert.equal(1, machine:apply(kv.increment("n")))
    assert.equal(-4, machine:apply(kv.increment("n", -5)))
    assert.equal("-4", machine:apply(kv.get("n")))
    for _, text in ipairs{ "", "x", "1.5", "0x10", "1e3", " 1", "99999999999999999999" } do
      machine:apply(kv.put("n", text))
      assert.is_false(machine:apply(kv.increment("n")))
      assert.equal(text, machine:apply(kv.get("n")))
    end
    for limit, by in pairs{ [math.maxinteger] = 1, [math.mininteger] = -1 } do
      machine:apply(kv.put("n", tostring(limit)))
      assert.is_false(machine:apply(kv.increment("n", by)))
      assert.equal(limit - by, machine:apply(kv.increment("n", -by)))
    end
  end)

  it("answers a range of keys in order, both ends in it, up to a limit", function()
    for _, key in ipairs{ "d", "b", "a", "c", "\0", "\255" } do
      machine:apply(kv.put(key, key .. "!"))
    end
    assert.same({ { "b", "b!" }, { "c", "c!" }, { "d", "d!" } },
      machine:apply(kv.range("b", "d")))
    assert.same({ { "a", "a!" }, { "b", "b!" } }, machine:apply(kv.range("a", "d", 2)))
    assert.same({}, machine:apply(kv.range("d", "b")))
    for i = 1, kv.RANGE_MAX + 1 do machine:apply(kv.put(("k%05d"):format(i), "")) end
    assert.equal(kv.RANGE_MAX, #machine:apply(kv.range("k", "l", 1 << 20)))
  end)

  it("answers what is no command, and changes nothing", function()
    machine:apply(kv.put("x", "1"))
    for _, command in ipairs{ "", "junk", "\3put\0\0\0\1x", "\3pop\0\0\0\1x", "\3get" } do
      assert.equal("not a command", machine:apply(command))
    end
    assert.same({ x = "1" }, machine.values)
  end)
end)
