-- Whether a protocol gets on once a core of its nodes is well.
local labs = require "spec.support.labs"

-- A token goes around. Who passes it on sends it once; if it is lost, nobody has it.
local TOKEN <const> = [[
  local order = {"n1", "n2", "n3"}
  local next_id = order[tonumber(node.id:sub(2)) % 3 + 1]
  node.state = {passed = 0}
  local function pass()
    node.state.passed = node.state.passed + 1
    node:committed(node.state.passed, 1, "token")
    node:send(next_id, {type = "token"})
    if options.again then node:after(50, pass) end
  end
  node:on("token", function() node:after(10, pass) end)
  if node.id == "n1" then node:after(10, pass) end
]]

-- Whether somebody has passed it on since the first call.
local function passes()
  local before
  return function(world)
    local sum = 0
    for _, machine in ipairs(world.nodes) do
      sum = sum + (machine.state and machine.state.passed or 0)
    end
    before = before or sum
    return sum > before
  end
end

local function new_world(options)
  local config = {nodes = 3, network = {delay_ms = {1, 1}}, liveness = {progress = passes(),
    bound_ms = 1000}}
  for name, value in pairs(options or {}) do config[name] = value end
  return labs.world(TOKEN, config)
end

describe("progress", function()
  it("is asked for at the end, and there where a protocol gets on", function()
    local world <close> = new_world()
    world:run(100)
    assert.is_nil(world:finish())
    assert.is_true(world.time_us < 150000)
  end)

  it("that is not there is a verdict, with who is stuck and since when", function()
    local world <close> = new_world()
    world:run(100)
    world:set_loss(1)
    world:run(100)
    local verdict = world:finish()
    assert.equal("stuck", verdict.kind)
    assert.equal(1200000, verdict.time_us)
    assert.matches("no progress in 1000 ms, with n%d, .* well since 200.000 ms", verdict.message)
    local oldest
    for _, machine in ipairs(world.core) do
      oldest = oldest and oldest.changed_us < machine.changed_us and oldest or machine
    end
    assert.equal(oldest.id, verdict.node)
    assert.is_true(oldest.changed_us < 110000)
    assert.matches(("%s is the same since %.3f ms$"):format(oldest.id, oldest.changed_us / 1000),
      verdict.message)
    assert.matches("n%d: its state is the same since [%d.]+ ms, and it told of its last commit at "
      .. "[%d.]+ ms: passed=%d", verdict.story)
  end)

  it("comes back where what is lost is sent again", function()
    for seed = 1, 20 do
      local world <close> = new_world{seed = seed, options = {again = true},
        faults = {duration_ms = 400}}
      world:run(seed * 20)
      assert.is_nil(world:finish())
    end
  end)

  it("may be asked for at a time, and then has its bound from there", function()
    local world <close> = new_world{liveness = {progress = passes(), after_ms = 100,
      bound_ms = 300}}
    world:after(50, function() world:set_loss(1) end)
    local verdict = world:run(1000)
    assert.equal("stuck", verdict.kind)
    assert.equal(400000, verdict.time_us)
    local early <close> = new_world{liveness = {progress = passes(), after_ms = 100,
      bound_ms = 300}}
    early:run(200)
    assert.is_nil(early:finish())
  end)

  it("has what it needs to be asked for", function()
    local progress = passes()
    for _, liveness in ipairs{{}, {progress = 5}, {progress = progress, bound_ms = -1},
      {progress = progress, after_ms = "x"}} do
      assert.equal("option_invalid", (labs.code_of(new_world, {liveness = liveness})))
    end
    assert.equal("option_unknown", (labs.code_of(new_world, {liveness = {since = 1}})))
  end)

  it("of clients that count their answers is that each has another one, or is done", function()
    local world <close> = labs.raft_world{liveness = {bound_ms = 2000}, nodes = 3}
    world:run(1000)
    assert.is_nil(world:finish())
    local stuck <close> = labs.raft_world{nodes = 3, options = {heartbeat_ms = 50},
      liveness = {bound_ms = 2000}, protocol = {name = "no_commit", source = [[
        return require("jangada.raft").with{leader_commit = function() return 0 end}
      ]]}}
    stuck:run(1000)
    local verdict = stuck:finish()
    assert.equal("stuck", verdict.kind)
    assert.matches("\nc1: it was answered 0 times, the last time at the beginning", verdict.story)
  end)
end)

describe("a core", function()
  it("is well, and what is wrong beyond it stays so", function()
    local sizes = {}
    for seed = 1, 30 do
      local world <close> = labs.world("node.state = {} node:every(5, function() end)", {
        seed = seed, nodes = 5, network = {delay_ms = {1, 1}, loss = 0.2}, faults = {
          {at_ms = 10, kind = "partition", groups = {{1, 2}, {3, 4, 5}}, for_ms = 100},
          {at_ms = 10, kind = "clog", for_ms = 100},
          {at_ms = 10, kind = "one_way", from = {1, 3}, to = {2, 4}, for_ms = 100},
          {at_ms = 10, kind = "crash", node = 1, for_ms = 100},
          {at_ms = 10, kind = "pause", node = 2, for_ms = 100},
          {at_ms = 10, kind = "clock_drift", node = 3, rate = 0.5, for_ms = 100},
          {at_ms = 10, kind = "slow_disk", node = 4, flush_ms = {5, 5}, for_ms = 100},
          {at_ms = 10, kind = "failing_disk", node = 5, call = "write", error = "EIO",
            for_ms = 100},
          {at_ms = 90, kind = "crash", node = 5, for_ms = 10},
        }})
      world:run(50)
      local is_core = {}
      for _, id in ipairs(world:heal_core()) do is_core[id] = true end
      sizes[#world.core] = true
      world:run(200)
      local nodes, network = world.nodes, world.network
      assert.equal(is_core.n1 or false, nodes[1].up)
      assert.equal(not is_core.n2, nodes[2].paused)
      assert.equal(is_core.n3 and 1000000 or 500000, nodes[3].clock.rate)
      assert.equal(not is_core.n4, nodes[4].flush_law ~= false)
      assert.equal(not is_core.n5, world.disk.failures.n5 ~= nil)
      assert.is_true(nodes[5].up)
      local function is_well(src, dest) return is_core[src] and is_core[dest] or false end
      assert.equal(not is_well("n1", "n3"), network:is_cut("n1", "n3"))
      assert.equal(not is_well("n1", "n2"), network:is_cut("n1", "n2"))
      assert.is_false(network:is_cut("n2", "n1"))
      assert.equal(not is_well("n4", "n5"), network.layers[1].links.n4.n5 or false)
      assert.equal(0, network.loss)
    end
    assert.same({[3] = true, [4] = true, [5] = true}, sizes)
  end)

  it("gets what a clog has held on its links", function()
    local world <close> = labs.world([[
      node.state = {n = 0}
      node:on("hi", function() node.state.n = node.state.n + 1 end)
      if node.id == "n1" then node:after(5, function() node:broadcast{type = "hi"} end) end
    ]], {nodes = 3, network = {delay_ms = {1, 1}}})
    world:clog(nil, nil)
    world:run(10)
    local ids = world:heal_core()
    world:run(10)
    local is_core = {}
    for _, id in ipairs(ids) do is_core[id] = true end
    for i = 2, 3 do
      local id = "n" .. i
      assert.equal(is_core.n1 and is_core[id] and 1 or 0, world.nodes[i].state.n)
    end
  end)

  it("is of nodes that are not lost", function()
    for seed = 1, 10 do
      local world <close> = labs.world("", {seed = seed, nodes = 3})
      world:crash(2)
      world.nodes[2].is_lost = true
      assert.same({"n1", "n3"}, world:heal_core())
    end
    local few <close> = labs.world("", {nodes = 3})
    few.nodes[2].is_lost, few.nodes[3].is_lost = true, true
    assert.is_nil(few:heal_core())
  end)
end)
