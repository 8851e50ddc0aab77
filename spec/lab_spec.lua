local lab = require "jangada.lab"
local labs = require "spec.support.labs"
local store = require "jangada.store"

local world_of = labs.world
local ping = "spec/support/protocols/ping.lua"
local gossip = "spec/support/protocols/gossip.lua"

-- Five nodes that ping each other, with faults; the hash after two seconds and the events.
local function run_ping(seed, options, ms)
  local config = {seed = seed, nodes = 5, protocol = ping, faults = {duration_ms = 1500}}
  for name, value in pairs(options or {}) do config[name] = value end
  local world <close> = lab.new(config)
  assert.is_nil(world:run(ms or 2000), tostring(world.verdict))
  return world:hash(), world.events
end

describe("a run", function()
  it("has the same hash for the same seed", function()
    for seed = 1, 3 do assert.equal(run_ping(seed), (run_ping(seed))) end
  end)

  it("has another hash for another seed", function()
    local seen = {}
    for seed = 1, 8 do
      local hash = run_ping(seed)
      assert.is_nil(seen[hash])
      seen[hash] = seed
    end
  end)

  it("has the same hash in another process", function()
    local program = [[
      local lab = require "jangada.lab"
      for seed = 1, 2 do
        local world <close> = lab.new{seed = seed, nodes = 5, protocol = %q,
          faults = {duration_ms = 1500}}
        world:run(2000)
        io.write(world:hash(), " ", world.events, "\n")
      end]]
    for _, protocol in ipairs{ping, gossip, "jangada.raft.protocol"} do
      local here = {}
      for seed = 1, 2 do
        local hash, events = run_ping(seed, {protocol = protocol})
        here[seed] = hash .. " " .. events .. "\n"
      end
      assert.equal(table.concat(here), labs.run_process(program:format(protocol)))
    end
  end)

  it("has the same hash observed or not, judged or not, on any disk", function()
    local hash = run_ping(3)
    assert.equal(hash, (run_ping(3, {observe = function() end})))
    assert.equal(hash, (run_ping(3, {invariants = {}})))
    local longer = run_ping(3, {}, 60)
    for _, durability in ipairs{"commit", "journal"} do
      assert.equal(longer, (run_ping(3, {durability = durability}, 60)))
    end
  end)

  it("has another hash when a node's state, a message or a trace is another", function()
    local function hash_of(body)
      local world <close> = world_of(body, {nodes = 2})
      assert.is_nil(world:run(50))
      return world:hash()
    end
    local plain_hash = hash_of("node.state = {x = 1}")
    assert.equal(plain_hash, hash_of("node.state = {x = 1}"))
    assert.not_equal(plain_hash, hash_of("node.state = {x = 2}"))
    assert.not_equal(plain_hash, hash_of("node.state = {x = 1} node:trace('t')"))
    assert.not_equal(hash_of("node:trace('t', {1})"), hash_of("node:trace('t', {2})"))
    local send = "node:on('m', function() end) node:broadcast{type = 'm', x = %d}"
    assert.not_equal(hash_of(send:format(1)), hash_of(send:format(2)))
  end)

  it("takes the same events whether run at once, in parts or step by step", function()
    local function world() return lab.new{seed = 5, nodes = 3, protocol = ping} end
    local a, b, c, d = world(), world(), world(), world()
    a:run(500)
    for _ = 1, 50 do b:run(10) end
    repeat c:step() until c.events >= a.events
    d:run_until(function(w) return w.events == a.events end, 500)
    assert.equal(a:hash(), b:hash())
    assert.equal(a:hash(), c:hash())
    assert.equal(a:hash(), d:hash())
    assert.equal(500000, b.time_us)
    for _, each in ipairs{a, b, c, d} do each:close() end
  end)
end)

describe("a world", function()
  it("gives its nodes' stores files, and removes them", function()
    local world = lab.new{nodes = 2, protocol = ping}
    local paths = {world.disk:path("n1"), world.disk:path("n2")}
    for _, path in ipairs(paths) do assert(io.open(path)):close() end
    world:close()
    world:close()
    for _, path in ipairs(paths) do
      assert.is_nil((io.open(path)))
      assert.is_nil((io.open(path .. "-lock")))
    end
    assert.equal("world_closed", (labs.code_of(world.run, world, 1)))
    assert.equal("world_closed", (labs.code_of(world.crash, world, 1)))
  end)

  it("leaves nothing behind when it is collected, or the process ends", function()
    local path = labs.run_process(([[
      local world = require("jangada.lab").new{nodes = 1, protocol = %q}
      world:run(100)
      io.write(world.disk:path("n1"))]]):format(ping))
    assert.matches("n1.db$", path)
    assert.is_nil((io.open(path)))
    assert.is_nil((io.open(path:match("^(.*)/"))))
  end)

  it("leaves the stores in a directory that it is given, which must hold none", function()
    local directory = os.tmpname()
    os.remove(directory)
    local config = {nodes = 1, protocol = ping, directory = directory .. "/it's here"}
    local world = lab.new(config)
    world:run(200)
    world:close()
    local db = assert(store.open(config.directory .. "/n1.db"))
    db:close()
    assert.equal("directory_invalid", (labs.code_of(lab.new, config)))
    os.execute(("rm -r '%s'"):format(directory))
    config.directory = "/proc/nowhere"
    assert.equal("directory_invalid", (labs.code_of(lab.new, config)))
  end)

  it("knows its options, and their types", function()
    for _, options in ipairs{{nodes = 0}, {nodes = 65}, {nodes = "3"}, {seed = 1.5}, {clients = 5},
      {durability = "maybe"}, {observe = 1}, {network = {loss = 2}}, {faults = {5}},
      {requests_max = -1}, {requests_max = 1.5}, {requests_max = "5"}, {operations_max = -1},
      {operations_max = 1.5}, {operations_max = {}}} do
      options.protocol = ping
      assert.equal("option_invalid", (labs.code_of(lab.new, options)))
    end
    assert.equal("option_unknown", (labs.code_of(lab.new, {protocol = ping, node = 3})))
    assert.equal("option_unknown",
      (labs.code_of(lab.new, {protocol = ping, network = {lose = 0.2}})))
    assert.equal("option_invalid",
      (labs.code_of(lab.new, {protocol = ping, invariants = {{name = "x", trun = print}}})))
    assert.equal("not_plain", (labs.code_of(lab.new, {protocol = ping, options = {fn = print}})))
  end)

  it("answers a request, or nil in time", function()
    local world <close> = world_of([[
      node:on("echo", function(message)
        node:reply(message, {type = "echo_ok", x = message.body.x})
      end)
      node:on("mute", function() end)
    ]], {nodes = 2})
    local reply = world:request("n2", {type = "echo", x = {1, 2}})
    assert.equal("echo_ok", reply.type)
    assert.same({1, 2}, reply.x)
    local before = world.time_us
    assert.is_nil(world:request(1, {type = "mute"}, 70))
    assert.is_true(math.abs(world.time_us - before - 70000) <= 1)
    assert.equal("unknown_node", (labs.code_of(world.request, world, 9, {type = "echo"})))
    assert.equal("not_plain", (labs.code_of(world.request, world, 1, {type = "echo", x = print})))
    assert.equal("body_invalid", (labs.code_of(world.request, world, 1, {})))
  end)

  it("runs its clients, which have names, time-outs and handlers", function()
    local told = {}
    local world <close> = world_of([[
      node:on("ask", function(message)
        node:send(message.src, {type = "news"})
        node:reply(message, {type = "ask_ok"})
      end)
      node:on("mute", function() end)
    ]], {clients = {
      function(client)
        client:on("news", function(message)
          told[#told + 1] = client.id .. " news " .. message.src
        end)
        client:request("n1", {type = "ask"}, 100, function(body) told[#told + 1] = body.type end)
      end,
      {start = function(_, client)
        client:request("n1", {type = "mute"}, 100, function(body)
          told[#told + 1] = client.id .. tostring(body) .. client.world.time_us
        end)
      end},
    }, network = {delay_ms = {1, 1}}})
    world:run(500)
    assert.same({"c1 news n1", "ask_ok", "c2nil100000"}, told)
    assert.equal("option_invalid", (labs.code_of(world.client, world, "n1")))
  end)

  it("tells an observer what happens", function()
    local rows = {}
    local world <close> = lab.new{seed = 1, nodes = 2, protocol = ping, network = {loss = 0.3},
      observe = function(row)
        assert.equal("integer", math.type(row.time_us))
        rows[row.kind] = (rows[row.kind] or 0) + 1
      end}
    world:run(200)
    world:crash(1)
    world:run(50)
    world:restart(1)
    world:partition{{1}}
    world:heal()
    world:pause(2)
    world:resume(2)
    for _, kind in ipairs{"boot", "send", "deliver", "timer", "state", "crash", "drop", "partition",
      "heal", "pause", "resume"} do
      assert.is_not_nil(rows[kind], kind)
    end
  end)

  it("reports", function()
    local world <close> = lab.new{seed = 9, nodes = 2, protocol = ping}
    world:run(100)
    local report = world:report()
    assert.equal(9, report.seed)
    assert.is_nil(report.verdict)
    assert.equal(100.0, report.time_ms)
    assert.equal(world:hash(), report.hash)
    local timers = 2 -- wait in the queue, with the messages on their way
    assert.equal(report.sent, report.delivered + report.lost + world.heap.size - timers)
    assert.equal(world.events, report.delivered + report.timers)
    assert.same({"n1", "n2"}, {report.nodes[1].id, report.nodes[2].id})
    assert.same(world.nodes[1].state, report.nodes[1].state)
  end)

  it("has a verdict that says what, when and where", function()
    local world <close> = world_of("node:after(1.5, function() error('boom', 0) end)")
    assert.equal("handler_error at 1.500 ms on n1: boom", tostring(world:run(10)))
  end)

  it("runs for a time that there is", function()
    local world <close> = world_of("")
    for _, ms in ipairs{-1, 0 / 0, 1 / 0, 1e300, "10", {}} do
      assert.equal("argument_invalid", (labs.code_of(world.run, world, ms)))
    end
    assert.equal(0, world.time_us)
  end)
end)
