-- What is done to the nodes of a world, by hand; and how long a world may go on.
local labs = require "spec.support.labs"

local world_of = labs.world

describe("a crash", function()
  local body = [[
    local volatile = 0
    local durable = node.db:view(function(tx)
      local b = tx:bucket("b")
      return b and tonumber(b:get("n")) or 0
    end)
    node.state = {volatile = volatile, durable = durable}
    node:on("add", function(message)
      volatile = volatile + 1
      durable = node.db:update(function(tx)
        local b = tx:ensure_bucket("b")
        local n = tonumber(b:get("n") or "0") + 1
        b:put("n", tostring(n))
        return n
      end)
      node.state = {volatile = volatile, durable = durable}
      node:reply(message, {type = "add_ok"})
    end)
    node:after(50, function() node.state.fired = true end)
  ]]

  it("loses what is volatile and keeps what is durable", function()
    local world <close> = world_of(body, {network = {delay_ms = {1, 1}}})
    for _ = 1, 3 do assert.equal("add_ok", world:request(1, {type = "add"}).type) end
    assert.same({volatile = 3, durable = 3}, world.nodes[1].state)
    assert.is_true(world:crash(1))
    assert.is_false(world:crash("n1"))
    assert.is_nil(world.nodes[1].state)
    assert.is_nil(world.nodes[1].db)
    assert.is_false(world.nodes[1].up)
    assert.is_nil(world:request(1, {type = "add"}, 20))
    assert.is_true(world:restart(1))
    assert.is_false(world:restart(1))
    assert.same({volatile = 0, durable = 3}, world.nodes[1].state)
    assert.equal("add_ok", world:request(1, {type = "add"}).type)
    assert.same({volatile = 1, durable = 4}, world.nodes[1].state)
    assert.equal(2, world.nodes[1].boots)
  end)

  it("ends the timers of the life it ends, and no others", function()
    local world <close> = world_of(body)
    world:run(40)
    world:crash(1)
    world:restart(1)
    world:run(20)
    assert.is_nil(world.nodes[1].state.fired)
    world:run(40)
    assert.is_true(world.nodes[1].state.fired)
  end)

  it("loses the messages that arrive while the node is down", function()
    local world <close> = world_of(body, {network = {delay_ms = {10, 10}}})
    world:client("c1"):send("n1", {type = "add"})
    world:run(5)
    world:crash(1)
    world:run(10)
    world:restart(1)
    world:run(30)
    assert.equal(0, world.nodes[1].state.durable)
    assert.equal(1, world.lost)
  end)

  it("cannot be made while a turn is under way, but next", function()
    local world
    world = world_of([[node:after(5, function() node:trace("here") end)]], {
      observe = function(event)
        if event.kind == "trace" then
          assert.equal("world_busy", (labs.code_of(world.crash, world, 1)))
          assert.equal("world_busy", (labs.code_of(world.run, world, 1)))
          world:after(0, function() world:crash(1) end)
        end
      end,
    })
    assert.is_nil(world:run(10))
    assert.is_false(world.nodes[1].up)
    world:close()
  end)
end)

describe("a partition", function()
  it("blocks both ways, also what is on its way, and heals", function()
    local world <close> = world_of([[
      node.state = {heard = {}}
      node:on("hi", function(message) node.state.heard[message.src] = node:now() end)
      node:every(10, function() node:broadcast{type = "hi"} end)
    ]], {nodes = 3, network = {delay_ms = {5, 5}}})
    local function heard(i, j) return world.nodes[i].state.heard["n" .. j] end
    world:run(12) -- messages are on their way
    world:partition({1}, {2, 3})
    world:run(100)
    assert.is_nil(heard(1, 2))
    assert.is_nil(heard(2, 1))
    assert.is_nil(heard(3, 1))
    assert.equal(105, heard(2, 3))
    assert.equal(105, heard(3, 2))
    world:heal()
    world:run(20)
    assert.equal(125, heard(1, 2))
    assert.equal(125, heard(2, 1))
    world:partition{{"n1", "n2"}}
    world:run(50)
    assert.equal(175, heard(1, 2))
    assert.equal(125, heard(1, 3))
    assert.equal("unknown_node", (labs.code_of(world.partition, world, {1, 9})))
  end)
end)

describe("a pause", function()
  it("makes everything wait, and come at once in its order", function()
    local world <close> = world_of([[
      node.state = {}
      node:on("note", function(message)
        table.insert(node.state, message.body.n .. "@" .. node:now())
      end)
      node:after(30, function() table.insert(node.state, "timer@" .. node:now()) end)
    ]], {network = {delay_ms = {1, 1}}})
    local client = world:client("c1")
    for i, ms in ipairs{9, 19, 39} do
      client:after(ms, function() client:send("n1", {type = "note", n = i}) end)
    end
    world:run(15)
    assert.is_true(world:pause(1))
    assert.is_false(world:pause(1))
    world:run(45)
    assert.same({"1@10"}, world.nodes[1].state)
    assert.is_true(world:resume(1))
    assert.is_false(world:resume(1))
    world:run(1)
    assert.same({"1@10", "2@60", "timer@60", "3@60"}, world.nodes[1].state)
  end)

  it("lets a timer be put off by what waited before it", function()
    local world <close> = world_of([[
      node.state = {}
      local timer = node:after(30, function() node.state.fired = node:now() end)
      node:on("heartbeat", function() timer:reset(30) end)
    ]], {network = {delay_ms = {1, 1}}})
    world:run(10)
    world:pause(1)
    world:client("c1"):send("n1", {type = "heartbeat"})
    world:run(90)
    world:resume(1)
    world:run(100)
    assert.equal(130, world.nodes[1].state.fired)
  end)

  it("ends with a crash, and what waited is lost", function()
    local world <close> = world_of([[
      node.state = {got = 0}
      node:on("x", function() node.state.got = node.state.got + 1 end)
    ]])
    world:pause(1)
    world:client("c1"):send("n1", {type = "x"})
    world:run(50)
    world:crash(1)
    world:restart(1)
    world:run(50)
    assert.equal(0, world.nodes[1].state.got)
    assert.is_false(world.nodes[1].paused)
  end)
end)

describe("a budget", function()
  it("of events ends a run that goes on and on", function()
    local world <close> = world_of("node:every(1, function() end)", {events_max = 500})
    local verdict = world:run(10000)
    assert.equal("events_exceeded", verdict.kind)
    assert.equal(500, world.events)
    assert.is_false(world:step())
  end)

  it("of waiting messages ends a message storm", function()
    local world <close> = world_of([[
      node:on("x", function() node:broadcast{type = "x"} node:broadcast{type = "x"} end)
      node:broadcast{type = "x"}
    ]], {nodes = 3, queue_max = 1000})
    assert.equal("queue_exceeded", world:run(10000).kind)
    assert.is_true(world.heap.size <= 1000)
  end)

  it("ends a turn that sends without end too", function()
    local world <close> = world_of([[
      for i = 1, 5000 do node:send("n1", {type = "x"}) end
    ]], {queue_max = 1000})
    assert.equal("queue_exceeded", world.verdict.kind)
  end)
end)
