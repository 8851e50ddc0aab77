local labs = require "spec.support.labs"

local guilty, innocent = labs.guilty, labs.innocent

describe("a pack", function()
  it("stands for several invariants, each of them once", function()
    local world <close> = labs.world("", {invariants = {"validity", "consensus", "committed"}})
    local names = {}
    for i, invariant in ipairs(world.invariants) do names[i] = invariant.name end
    assert.same({"validity", "agreement", "acknowledged_durable"}, names)
  end)
end)

describe("an invariant of one's own", function()
  it("may be a function, called after each turn", function()
    local turns = 0
    local verdict = guilty("invariant 1", [[
      node.state = {n = 0}
      node:every(10, function() node.state.n = node.state.n + 1 end)
    ]], {nodes = 1, invariants = {function(world, machine)
      turns = turns + 1
      assert.equal(world.nodes[1], machine)
      if machine.state.n > 3 then return "too many" end
    end}})
    assert.equal("too many", verdict.message)
    assert.equal(40000, verdict.time_us)
    assert.equal(5, turns)
  end)

  it("may be a table, told of boots, turns and commits", function()
    local told = {}
    innocent([[
      node:after(5, function() node:committed(1, 2, "x") end)
      node:after(6, function() node.db:update(function(tx) tx:ensure_bucket("b") end) end)
    ]], {nodes = 1, invariants = {{
      name = "mine",
      booted = function(_, machine) told[#told + 1] = "boot " .. machine.id end,
      turn = function(_, _, wrote) told[#told + 1] = wrote and "wrote" or "turn" end,
      committed = function(_, _, index, term, data)
        told[#told + 1] = ("commit %d %d %s"):format(index, term, data)
      end,
    }}})
    assert.same({"boot n1", "turn", "commit 1 2 x", "turn", "wrote"}, told)
  end)

  it("must be one", function()
    for _, invariant in ipairs{"no_such", 5, {}} do
      assert.equal("option_invalid", (labs.code_of(labs.world, "", {invariants = {invariant}})))
    end
  end)
end)
