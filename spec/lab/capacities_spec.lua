local capacities = require "jangada.lab.capacities"
local labs = require "spec.support.labs"

local SENDER <const> = [[
  node.state = {got = 0}
  node:on("go", function(message)
    for i = 1, message.body.n do node:send("n2", {type = "part", i = i}) end
  end)
  node:on("part", function(message) node.state.got = node.state.got + 1 end)
]]

-- When each message arrives, in ms.
local function arrivals(per_second, waiting, count, lay)
  local times = {}
  local world <close> = labs.world(SENDER, {nodes = 2, network = {delay_ms = {"constant", 5}},
    observe = function(event)
      if event.kind == "deliver" and event.dest == "n2" then
        times[#times + 1] = event.time_us / 1000
      end
    end})
  local layer = (lay or world.capacity)(world, {1}, {2}, per_second, waiting)
  world:client("c1"):send("n1", {type = "go", n = count})
  world:run(1000)
  return times, world.lost, world, layer
end

describe("a link of limited capacity", function()
  it("carries one message after the other, and the delay comes on top", function()
    local times, lost = arrivals(100, nil, 4)
    local first = times[1]
    assert.same({first, first + 10, first + 20, first + 30}, times)
    assert.equal(15 + 5, first) -- the request took 5, leaving 10
    assert.equal(0, lost)
  end)

  it("loses what finds too many under way", function()
    local times, lost = arrivals(100, 3, 10)
    assert.same({3, 7}, {#times, lost})
  end)

  it("lets a hundred wait when nothing is said", function()
    local times, lost = arrivals(1000, nil, 150)
    assert.same({100, 50}, {#times, lost})
  end)

  it("is a link of its own: the others are free", function()
    local layer = capacities.layer({}, 1000, 2)
    assert.equal(1000, capacities.transmission(layer, "a", 0))
    assert.equal(2000, capacities.transmission(layer, "a", 0))
    assert.is_nil(capacities.transmission(layer, "a", 0))
    assert.equal(1000, capacities.transmission(layer, "b", 0))
    assert.equal(2000, capacities.transmission(layer, "a", 1000))
    assert.equal(1000, capacities.transmission(layer, "a", 9000))
  end)

  it("is mended", function()
    local times = arrivals(100, nil, 2, function(world, ...)
      assert.is_true(world:mend(world:capacity(...)))
    end)
    assert.equal(times[1], times[2])
  end)

  it("is a fault of plans", function()
    local got
    local world <close> = labs.world(SENDER, {nodes = 2, network = {delay_ms = {1, 1}},
      faults = {{at_ms = 0, kind = "capacity", to = {"n2"}, per_second = 10, waiting = 2,
        for_ms = 50}}})
    world:client("c1"):send("n1", {type = "go", n = 5})
    world:run(60)
    got = world.nodes[2].state.got
    world:run(1000)
    assert.same({0, 2}, {got, world.nodes[2].state.got})
    world:client("c1"):send("n1", {type = "go", n = 5})
    world:run(10)
    assert.equal(7, world.nodes[2].state.got)
  end)

  it("is a number of messages a second, and of those that wait", function()
    local world <close> = labs.world(SENDER, {nodes = 2})
    for _, wrong in ipairs{0, -1, 1.5, "7", 1000001} do
      assert.equal("option_invalid", (labs.code_of(world.capacity, world, 1, 2, wrong)))
    end
    for _, wrong in ipairs{0, -1, 1.5, "7"} do
      assert.equal("option_invalid", (labs.code_of(world.capacity, world, 1, 2, 10, wrong)))
    end
  end)
end)
