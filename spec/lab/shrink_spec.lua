local labs = require "spec.support.labs"
local process = require "spec.support.process"
local scenarios = require "jangada.lab.scenario"
local shrink = require "jangada.lab.shrink"

local function scenario_of(text)
  local path = process.directory() .. "/scenario.lua"
  process.write(path, text)
  return scenarios.load(path)
end

-- n1 hears of three pings of clients, and of a crash of n2 between them, or of no crash at all.
local COUNTING <const> = [==[
  local function asker(client)
    local n = 0
    local function ask()
      n = n + 1
      client:request("n1", {type = "ping", n = n}, 50, function() client:after(10, ask) end)
    end
    ask()
  end
  return {
    nodes = 4, clients = {asker, asker}, duration_ms = 3000,
    network = {delay_ms = {1, 20}, loss = 0.2},
    faults = {duration_ms = 3000, kinds = {"crash", "delay", "partition"}},
    protocol = {name = "counting", source = [=[return function(node)
      node.state = {pings = 0}
      node:on("ping", function(message)
        node.state.pings = node.state.pings + 1
        node:reply(message, {type = "pong"})
      end)
      node:every(30, function() node:broadcast{type = "noise"} end)
      node:on("noise", function() end)
    end]=]},
    invariants = {{name = "few", turn = function(_, machine)
      if machine.state.pings == 3 then return "three pings" end
    end}},
  }
]==]

describe("shrink.run", function()
  it("leaves what a failure needs: one node, three requests, no fault, a calm network", function()
    local shrunk = shrink.run(scenario_of(COUNTING), 5, {time_s = 20})
    assert.is_nil(shrunk.ended)
    assert.equal("few", shrunk.outcome.verdict.name)
    assert.equal(1, shrunk.outcome.nodes)
    assert.equal(3, shrunk.outcome.requests)
    assert.same({}, shrunk.edit.faults)
    assert.is_nil(shrunk.edit.network.fates)
    assert.equal("constant", shrunk.edit.network.delay_ms[1])
    assert.is_true(#shrunk.first.plan > 0)
  end)

  it("keeps a fault that the failure needs, and takes the others", function()
    local shrunk = shrink.run(scenario_of((COUNTING
      :gsub("if machine.state.pings == 3", "if machine.id == 'n2' and machine.boots > 1"))), 6,
      {time_s = 20})
    assert.is_true(#shrunk.first.plan > 1)
    assert.equal(1, #shrunk.edit.faults)
    assert.equal("crash", shrunk.edit.faults[1].kind)
    assert.equal(0, shrunk.outcome.requests)
    assert.equal(2, shrunk.outcome.nodes)
  end)

  it("takes no other failure for the one it was given", function()
    local shrunk = shrink.run(scenario_of((COUNTING:gsub("if machine.state.pings == 3",
      "if #machine.peers < 3 then return error('other') end if machine.state.pings == 3"))), 5,
      {time_s = 20})
    assert.equal(4, shrunk.outcome.nodes)
    assert.equal("few", shrunk.outcome.verdict.name)
  end)

  it("ends when it is told to, with what it has", function()
    local left = 3
    local shrunk = shrink.run(scenario_of(COUNTING), 5, {stop = function()
      left = left - 1
      return left < 0
    end})
    assert.equal("stopped", shrunk.ended)
    assert.is_true(shrunk.tries <= 3)
    assert.equal("few", shrunk.outcome.verdict.name)
  end)

  it("refuses a run in which nothing is wrong, or that says nothing", function()
    local code, message = labs.code_of(shrink.run, scenario_of(
      (COUNTING:gsub("pings == 3", "pings == 1000000"))), 5)
    assert.equal("input_invalid", code)
    assert.matches("nothing is wrong with seed 5", message, 1, true)
    code, message = labs.code_of(shrink.run, scenario_of(
      (COUNTING:gsub("nodes = 4,", "nodes = 4, events_max = 10,"))), 5)
    assert.equal("input_invalid", code)
    assert.matches("events_exceeded says nothing of the protocol", message, 1, true)
  end)

  it("makes Figure 8 of Raft a run of at most sixty messages #big #slow", function()
    local shrunk = shrink.run(scenarios.load("examples/figure_8.lua"), 93, {time_s = 60})
    assert.equal("leader_completeness", shrunk.outcome.verdict.name)
    assert.is_true(shrunk.outcome.delivered <= 60, shrunk.outcome.delivered)
    assert.is_true(#shrunk.edit.faults <= 3)
  end)
end)
