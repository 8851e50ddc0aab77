local grammar = require "jangada.lab.hand.grammar"
local words = require "jangada.lab.hand.words"

local scope = { nodes = 3, names = { old = true } }

local function read(pattern, line)
  local list = words.split(line)
  local reading = grammar.reading(list, 1, scope)
  local args = grammar.read(pattern, reading)
  if args and reading.i > #list then return args end
  return nil, grammar.explain(reading), reading
end

local function why(pattern, line)
  local args, text = read(pattern, line)
  assert.is_nil(args)
  return text
end

describe("a pattern", function()
  it("takes nodes by number, name, role or a name given to them", function()
    for _, word in ipairs{ "1", "n3", "leader", "follower", "follower2", "old", "c1" } do
      assert.same({ word }, read("NODE", word))
    end
    for _, word in ipairs{ "0", "4", "n4", "new", "x1", "01", "1.0" } do
      assert.matches(word .. " is not what can stand there: a node %(1 to 3, n1 to n3, leader, "
        .. "follower, old%)", (why("NODE", word)))
    end
  end)

  it("takes several, or all", function()
    assert.same({ { "1", "n2", "old" } }, read("NODES", "1 n2 old"))
    assert.same({ { all = true } }, read("NODES", "*"))
    assert.same({ { all = true, but = { "1", "old" } } }, read("NODES", "* but 1 old"))
    assert.matches("missing: a node", (why("NODES", "* but")))
    assert.same({ { "1" }, { "2", "3" } }, read("NODES > NODES", "1 > 2 3"))
    assert.same({ { "1" }, { all = true }, { "constant", 5 } },
      read("NODES > NODES LAW", "1>* 5ms"))
  end)

  it("takes groups", function()
    assert.same({ { { "1" }, { "2", "3" } } }, read("GROUPS", "1 | 2 3"))
    assert.same({ { { "1" } } }, read("GROUPS", "1"))
    assert.matches("missing", (why("GROUPS", "1 |")))
    assert.matches("| is not", (why("GROUPS", "1 | | 2")), 1, true)
  end)

  it("leaves out what may be", function()
    assert.same({ false, false }, read("[RATE] [LAW]", ""))
    assert.same({ 0.5, false }, read("[RATE] [LAW]", "0.5"))
    assert.same({ false, { "1" } }, read("[NODE] [among NODES]", "among 1"))
    assert.same({ "2", { "1" } }, read("[NODE] [among NODES]", "2 among 1"))
    assert.matches("missing: a node", (why("[NODE] [among NODES]", "among")))
  end)

  it("says what is missing, what is wrong and what is too much", function()
    assert.equal("there is something missing: a time, such as 500ms or 2s", (why("TIME", "")))
    assert.equal("7 is not what can stand there: a time, such as 500ms or 2s", (why("TIME", "7")))
    assert.equal("now is too much", (why("TIME", "1s now")))
    assert.matches("^7 is not what can stand there: a rate", (why("RATE", "7")))
    assert.matches("^x is not what can stand there: >", (why("NODE > NODE", "1 x 2")))
  end)

  it("takes a message by its number, or by its link and type", function()
    assert.same({ { number = 3 } }, read("MESSAGE", "3"))
    assert.same({ { src = "1", dest = "leader" } }, read("MESSAGE", "1 > leader"))
    assert.same({ { src = "1", dest = "2", type = "vote" } }, read("MESSAGE", "1 > 2 vote"))
    assert.matches("a message", (why("MESSAGE", "x")))
    assert.matches("a node", (why("MESSAGE", "1 > 9")))
  end)

  it("takes times back, and speeds", function()
    assert.same({ { "2" }, -50 }, read("NODES SHIFT", "2 -50ms"))
    assert.same({ { "2" }, 1.5 }, read("NODES SPEED", "2 1.5x"))
    for _, word in ipairs{ "5", "5x", "x", "-1x" } do assert.matches("1x", (why("SPEED", word))) end
  end)

  it("takes fields, switches, names", function()
    assert.same({ { a = 1, b = "x" } }, read("FIELDS", "a=1 b=x"))
    assert.matches("name=value", (why("FIELDS", "a")))
    assert.same({ { is_on = false } }, read("SWITCH", "off"))
    assert.same({ "old" }, read("NAME", "old"))
    for _, word in ipairs{ "n1", "c2", "leader", "follower2", "1x", "a-b" } do
      assert.matches("a name", (why("NAME", word)))
    end
  end)

  it("knows what a line can go on with", function()
    local function candidates(pattern, line)
      local list = words.split(line)
      local reading = grammar.reading(list, 1, scope)
      grammar.read(pattern, reading)
      return table.concat(grammar.candidates(reading), " ")
    end
    assert.equal("1 2 3 follower leader old *", candidates("NODES > NODES", ""))
    assert.equal("1 2 3 follower leader old * >", candidates("NODES > NODES", "1"))
    assert.equal("on off", candidates("SWITCH", ""))
    assert.equal("", candidates("TIME", ""))
  end)
end)
