-- All that can happen in a small world, in every order.
local lab = require "jangada.lab"
local labs = require "spec.support.labs"
local oracles = require "jangada.lab.oracle"

local explore = lab.explore

-- What makes worlds of a protocol whose body is given as text.
local function maker(body, options)
  local config = {nodes = 2, invariants = {}}
  for name, value in pairs(options or {}) do config[name] = value end
  config.protocol = {name = "toy", source = "return function(node, options) " .. body .. "\nend"}
  return function() return config end
end

-- What can be seen of a world.
local function look(world)
  local texts = {}
  for i, machine in ipairs(world.nodes) do
    local names, state = {}, machine.state or {down = true}
    for name in pairs(state) do names[#names + 1] = name end
    table.sort(names)
    for j, name in ipairs(names) do names[j] = ("%s=%s"):format(name, state[name]) end
    texts[i] = table.concat(names, " ")
  end
  return table.concat(texts, " | ") .. " " .. #world:pending()
end

-- All that can be seen, with everything that was seen on the way to it, by a search that knows
-- nothing: each run is one way.
local function all_ways(make, steps)
  local enumeration, seen = lab.enumeration(), {}
  repeat
    local options = {network = {delay_ms = {"constant", 0}}, choose = enumeration.choose,
      durability = "none"}
    for name, value in pairs(make()) do options[name] = value end
    local world <close> = lab.new(options)
    seen[look(world)] = true
    for _ = 1, steps do
      local pending = world:pending()
      if #pending == 0 then break end
      world:take(pending[world.oracle:choose(#pending, "event") + 1], 0)
      seen[look(world)] = true
    end
  until not enumeration:next()
  return seen
end

local function seen_by(make, bounds)
  local seen = {}
  local found = explore(make, bounds, nil, function(_, world) seen[look(world)] = true end)
  return seen, found
end

-- Two nodes with a few states, and messages that change these and send others.
local function automaton(seed)
  local chance, rules = oracles.new(seed):stream("automaton"), {}
  for _, id in ipairs{"n1", "n2", "n3"} do
    for state = 0, 2 do
      for _, kind in ipairs{"a", "b"} do
        local rule = {next = chance:choose(3)}
        for _ = 1, chance:choose(5) // 2 do
          rule[#rule + 1] = {dest = "n" .. chance:between(1, 3), kind = ("ab"):sub(
            chance:choose(2) + 1):sub(1, 1)}
        end
        rules[("%s%d%s"):format(id, state, kind)] = rule
      end
    end
  end
  return maker([[
    node.state = {s = 0}
    local function take(kind)
      local rule = options[node.id .. node.state.s .. kind]
      node.state.s = rule.next
      for _, it in ipairs(rule) do node:send(it.dest, {type = it.kind}) end
    end
    node:on("a", function() take("a") end)
    node:on("b", function() take("b") end)
    take(node.id == "n1" and "a" or "b")
  ]], {nodes = 3, options = rules})
end

-- The states that are met, and what was found.
local function states_of(make, bounds)
  local states = {}
  local found = explore(make, bounds, nil, function(digest) states[digest] = true end)
  return states, found
end

describe("an exploration", function()
  -- Two nodes count to 3 and to 2, each in its own time.
  it("meets each state once, whatever the order is that leads to it", function()
    local found = explore(maker([[
      node.state = {n = 0}
      node:every(10, function() node.state.n = node.state.n + 1 end)
    ]]), {timeouts = 3})
    assert.equal(10, found.states) -- the ways to share 0 to 3 ticks
    assert.equal(4, found.ends)
    assert.equal(9, found.transitions) -- one way to each
    assert.equal(3, found.deepest)
    assert.is_true(found.is_exhausted)
    assert.is_nil(found.verdict)
  end)

  it("takes messages in all orders, and lets none overtake where links keep them", function()
    local body = [[
      node.state = {}
      node:on("x", function(message) table.insert(node.state, message.body.n) end)
      if node.id == "n1" then
        for n = 1, 3 do node:send("n2", {type = "x", n = n}) end
      end
    ]]
    local found = explore(maker(body))
    assert.equal(1 + 3 + 6 + 6, found.states)
    assert.equal(6, found.ends)
    found = explore(maker(body, {network = {fifo = true}}))
    assert.equal(4, found.states)
    assert.equal(1, found.ends)
  end)

  it("loses messages and lets them arrive twice, as often as it may", function()
    local body = [[
      node.state = {n = 0}
      node:on("x", function() node.state.n = node.state.n + 1 end)
      if node.id == "n1" then node:send("n2", {type = "x"}) end
    ]]
    local counts = {}
    explore(maker(body), {drops = 1, duplicates = 2}, nil, function(_, world)
      if world.heap.size == 0 then counts[world.nodes[2].state.n] = true end
    end)
    assert.same({[0] = true, true, true, true}, counts)
  end)

  it("crashes nodes and boots them: what they stored is there, all else is gone", function()
    local seen = {}
    local found = explore(maker([[
      local kept = node.db:view(function(tx)
        local bucket = tx:bucket("b")
        return bucket and tonumber(bucket:get("n")) or 0
      end)
      node.state = {kept = kept, volatile = 0}
      node:after(5, function()
        node.state.volatile = 1
        node.db:update(function(tx) tx:ensure_bucket("b"):put("n", tostring(kept + 1)) end)
      end)
    ]], {nodes = 1}), {timeouts = 2, crashes = 2}, nil, function(_, world)
      local state = world.nodes[1].state
      seen[state and ("%d %d"):format(state.kept, state.volatile) or "down"] = true
    end)
    assert.is_true(found.is_exhausted)
    assert.same({["0 0"] = true, ["0 1"] = true, ["1 0"] = true, ["1 1"] = true, ["2 0"] = true,
      down = true}, seen)
  end)

  it("takes each way of a small decision, the first of a large one, and fault points", function()
    local seen = {}
    local function note(_, world) seen[#seen + 1] = table.concat(world.nodes[1].state, " ") end
    local make = maker([[
      node.state = {node:random(1, 2), node:random(150, 300)}
      node:after(1, function()
        node.state = {node:random(1, 3), node:maybe("a") and 1 or 0, node:maybe("b") and 1 or 0}
      end)
    ]], {nodes = 1})
    explore(make, {timeouts = 1, maybes = 1}, nil, note)
    table.sort(seen)
    local once = {}
    for _, text in ipairs(seen) do once[text] = true end
    local expected = {["1 150"] = true, ["2 150"] = true}
    for first = 1, 3 do
      for _, rest in ipairs{" 0 0", " 0 1", " 1 0"} do expected[first .. rest] = true end
    end
    assert.same(expected, once)
  end)

  local function compare_with_all(first, last)
    for seed = first, last do
      local make = automaton(seed)
      local all = all_ways(make, 3)
      for _, sleep in ipairs{true, false} do
        assert.same(all, (seen_by(make, {depth = 3, sleep = sleep})), "seed " .. seed)
      end
    end
  end

  local function compare_without_sleep(first, last, states)
    local slept = 0
    for seed = first, last do
      local make = automaton(seed)
      local bounds = {messages = 6, drops = seed % 2, states = states}
      local with, found = states_of(make, bounds)
      if found.is_exhausted then
        bounds.sleep = false
        local without = states_of(make, bounds)
        for digest in pairs(without) do assert.is_true(with[digest], "seed " .. seed) end
        slept = slept + found.slept
      end
    end
    assert.is_true(slept > 100)
  end

  it("meets what a search meets that takes all ways, and knows nothing", function()
    compare_with_all(1, 3)
  end)

  it("meets the same with sleep sets and without", function()
    compare_without_sleep(1, 8, 300)
  end)

  it("does so in more protocols #slow", function()
    compare_with_all(4, 12)
    compare_without_sleep(9, 25, 2000)
  end)

  -- What is to be seen at the end depends on what cannot be seen before: on a local, on what is
  -- stored, on a timer, on a variable of a handler that was set since, on the node itself.
  it("tells states apart by what a node holds, wherever it holds it", function()
    for _, body in ipairs{
      [[ local last
         node:on("x", function(message)
           last = last or message.body.n
           arrived()
         end)
         node:on("tell", function() node.state = {last = last} end) ]],
      [[ node:on("x", function(message)
           node.db:update(function(tx)
             local b = tx:ensure_bucket("b")
             if not b:get("n") then b:put("n", tostring(message.body.n)) end
           end)
           arrived()
         end)
         node:on("tell", function()
           node.state = {last = node.db:view(function(tx)
             return tx:bucket("b") and tx:bucket("b"):get("n")
           end)}
         end) ]],
      [[ local first
         node:on("x", function(message)
           local n = first
           first = not n and message.body.n or nil
           if n then node:after(0, function() node.state.last = n end) end
         end) ]],
      [[ local is_armed
         node:on("x", function(message)
           arrived()
           if is_armed then return end
           is_armed = true
           node:after(0, function() node.state.last = message.body.n end)
         end)
         node:on("tell", function() end) ]],
      [[ node:on("x", function(message)
           local n = message.body.n
           arrived()
           node:on("tell", function() node.state = {last = n} end)
         end)
         node:on("tell", function() node.state = {last = 0} end) ]],
      [[ node:on("x", function(message)
           node.extra = node.extra or {n = message.body.n}
           arrived()
         end)
         node:on("tell", function() node.state = {last = node.extra and node.extra.n} end) ]],
      [[ node:on("x", function(message)
           seen = seen or message.body.n
           arrived()
         end)
         node:on("tell", function() node.state = {last = seen} end) ]],
      [[ local one, other = {n = 0}
         node:on("x", function(message)
           if not other then other = message.body.n == 1 and one or {n = 0} end
           arrived()
         end)
         node:on("tell", function()
           one.n = 1
           node.state = {last = other.n}
         end) ]],
    } do
      local make = maker([[
        node.state = {}
        local count = 0
        local function arrived()
          count = count + 1
          if count == 2 then node:send("n1", {type = "tell"}) end
        end ]] .. body, {nodes = 1, clients = {function(client)
          for n = 1, 2 do client:send("n1", {type = "x", n = n}) end
        end}})
      local steps = 3
      assert.same(all_ways(make, steps), (seen_by(make, {depth = steps})), body)
    end
  end)

  it("tells states apart by what may still be spent", function()
    local make = maker([[
      node.state = {flipped = false, got = false}
      node:on("flip", function() node.state.flipped = not node.state.flipped end)
      node:on("get", function() node.state.got = true end)
    ]], {nodes = 1, clients = {function(client)
      client:send("n1", {type = "flip"})
      client:send("n1", {type = "get"})
    end}})
    local seen = seen_by(make, {drops = 1, duplicates = 1})
    assert.is_true(seen["flipped=false got=false 0"]) -- flipped twice, and the other one lost
    assert.is_nil((seen_by(make, {drops = 1}))["flipped=false got=false 0"])
  end)

  it("goes on behind a state that it met with fewer steps left", function()
    local make = maker([[
      node.state = {ticks = 0}
      local p, q
      node:on("p", function()
        p = true
        if not q then node:send("n1", {type = "r"}) end
      end)
      node:on("q", function() q = true end)
      node:on("r", function() end)
      node:on("tick", function()
        node.state.ticks = node.state.ticks + 1
        node.state.both = p and q
        node:send("n1", {type = "tick"})
      end)
    ]], {nodes = 1, clients = {function(client)
      for _, kind in ipairs{"p", "q", "tick"} do client:send("n1", {type = kind}) end
    end}})
    for depth = 2, 5 do
      assert.same(all_ways(make, depth), (seen_by(make, {depth = depth})), depth)
    end
  end)

  it("gives each node a clock that its own timers move", function()
    local found = explore(maker([[
      node.state = {}
      node:every(10, function() table.insert(node.state, node:now()) end)
      node:on("x", function() end)
    ]], {invariants = {function(_, machine)
      for i, ms in ipairs(machine.state) do
        if ms ~= 10 * i then return ("%d at %d"):format(i, ms) end
      end
    end}}), {timeouts = 4})
    assert.is_nil(found.verdict)
    assert.equal(15, found.states)
  end)

  it("tells states apart by what clients hold", function()
    local make = maker([[
      node.state = {}
      node:on("x", function(message) node:reply(message, {type = "y", n = message.body.n}) end)
      node:on("go", function(message) node:reply(message, {type = "gone"}) end)
      node:on("tell", function(message) node.state.last = message.body.n end)
    ]], {nodes = 1, clients = {function(client)
      local first
      client:on("y", function(message)
        if first then client:send("n1", {type = "go"}) end
        first = first or message.body.n
      end)
      client:on("gone", function() client:send("n1", {type = "tell", n = first}) end)
      for n = 1, 2 do client:send("n1", {type = "x", n = n}) end
    end}})
    assert.same(all_ways(make, 7), (seen_by(make)))
  end)

  it("tells states apart by what invariants remember", function()
    local make = maker([[
      node.state = {n = 0}
      local count = 0
      node:on("x", function(message)
        count = count + 1
        node.state.n = count == 1 and message.body.n or 0
        if count == 2 then node:send("n1", {type = "end"}) end
      end)
      node:on("end", function() node.state.n = 3 end)
    ]], {nodes = 1, clients = {function(client)
      for n = 1, 2 do client:send("n1", {type = "x", n = n}) end
    end}})
    for bad = 1, 2 do
      local found = explore(function()
        local options, first = make(), nil
        options.invariants = {{name = "first", turn = function(_, machine)
          local n = machine.state.n
          if n == 3 and first == bad then return first .. " was first" end
          first = first or n > 0 and n or nil
        end}}
        return options
      end)
      assert.equal(bad .. " was first", found.verdict and found.verdict.message)
      assert.equal(4, #found.path)
    end
  end)

  it("judges the ends of ways by what can be judged only there", function()
    local found = explore(maker([[
      node.state = {}
      node:on("x", function(message) node.state.x = message.body.n end)
      if node.id == "n1" then
        for n = 1, 2 do node:send("n2", {type = "x", n = n}) end
      end
    ]], {invariants = {{name = "last", finish = function() return nil end}}}))
    assert.is_nil(found.verdict)
    local world
    found = explore(maker("node:after(1, function() end)", {invariants = {{name = "last",
      turn = function(_, machine) world = machine.world end,
      finish = function() return world.timers_fired == 2 and "both" or nil end}}}))
    assert.equal("both", found.verdict.message)
    assert.equal(3, #found.path)
  end)

  it("stops at its bound of states, and when it is told to", function()
    local make = maker([[
      node.state = {n = 0}
      node:every(10, function() node.state.n = node.state.n + 1 end)
    ]])
    local found = explore(make, {timeouts = 12, states = 50})
    assert.equal(50, found.states)
    assert.is_false(found.is_exhausted)
    found = explore(make, {timeouts = 12}, function(so_far) return so_far.transitions < 20 end)
    assert.is_true(found.transitions <= 20)
    assert.is_false(found.is_exhausted)
  end)

  it("is the same again", function()
    for seed = 1, 4 do
      local function run() return explore(automaton(seed), {messages = 4, drops = 1}) end
      assert.same(run(), run())
    end
  end)

  it("refuses worlds that are none", function()
    assert.equal("option_unknown", (labs.code_of(explore, function() return {node = 1} end)))
  end)
end)
