-- Mistakes that one kind of fault finds, and that the others leave in the dark.

local lab = require "jangada.lab"

local SEEDS <const> = 24

-- What n1 takes as stored by a majority is stored by one.
local majority = {
  name = "majority",
  turn = function(_, machine)
    local nodes = machine.world.nodes
    for n in pairs(machine.state.decided) do
      local count = 0
      for _, other in ipairs(nodes) do
        if other.state and other.state.stored[n] then count = count + 1 end
      end
      if count <= #nodes // 2 then return ("entry %d is stored by %d"):format(n, count) end
    end
  end,
}

-- Nodes lead one at a time.
local one_leader = {
  name = "one_leader",
  turn = function(_, machine)
    local leaders = {}
    for _, other in ipairs(machine.world.nodes) do
      if other.state and other.state.role == "leader" then leaders[#leaders + 1] = other.id end
    end
    if #leaders > 1 then return table.concat(leaders, " and ") .. " lead" end
  end,
}

-- How many of the seeds come to a violation under faults of these kinds.
local function violations(name, kinds, options)
  local count = 0
  for seed = 1, SEEDS do
    local config = {seed = seed, protocol = ("spec/support/protocols/%s.lua"):format(name),
      faults = {duration_ms = 3000, kinds = kinds}}
    for key, value in pairs(options) do config[key] = value end
    local world <close> = lab.new(config)
    local verdict = world:run(3500)
    if verdict then
      assert.equal("invariant_violated", verdict.kind, tostring(verdict))
      count = count + 1
    end
  end
  return count
end

-- All kinds of fault of the network but these.
local function without(...)
  local gone, kinds = {crash = true, pause = true}, {}
  for _, kind in ipairs{...} do gone[kind] = true end
  for _, kind in ipairs(lab.faults.kinds) do
    if not gone[kind] then kinds[#kinds + 1] = kind end
  end
  return kinds
end

describe("a mistake #big", function()
  it("of counting acknowledgments is found by duplication alone", function()
    local options = {nodes = 5, invariants = {majority}, network = {loss = 0.4}}
    assert.equal(0, violations("ack_count", without("duplication"), options))
    assert.is_true(violations("ack_count", {"duplication"}, options) > 1)
  end)

  it("of taking who hears for one who is heard is found by cuts one way, not by others", function()
    local options = {nodes = 2, invariants = {one_leader}}
    assert.equal(0, violations("take_over", {"partition", "partial", "isolate",
      "duplication", "corruption", "fifo", "star"}, options))
    assert.is_true(violations("take_over", {"one_way"}, options) > 0)
  end)
end)
