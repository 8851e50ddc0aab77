-- Clocks that are wrong: what nodes see of them, and when timers fire.
local labs = require "spec.support.labs"

-- Tells, in its state, what its clock says each 10 ms of it, and by a timer that is put off.
local TICK <const> = [[
  node.state = {ticks = {}, now = node:now(), count = 0}
  node:every(10, function()
    node.state.count = node.state.count + 1
    node.state.now = node:now()
  end)
  local timer = node:after(30, function() node.state.fired = node:now() end)
  node:on("put_off", function() timer:reset(30) end)
  node:on("now", function(message) node:reply(message, {type = "now_ok", now = node:now()}) end)
]]

-- A world of it; and when its first node's ticks came, in ms.
local function new_world(options)
  local ticks, count = {}, 0
  local config = {network = {delay_ms = {0, 0}}, observe = function(event)
    if event.kind == "state" and event.node == "n1" and event.state.count > count then
      count = event.state.count
      ticks[#ticks + 1] = event.time_us / 1000
    elseif event.kind == "boot" then
      count = 0
    end
  end}
  for name, value in pairs(options or {}) do config[name] = value end
  return labs.world(TICK, config), ticks
end

local function now(world, which)
  return world:request(which or 1, {type = "now"}).now
end

describe("a clock", function()
  it("is the world's as long as nobody makes it another", function()
    local world <close>, ticks = new_world()
    world:run(35)
    assert.same({10, 20, 30}, ticks)
    assert.equal(35, now(world))
    assert.equal(30, world.nodes[1].state.fired)
  end)

  it("that drifts drives timers at its rate, those that run already too", function()
    local world <close>, ticks = new_world()
    world:run(15)
    world:set_clock(1, {rate = 0.5})
    world:run(65)
    world:set_clock(1, {rate = 2})
    world:run(20)
    world:set_clock(1)
    world:run(15)
    -- 15, at 80 ms 47.5, at 100 ms 87.5, at 115 ms 102.5
    assert.same({10, 25, 45, 65, 81.25, 86.25, 91.25, 96.25, 102.5, 112.5}, ticks)
  end)

  it("that is ahead, or jumps, shows in what it says, and in no timer", function()
    local world <close>, ticks = new_world()
    world:set_clock(1, {offset_ms = -1000})
    world:run(15)
    assert.equal(-985, now(world))
    world:step_clock(1, 5000)
    assert.equal(4015, now(world))
    world:step_clock(1, -4000.5)
    world:run(20)
    assert.equal(34, now(world))
    assert.equal(0, world.time_us % 1000)
    assert.same({10, 20, 30}, ticks)
    world:set_clock(1)
    assert.equal(35, now(world))
  end)

  it("that stands still fires no timer, and goes on from there", function()
    local world <close>, ticks = new_world()
    world:run(15)
    world:set_clock(1, {rate = 0})
    world:run(100)
    assert.equal(15, now(world))
    world:client("c1"):send("n1", {type = "put_off"})
    world:run(10)
    world:set_clock(1, {rate = 1})
    world:run(40)
    assert.same({10, 130, 140, 150, 160}, ticks)
    assert.equal(45, world.nodes[1].state.fired)
    assert.equal(55, now(world))
  end)

  it("is of one node, and outlives its crashes", function()
    local world <close>, ticks = new_world{nodes = 2}
    world:set_clock(1, {rate = 0.5, offset_ms = 100})
    world:run(30)
    world:crash(1)
    world:restart(1)
    world:run(30)
    assert.equal(130, now(world))
    assert.equal(60, now(world, 2))
    assert.same({20, 50}, ticks)
  end)

  it("goes on during a pause", function()
    local world <close>, ticks = new_world()
    world:set_clock(1, {rate = 0.5})
    world:run(10)
    world:pause(1)
    world:run(50)
    world:resume(1)
    world:run(21)
    assert.same({60, 80}, ticks)
    assert.equal(40, now(world))
  end)

  it("lets timers be taken out of order", function()
    local world <close> = new_world()
    world:set_clock(1, {rate = 0.5})
    local kinds, times = {}, {}
    for i, pending in ipairs(world:pending()) do
      kinds[i], times[i] = pending.kind, pending.time_us
    end
    assert.same({"timer", "timer"}, kinds)
    assert.same({20000, 60000}, times)
    world:take(world:pending()[2])
    assert.equal(30, world.nodes[1].state.fired)
    assert.equal(60000, world.time_us)
  end)

  it("is wrong as a plan says, and as it should be again in the end", function()
    local rows = {}
    local world <close> = new_world{faults = {
      {at_ms = 10, kind = "clock_offset", node = 1, by_ms = -50, for_ms = 10},
      {at_ms = 30, kind = "clock_step", node = 1, by_ms = 70, for_ms = 10},
      {at_ms = 50, kind = "clock_drift", node = 1, rate = 1.5, for_ms = 10},
      {at_ms = 70, kind = "clock_freeze", node = 1, for_ms = 10},
      {at_ms = 75, kind = "clock_drift", node = 1, rate = 2, for_ms = 10},
    }, observe = function(event)
      if event.kind == "clock" then
        rows[#rows + 1] = ("%d %g %g"):format(event.time_us // 1000, event.rate, event.offset_ms)
      end
    end}
    world:run(100)
    assert.same({"10 1 -50", "20 1 0", "30 1 70", "40 1 0", "50 1.5 0", "60 1 0", "70 0 0",
      "75 2 0", "85 1 0"}, rows)
  end)

  it("says when it says so", function()
    local world <close> = new_world()
    world:run(1)
    for _, rate in ipairs{0.3, 0.7, 1.3, 1.9, 3.7} do
      world:set_clock(1, {rate = rate})
      world:run(0.01)
      local clock = world.nodes[1].clock
      local first = clock:own(world.time_us)
      for own = first + 1, first + 50 do
        local at = clock:world(own)
        assert.is_true(clock:own(at) >= own and clock:own(at - 1) < own, own)
      end
    end
  end)

  it("is not set to what makes no sense", function()
    local world <close> = new_world()
    for _, how in ipairs{{rate = -1}, {rate = 5}, {rate = "1"}, {offset_ms = 0 / 0},
      {offset_ms = 1e13}} do
      assert.equal("option_invalid", (labs.code_of(world.set_clock, world, 1, how)))
    end
    assert.equal("option_invalid", (labs.code_of(world.step_clock, world, 1, nil)))
    assert.equal("unknown_node", (labs.code_of(world.step_clock, world, 7, 1)))
    assert.is_nil(world.nodes[1].clock)
  end)
end)
