-- Another order than that of time.
local lab = require "jangada.lab"
local labs = require "spec.support.labs"

local function options(more)
  local all = {seed = 3, nodes = 3, protocol = "jangada.raft.protocol",
    faults = {{at_ms = 400, kind = "crash", node = "leader", for_ms = 200},
      {at_ms = 800, kind = "pause", node = "n2", for_ms = 300}},
    clients = {lab.stream{commands = {"a", "b", "c"}}}}
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

local function texts_of(world)
  local texts = {}
  for i, p in ipairs(world:pending()) do
    texts[i] = p.kind == "message" and ("%s>%s %s"):format(p.src, p.dest, p.body.type)
      or ("%s %s"):format(p.kind, p.node or p.client or p.fault and p.fault.kind or "")
  end
  return texts
end

describe("what waits", function()
  it("is taken first by first: that is the run itself", function()
    local one <close> = lab.new(options())
    local two <close> = lab.new(options())
    one:run(1500)
    while true do
      local first = two:pending()[1]
      if first.time_us > 1500000 then break end
      assert.is_true(two:take(first))
    end
    assert.equal(one:hash(), two:hash())
    assert.is_true(one.delivered > 50)
    assert.equal(one.delivered, two.delivered)
    assert.equal(one.timers_fired, two.timers_fired)
  end)

  it("says what it is", function()
    local world <close> = labs.world([[
      node:after(30, function() end)
      local timer = node:after(10, function() end)
      timer:reset(20)
      node:after(5, function() end):cancel()
      if node.id == "n1" then node:send("n2", {type = "hello", n = 7}) end
      node:on("hello", function() end)
    ]], {nodes = 2, network = {delay_ms = {2, 2}},
      faults = {{at_ms = 25, kind = "pause", node = 1, for_ms = 1}},
      clients = {function(client)
        client:request("n1", {type = "hello"}, 3, function() end)
        client:after(4, function() end)
      end}})
    world:after(3.5, function() end)
    assert.same({"n1>n2 hello", "c1>n1 hello", "client c1", "step ", "client c1", "timer n1",
      "timer n2", "fault pause", "timer n1", "timer n2"}, texts_of(world))
    assert.same({2000, 2000, 3000, 3500, 4000, 20000, 20000, 25000, 30000, 30000}, (function()
      local times = {}
      for i, pending in ipairs(world:pending()) do times[i] = pending.time_us end
      return times
    end)())
    assert.equal(7, world:pending()[1].body.n)
  end)

  it("comes in any order, and a timer's clock is what it was set to", function()
    local world <close> = labs.world([[
      node.state = {}
      local function note(text) table.insert(node.state, text .. " " .. node:now()) end
      node:after(30, function() note("late") end)
      node:after(10, function() note("early") end)
      node:on("x", function() note("x") end)
    ]], {network = {delay_ms = {5, 5}},
      clients = {function(client) client:send("n1", {type = "x"}) end}})
    local pending = world:pending()
    assert.same({"c1>n1 x", "timer n1", "timer n1"}, texts_of(world))
    world:take(pending[3])
    world:take(pending[1])
    assert.same({"late 30", "x 30"}, world.nodes[1].state)
    assert.is_nil(world:run(100)) -- what was overtaken comes late; time does not go back
    assert.same({"late 30", "x 30", "early 30"}, world.nodes[1].state)
  end)

  it("comes at the time it is given", function()
    local world <close> = labs.world([[
      node.state = {}
      node:every(10, function() table.insert(node.state, node:now()) end)
    ]])
    world:take(world:pending()[1], 13000)
    world:take(world:pending()[1])
    world:take(world:pending()[1], 50000)
    assert.same({13, 23, 50}, world.nodes[1].state)
    assert.equal(60000, world:pending()[1].time_us)
  end)

  it("can be a message that gets lost", function()
    local rows = {}
    local world <close> = labs.world([[
      node.state = {n = 0}
      node:on("x", function() node.state.n = node.state.n + 1 end)
      node:after(9, function() end)
    ]], {observe = function(event) rows[#rows + 1] = event end, clients = {function(client)
      client:send("n1", {type = "x"})
      client:send("n1", {type = "x"})
    end}})
    assert.is_true(world:discard(world:pending()[1]))
    assert.equal("drop", rows[#rows].kind)
    assert.equal("dropped", rows[#rows].lost)
    local code = labs.code_of(world.discard, world, world:pending()[1].kind == "timer"
      and world:pending()[1] or world:pending()[2])
    assert.equal("argument_invalid", code)
    world:run(100)
    assert.equal(1, world.nodes[1].state.n)
    assert.equal(1, world.lost)
  end)

  it("is taken once, and only while it waits", function()
    local world <close> = labs.world("node:on('x', function() end) node:after(9, function() end)",
      {clients = {function(client) client:send("n1", {type = "x"}) end}})
    local first = world:pending()[1]
    assert.is_true(world:take(first))
    for _, wrong in ipairs{first, {}, {key = 1}, {key = first.key, value = {}}, false, "x"} do
      assert.equal("event_gone", (labs.code_of(world.take, world, wrong)))
    end
    assert.equal("event_gone", (labs.code_of(world.discard, world, first)))
    assert.equal(1, #world:pending())
    world:crash(1)
    assert.equal(0, #world:pending()) -- a timer of a life that is over is none
    world:close()
    assert.equal("world_closed", (labs.code_of(world.take, world, first)))
  end)

  it("ends with the verdict, and is refused inside of the run", function()
    local world <close> = labs.world("node:every(1, function() error('no') end)")
    assert.is_true(world:take(world:pending()[1]))
    assert.equal("handler_error", world.verdict.kind)
    world:after(1, function() end)
    assert.is_false(world:take(world:pending()[1]))
    local other <close> = labs.world("node:every(1, function() end)", {events_max = 3})
    local code
    other:after(0, function() code = labs.code_of(other.take, other, other:pending()[1]) end)
    for _ = 1, 3 do other:take(other:pending()[1]) end
    assert.equal("world_busy", code)
    assert.equal("events_exceeded", other.verdict.kind)
  end)
end)
