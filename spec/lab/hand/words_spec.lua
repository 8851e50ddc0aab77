local words = require "jangada.lab.hand.words"

describe("the words of a line", function()
  for line, expected in pairs{
    [""] = {}, ["   "] = {}, ["# all of it"] = {},
    ["crash 2"] = { "crash", "2" }, ["  crash\t2  # the second"] = { "crash", "2" },
    ["partition 1 2|3"] = { "partition", "1", "2", "|", "3" },
    ["one_way 1>2"] = { "one_way", "1", ">", "2" },
    ['submit "two words" x'] = { "submit", '"two words"', "x" },
    ['put key="a > # b"x'] = { "put", 'key="a > # b"x' },
    ["a#b"] = { "a#b" },
  } do
    it(("are those of %q"):format(line), function() assert.same(expected, words.split(line)) end)
  end

  it("have an end to each quote", function()
    for _, line in ipairs{ '"', 'a "b', '"a\\"', 'x"y" z"' } do
      local list, why = words.split(line)
      assert.is_nil(list)
      assert.matches("quote", why)
    end
  end)

  it("read as the text that was written, whatever it is", function()
    for _, text in ipairs{ "a", "two words", "", '"', "\\", "a\nb\tc\rd", "1>2", "#", "a#b", "|",
      'say "x"', "é" } do
      local word = words.write_text(text)
      assert.same({ word }, words.split(word))
      assert.equal(text, words.read_text(word))
    end
  end)
end)

describe("a value", function()
  for word, expected in pairs{
    ["true"] = true, ["false"] = false, ["3"] = 3, ["-2"] = -2, ["0.5"] = 0.5, ["list"] = "list",
    ["150..300"] = { 150, 300 }, ["0.1..2.5"] = { 0.1, 2.5 }, ["a,b,3"] = { "a", "b", 3 },
    ['"3"'] = "3", ['"a b"'] = "a b", ["1..10ms"] = "1..10ms", ["n1"] = "n1", ["inf"] = "inf",
  } do
    it(("is read from %s"):format(word), function()
      local value = words.read_value(word)
      assert.same(expected, value)
      assert.equal(math.type(expected), math.type(value))
    end)
  end

  it("is written as a person reads it", function()
    assert.equal('a=1 b="x y" c=1,2 d={e=true f={}}', words.write_fields{
      a = 1, b = "x y", c = { 1, 2 }, d = { e = true, f = {} } })
    assert.equal("0.5", words.write_value(0.5))
  end)
end)

describe("a time, and a law of delay", function()
  it("have their unit", function()
    assert.same({ 500, 2000, 0.25, 60000, 1.5 }, { words.read_time("500ms"), words.read_time("2s"),
      words.read_time("250us"), words.read_time("1m"), words.read_time("1.5ms") })
    for _, word in ipairs{ "500", "ms", "-1s", "2h", "s2", "" } do
      assert.is_nil(words.read_time(word), word)
    end
    assert.same({ "constant", 5 }, words.read_law("5ms"))
    assert.same({ "uniform", 1, 10 }, words.read_law("1..10ms"))
    assert.same({ "long_tail", 1, 500 }, words.read_law("long_tail:1..500ms"))
    for _, word in ipairs{ "5", "1..10", "xms", "ms", "1..2..3ms", "a:ms", "1..10s" } do
      assert.is_nil(words.read_law(word), word)
    end
  end)
end)

describe("a mistyped word", function()
  it("is near to the one that was meant", function()
    local known = { crash = true, restart = true, run = true }
    assert.equal("crash", words.nearest("crush", known))
    assert.equal("crash", words.nearest("crah", known))
    assert.is_nil(words.nearest("partition", known))
  end)
end)
