local lab = require "jangada.lab"
local labs = require "spec.support.labs"

-- n1 sends a numbered message to all each millisecond; all note what came, and from whom.
local ticker = [[
  node.state = {seen = {}, role = node.id == "n1" and "leader" or "follower", term = 1}
  node:on("tick", function(message) table.insert(node.state.seen, message.body.n) end)
  node:on("hello", function(message)
    table.insert(node.state.seen, message.src .. ">" .. node.id)
  end)
  if node.id == "n1" then
    for n = 1, options.count or 0 do
      node:after(n, function() node:broadcast{type = "tick", n = n} end)
    end
  end
]]

local function world_of(count, options)
  local config = {nodes = 2, options = {count = count}}
  for name, value in pairs(options or {}) do config[name] = value end
  return labs.world(ticker, config)
end

local function is_sorted(list)
  for i = 2, #list do
    if list[i] < list[i - 1] then return false end
  end
  return true
end

local function seen_by(world, which) return world:node(which).state.seen end

-- The links on which a message arrives now, of the nodes and the client c1.
local function reach(world)
  for _, machine in ipairs(world.nodes) do machine.state.seen = {} end
  local all = {}
  local from = {table.unpack(world.ids)}
  table.insert(from, "c1")
  for _, src in ipairs(from) do
    for _, dest in ipairs(world.ids) do
      if src ~= dest then
        local message = {src = src, dest = dest, body = {type = "hello"}}
        world.host.transmit(world.endpoints[src], {n = 2, message, 1})
      end
    end
  end
  world:run(50)
  for _, machine in ipairs(world.nodes) do
    for _, link in ipairs(machine.state.seen) do all[#all + 1] = link end
  end
  table.sort(all)
  return table.concat(all, " ")
end

describe("duplication", function()
  it("lets each message arrive twice, each time as a table of its own", function()
    local bodies = {}
    local world <close> = world_of(20, {network = {duplication = 1}, observe = function(event)
      if event.kind == "send" and event.copy then bodies[#bodies + 1] = event.body.n end
    end})
    world:run(200)
    local counts = {}
    for _, n in ipairs(seen_by(world, 2)) do counts[n] = (counts[n] or 0) + 1 end
    for n = 1, 20 do assert.equal(2, counts[n]) end
    assert.equal(20, #bodies)
    local report = world:report()
    assert.same({20, 20, 40}, {report.sent, report.duplicated, report.delivered})
  end)

  it("does not change what the handler of the second is given", function()
    local world <close> = labs.world([[
      node.state = {seen = {}}
      node:on("list", function(message)
        table.insert(node.state.seen, #message.body.list)
        table.insert(message.body.list, "more")
      end)
      if node.id == "n1" then node:send("n2", {type = "list", list = {1, 2}}) end
    ]], {nodes = 2, network = {duplication = 1}})
    world:run(100)
    assert.same({2, 2}, world:node(2).state.seen)
  end)

  it("strikes the share that it says, and leaves the delays of the first as they were", function()
    local function arrivals(duplication)
      local world <close> = world_of(500, {network = {duplication = duplication}})
      world:run(1000)
      return seen_by(world, 2), world.duplicated
    end
    local plain, none = arrivals(0)
    local twice, some = arrivals(0.3)
    assert.equal(0, none)
    assert.is_true(math.abs(some - 150) < 40, some)
    local firsts, met = {}, {}
    for _, n in ipairs(twice) do met[n] = (met[n] or 0) + 1 end
    for _, n in ipairs(twice) do
      if met[n] == 1 then firsts[#firsts + 1] = n end
    end
    local expected = {}
    for _, n in ipairs(plain) do
      if met[n] == 1 then expected[#expected + 1] = n end
    end
    assert.same(expected, firsts)
  end)
end)

describe("corruption", function()
  it("is noticed: the message is dropped, and counted as such", function()
    local why = {}
    local world <close> = world_of(20, {network = {corruption = 1}, observe = function(event)
      if event.kind == "send" then why[#why + 1] = event.lost end
    end})
    world:run(200)
    assert.equal(0, #seen_by(world, 2))
    assert.equal("corrupted", why[20])
    local report = world:report()
    assert.same({20, 20}, {report.lost, report.corrupted})
    world:set_corruption(0)
    assert.equal("c1>n1 c1>n2 n1>n2 n2>n1", (world:client("c1") and reach(world)))
  end)
end)

describe("order", function()
  it("is not kept, unless the links keep it", function()
    for _, fifo in ipairs{false, true} do
      local world <close> = world_of(200, {network = {fifo = fifo, delay_ms = {1, 50},
        duplication = 0.2}})
      world:run(500)
      assert.equal(fifo, is_sorted(seen_by(world, 2)))
      assert.is_true(#seen_by(world, 2) > 200)
    end
  end)

  it("is broken by messages that are late, even where links keep it", function()
    local world <close> = world_of(200, {network = {delay_ms = {2, 2}, fifo = true}})
    world:set_reorder(0.1, {"constant", 100})
    world:run(500)
    local seen = seen_by(world, 2)
    assert.equal(200, #seen)
    local late = 0
    for i = 2, #seen do
      if seen[i] < seen[i - 1] then late = late + 1 end
    end
    assert.is_true(late >= 5 and late <= 40, late)
    world:set_reorder(nil)
    assert.equal(0, world.network.reorder)
  end)
end)

describe("a slow link", function()
  it("has a delay of its own, in one direction", function()
    local at_ms = {}
    local world <close> = world_of(0, {network = {delay_ms = {2, 2}}, observe = function(event)
      if event.kind == "deliver" then at_ms[event.src] = event.time_us / 1000 end
    end})
    world:client("c1")
    local slow = world:slow(1, 2, {"constant", 30})
    reach(world)
    assert.equal(30, at_ms.n1)
    assert.equal(2, at_ms.n2)
    assert.is_true(world:mend(slow))
    reach(world)
    assert.equal(52, at_ms.n1)
    assert.is_false(world:mend(slow))
  end)
end)

describe("a clog", function()
  it("holds what is sent, and lets it go in the end", function()
    local world <close> = world_of(20, {network = {delay_ms = {1, 1}}})
    world:run(5.5)
    local clog = world:clog(1, 2)
    world:run(100)
    assert.same({1, 2, 3, 4, 5}, seen_by(world, 2)) -- the last was on its way
    world:mend(clog)
    world:run(1)
    assert.equal(20, #seen_by(world, 2))
    assert.is_true(is_sorted(seen_by(world, 2)))
    assert.equal(0, world.lost)
  end)

  it("keeps the order of links that keep theirs, and hands on to the next clog", function()
    local world <close> = world_of(40, {network = {delay_ms = {1, 30}, fifo = true}})
    world:run(10)
    local first = world:clog(1, 2)
    world:run(10)
    local second = world:clog(nil, 2)
    world:run(10)
    local before = #seen_by(world, 2)
    world:mend(first)
    world:run(40)
    assert.is_true(#seen_by(world, 2) < 20 and before < 20)
    world:mend(second)
    world:run(100)
    assert.equal(40, #seen_by(world, 2))
    assert.is_true(is_sorted(seen_by(world, 2)))
  end)

  it("holds no more than the queue may", function()
    local world <close> = world_of(200, {queue_max = 250})
    world:set_duplication(1)
    world:clog()
    assert.equal("queue_exceeded", world:run(1000).kind)
  end)
end)

describe("a cut", function()
  local function world_of_four()
    local world = labs.world(ticker, {nodes = 4})
    world:client("c1")
    return world
  end

  it("lets through what it does not name", function()
    local world <close> = world_of_four()
    local all = "c1>n1 c1>n2 c1>n3 c1>n4 n1>n2 n1>n3 n1>n4 n2>n1 n2>n3 n2>n4 n3>n1 n3>n2 n3>n4 "
      .. "n4>n1 n4>n2 n4>n3"
    for _, case in ipairs{
      {"one_way", {1, {"n2", "n3"}}, "n1>n2 n1>n3"},
      {"one_way", {"c1", 4}, "c1>n4"},
      {"partial", {"leader", {3}}, "n1>n3 n3>n1"},
      {"isolate", {"leader"}, "c1>n1 n1>n2 n1>n3 n1>n4 n2>n1 n3>n1 n4>n1"},
      {"bridge", {2, {3}}, "n1>n3 n3>n1 n3>n4 n4>n3"},
      {"ring", {}, "n1>n3 n2>n4 n3>n1 n4>n2"},
      {"star", {"n4"}, "n1>n2 n1>n3 n2>n1 n2>n3 n3>n1 n3>n2"},
    } do
      local verb, arguments, cut = table.unpack(case)
      local layer = world[verb](world, table.unpack(arguments))
      local left = all
      for link in cut:gmatch("%S+") do left = left:gsub(link .. " ?", "") end
      assert.equal((left:gsub(" $", "")), reach(world))
      world:mend(layer)
      assert.equal(all, reach(world))
    end
  end)

  it("stands beside others, and all end when the network heals", function()
    local world <close> = world_of_four()
    local way = world:one_way(1, 2)
    world:partition{{3}}
    world:star(4)
    world:mend(way)
    assert.equal("c1>n1 c1>n2 c1>n3 c1>n4 n1>n4 n2>n4 n4>n1 n4>n2", reach(world))
    world:rejoin()
    assert.equal("c1>n1 c1>n2 c1>n3 c1>n4 n1>n4 n2>n4 n3>n4 n4>n1 n4>n2 n4>n3", reach(world))
    world:heal()
    assert.equal(12 + 4, select(2, reach(world):gsub(">", "")))
  end)

  it("stops what is on its way", function()
    local world <close> = world_of(20, {network = {delay_ms = {10, 10}}})
    world:run(15)
    local before = #seen_by(world, 2)
    world:one_way(1, 2)
    world:run(100)
    assert.equal(before, #seen_by(world, 2))
  end)

  it("flaps: it comes and goes until it is mended, or all is healed", function()
    for _, is_healed in ipairs{false, true} do
      local flips = 0
      local world <close> = world_of(100, {network = {delay_ms = {1, 1}}, observe = function(event)
        if event.shape then flips = flips + 1 end
      end})
      local layer = world:flapping(2, 10, 20)
      world:run(70)
      local came = {}
      for _, n in ipairs(seen_by(world, 2)) do came[n] = true end
      for n = 1, 65 do
        assert.equal(n % 30 > 10 and n % 30 < 29, came[n] == true, n)
      end
      if is_healed then world:heal() else assert.is_true(world:mend(layer)) end
      assert.is_false(world:mend(layer))
      flips = 0
      world:run(100)
      assert.equal(0, flips)
      assert.is_true(#seen_by(world, 2) > 60)
      local last = seen_by(world, 2)[#seen_by(world, 2)]
      assert.equal(100, last)
    end
  end)
end)

describe("the verbs of the network", function()
  it("refuse what makes no sense, and change nothing", function()
    local world <close> = world_of(0)
    local hash = world:hash()
    for _, case in ipairs{
      {"option_invalid", "set_duplication", 2}, {"option_invalid", "set_corruption", "x"},
      {"option_invalid", "set_reorder", 2}, {"option_invalid", "set_reorder", 0.1, {3, 1}},
      {"option_invalid", "set_fifo", 1}, {"option_invalid", "set_delay", {"normal", 1, 2}},
      {"option_invalid", "one_way", nil, 2}, {"option_invalid", "one_way", 1, {}},
      {"unknown_node", "one_way", 1, 9}, {"unknown_node", "isolate", "n7"},
      {"unknown_node", "isolate"}, {"unknown_node", "bridge", 1, {"x"}},
      {"option_invalid", "ring", {1, 1}}, {"option_invalid", "ring", {1}},
      {"option_invalid", "flapping", 1, 0, 5}, {"option_invalid", "flapping", 1, 5},
      {"option_invalid", "slow", 1, 2}, {"unknown_node", "clog", 5},
      {"option_invalid", "mend"}, {"option_invalid", "mend", {}},
    } do
      local code = labs.code_of(world[case[2]], world, case[3], case[4], case[5])
      assert.equal(case[1], code, case[2])
    end
    assert.equal(hash, world:hash())
    assert.is_false(world.network.is_troubled)
  end)

  it("cannot be used in a node's turn, nor in a world that is closed", function()
    local world = world_of(0)
    world.in_turn = true
    assert.equal("world_busy", (labs.code_of(world.ring, world)))
    world.in_turn = false
    world:close()
    assert.equal("world_closed", (labs.code_of(world.clog, world)))
  end)

  it("find a leader that is not there", function()
    local world <close> = world_of(0)
    world:crash(1)
    world:crash(2)
    assert.is_nil(world:isolate("leader"))
    assert.is_nil(world:flapping("leader", 5, 5))
    assert.is_nil(world:bridge("leader"))
    assert.is_nil(world:star("leader"))
  end)

  it("are options of the network, too", function()
    assert.equal("option_invalid", (labs.code_of(lab.new, {protocol = "jangada.raft.protocol",
      network = {fifo = 1}})))
    assert.equal("option_unknown", (labs.code_of(lab.new, {protocol = "jangada.raft.protocol",
      network = {reorder = 1}})))
  end)
end)
