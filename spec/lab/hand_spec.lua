local by_hand = require "spec.support.by_hand"
local hands = require "jangada.lab.hand"
local labs = require "spec.support.labs"

describe("steps by hand", function()
  it("are done one after the other, and what they did is told", function()
    local verdict, told = by_hand.run(by_hand.RAFT .. [[
within 1s leader
name boss leader
crash boss
crash boss
submit a
expect leader
]])
    assert.is_nil(verdict)
    local id = told:match("boss is (n%d)")
    assert.matches(id .. " was down", told, 1, true)
    assert.matches("> submit a\nanswer: number=1 results=1 type=submit_ok\n", told, 1, true)
    local leader = told:match("> expect leader\n(n%d) leads in term %d+$")
    assert.not_equal(id, assert(leader, told))
  end)

  it("are the same run under the same seed", function()
    local function hash(text)
      local scenario = by_hand.scenario(by_hand.RAFT .. text)
      local case = scenario:case(5)
      local world <close> = scenario:world(case)
      case.script(world)
      return world:hash()
    end
    local text = "within 1s leader\nmessages\nsubmit a\nstate\nlog\ncrash leader\nrun 1s\n"
    assert.equal(hash(text), hash(text))
    assert.equal(hash(text), hash((text:gsub("messages\n", ""):gsub("state\nlog\n", ""))))
    assert.not_equal(hash(text), hash((text:gsub("crash", "pause"))))
  end)

  it("end with a verdict that names the line, when something expected is not so", function()
    local verdict, told = by_hand.run(by_hand.RAFT .. "run 1s\nexpect no leader\ncrash 1\n")
    assert.equal("expectation_failed", verdict.kind)
    assert.matches("a.scenario:5: expect no leader: n%d leads in term 1", verdict.message)
    assert.not_matches("crash", told)
  end)

  it("end with a verdict that comes up on the way", function()
    local text = [[
protocol %s
nodes 1
run 20ms
crash 1
]]
    local path = by_hand.scenario("protocol x\n").path:gsub("a%.scenario$", "bad.lua")
    local file <close> = assert(io.open(path, "w"))
    file:write("return function(node) node:after(5, function() error('on purpose') end) end")
    file:close()
    local verdict, told = by_hand.run(text:format(path))
    assert.equal("handler_error", verdict.kind)
    assert.equal("> run 20ms", told)

    verdict = by_hand.run(text:format(path):gsub("crash 1", "expect verdict handler_error\nstate"))
    assert.is_nil(verdict)
    verdict = by_hand.run(text:format(path):gsub("crash 1", "expect verdict election_safety"))
    assert.equal("handler_error", verdict.kind)
    assert.matches("a.scenario:4: crash 1: the run has ended with a verdict", by_hand.refused((
      text:format(path):gsub("run 20ms", "within 20ms verdict"))), 1, true)
  end)

  it("that cannot be done say so, with their line", function()
    assert.matches("a.scenario:4: crash c1: there is no node c1", by_hand.refused(
      by_hand.RAFT .. "crash c1\n"), 1, true)
    assert.matches("a.scenario:4: partition 1 | 1: n1 is in two groups", by_hand.refused(
      by_hand.RAFT .. "partition 1 | 1\n"), 1, true)
  end)

  it("pass on what is no error of theirs", function()
    local hand, world = by_hand.hand()
    local _world <close> = world
    local verb = { name = "x", takes = "", run = function() error("a fault of ours", 0) end }
    local ok, failure = pcall(hand.perform, hand, { text = "x", verb = verb, args = {} })
    assert.same({ false, "a fault of ours" }, { ok, failure })
  end)

  it("name nodes by number, name, role, or a name given before", function()
    local hand, world, perform = by_hand.hand()
    local _world <close> = world
    perform("within 1s leader")
    perform("name boss leader")
    local leader = world:node("leader").id
    assert.same({ "n2", "n2", leader, leader },
      { hand:id("2"), hand:id("n2"), hand:id("leader"), hand:id("boss") })
    assert.equal(hand:id("follower"), hand:id("follower1"))
    local all = { hand:id("follower"), hand:id("follower2"), leader }
    table.sort(all)
    assert.same({ "n1", "n2", "n3" }, all)
    assert.is_nil(hand:id("follower3"))
    perform("crash * but 2 3")
    assert.same({false, true, true}, {world.nodes[1].up, world.nodes[2].up, world.nodes[3].up})
    perform("crash *")
    assert.is_nil(hand:id("leader"))
    assert.is_nil(hand:id("follower"))
    assert.equal("unknown_node", (labs.code_of(hand.id, hand, "n9")))
  end)

  it("number what is on its way: a number stays as long as its message", function()
    local hand, world, perform = by_hand.hand()
    local _world <close> = world
    local function numbers()
      local list = {}
      for i, message in ipairs(hand:messages()) do list[i] = message.number end
      table.sort(list)
      return list
    end
    perform("fire 1")
    assert.same({ 1, 2 }, numbers())
    perform("deliver 1")
    assert.same({ 2, 3 }, numbers())
    perform("drop 3")
    assert.same({ 2 }, numbers())
    perform("drop 2")
    perform("fire 2")
    assert.same({ 1, 2 }, numbers())
  end)

  it("are not read from a line that is empty or wrong", function()
    local scope = { nodes = 3, names = {} }
    assert.is_nil(hands.read("  # nothing", scope))
    local step, why = hands.read("crash", scope)
    assert.is_nil(step)
    assert.matches("missing: a node .*%(crash NODES %[keep COUNT%] %[TAIL%]%)$", why)
    assert.is_nil((hands.read("crash new", scope)))
    assert.truthy(hands.read("name new 1", scope))
    assert.truthy(hands.read("crash new", scope))
  end)
end)
