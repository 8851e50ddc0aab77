local by_hand = require "spec.support.by_hand"

describe("a scenario in the text form", function()
  it("says in which world, and what is done to it", function()
    local case = by_hand.scenario([[
# A comment.
protocol jangada.raft.protocol
nodes 5
seed 9
options machine=list heartbeat_ms=40 election_timeout_ms=150..300
network delay=exponential:1..20ms loss=0.1 fifo=true
durability journal
invariants raft agreement
faults 2s crash pause
maybe_rate 0.5
events_max 1000
queue_max 500

run 1s   # and then
crash 2
]]):case()
    assert.same({ protocol = "jangada.raft.protocol", nodes = 5, seed = 9,
      options = { machine = "list", heartbeat_ms = 40, election_timeout_ms = { 150, 300 } },
      network = { delay_ms = { "exponential", 1, 20 }, loss = 0.1, fifo = true },
      durability = "journal", invariants = { "raft", "agreement" },
      faults = { duration_ms = 2000, kinds = { "crash", "pause" } },
      maybe_rate = 0.5, events_max = 1000, queue_max = 500 }, case.options)
    assert.same({ "run 1s   # and then", "crash 2" }, { case.steps[1].text, case.steps[2].text })
    assert.matches("a.scenario:15$", case.steps[2].place)
  end)

  it("is run under any seed", function()
    local scenario = by_hand.scenario(by_hand.RAFT .. "seed 4\nrun 1s\n")
    assert.same({ 4, 7 }, { scenario:case().seed, scenario:case(7).options.seed })
  end)

  it("can go on from a scenario in Lua", function()
    local case = by_hand.scenario(
      "scenario examples/raft_swarm.lua\nnodes 4\nseed 3\nrun 1s\ncrash 4\n"):case()
    assert.equal(4, case.options.nodes)
    assert.equal("jangada.raft.protocol", case.options.protocol)
    assert.is_true(#case.options.clients > 0)
    assert.matches("no_such.lua", by_hand.refused("scenario no_such.lua\n"), 1, true)
  end)

  it("has a digest that its text, and that of the scenario in Lua, are part of", function()
    local function digest(text)
      local scenario = by_hand.scenario(text)
      return scenario:digest(scenario:case())
    end
    local text = "scenario examples/raft_scenario.lua\nrun 1s\n"
    assert.equal(digest(text), digest(text))
    assert.not_equal(digest(text), digest(text .. "run 1s\n"))
    assert.not_equal(digest(text), digest("scenario examples/raft_swarm.lua\nrun 1s\n"))
  end)

  it("tells all lines that are wrong, with what would be right", function()
    local message = by_hand.refused([[
protocol jangada.raft.protocol
nods 3
nodes many
network delay=5
seed 1
seed 2
run 1s
crush 2
crash 9
seed 3
run 500
within 2s ledder
submit "a
]])
    for _, expected in ipairs{
      "10 lines are wrong", "a.scenario:2: there is no nods; is it nodes?",
      "a.scenario:3: many is not what can stand there: a number",
      "a.scenario:4: delay=5 is not what can stand there: a delay: 5ms",
      "a.scenario:6: there is another seed above",
      "a.scenario:8: there is no verb crush; is it crash?",
      "a.scenario:9: 9 is not what can stand there: a node (1 to 3",
      "a.scenario:10: seed stands in the header, above the first step",
      "a.scenario:11: 500 is not what can stand there: a time",
      "a.scenario:12: ledder is not what can stand there: what is expected: answer, committed",
      "a.scenario:13: a quote (\") does not end",
    } do
      assert.matches(expected, message, 1, true)
    end
  end)

  it("needs a protocol", function()
    assert.matches("a.scenario:1: the header needs a line protocol", by_hand.refused("run 1s\n"),
      1, true)
    assert.matches("a protocol and a scenario", by_hand.refused(
      "protocol x\nscenario examples/raft_scenario.lua\n"), 1, true)
    assert.matches("nodes of lab.new is an integer from 1 to 64",
      by_hand.refused(by_hand.RAFT .. "nodes 65\n"), 1, true)
  end)
end)
