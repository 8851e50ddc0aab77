-- `jangada lab novelty`, as a user has it.
local command = require "spec.support.lab_command"
local process = require "spec.support.process"

local must = command.must

local function booting(limit)
  return ([=[
    return function()
      return {nodes = 1, duration_ms = 500, faults = {duration_ms = 400, kinds = {"crash"}},
        abstract = function(world) return tostring(world.nodes[1].boots) end,
        invariants = {function(_, machine)
          if machine.boots >= %d then return "it has booted " .. machine.boots .. " times" end
        end},
        protocol = {name = "idle", source = "return function(node) node.state = {} end"}}
    end]=]):format(limit)
end

describe("jangada lab novelty #big", function()
  after_each(process.clean)

  it("tells what it has seen", function()
    local path = command.scenario(booting(1000))
    local output = must(0, {"novelty", path, "--runs", "20"})
    assert.matches("20 runs, %d+ abstract states; kept %d+, %d+ of them of changed plans", output)
    assert.matches("no violation", output, 1, true)
    assert.equal(output, (must(0, {"novelty", path, "--runs", "20"})))
    assert.not_equal(output, (must(0, {"novelty", path, "--runs", "20", "--seed", "9"})))
  end)

  it("shows the plan of a violation, and keeps it for replay", function()
    local path, directory = command.scenario(booting(6))
    local trace = directory .. "/found.jsonl"
    local output = must(1, {"novelty", path, "--trace", trace})
    assert.matches("it has booted 6 times", output, 1, true)
    assert.matches('kind = "crash"', output, 1, true)
    assert.matches("the same run", must(0, {"replay", trace}), 1, true)
  end)

  it("says what is wrong with scenarios", function()
    local path = command.scenario("return {nodes = 0}")
    local _, messages = must(2, {"novelty", path})
    assert.matches("nodes of lab.new is an integer from 1 to 64", messages, 1, true)
  end)
end)
