-- The steps of an exploration: what can happen next in a world, and what it then is.

local bounds = require "jangada.lab.explore.bounds"
local explored = require "spec.support.explored"
local labs = require "spec.support.labs"
local walks = require "jangada.lab.explore.walk"

local explore = require("jangada.lab").explore
local maker = explored.maker

local function begin(make, given)
  local walk = walks.new(make, bounds.read(given or {}))
  walk:begin({})
  return walk
end

-- The actions there are, as text.
local function texts_of(walk)
  local texts = {}
  for i, action in ipairs(walk:actions()) do texts[i] = action.kind .. " " .. action.text end
  table.sort(texts)
  return texts
end

local function find(walk, kind, text)
  for _, action in ipairs(walk:actions()) do
    if action.kind == kind and action.text:find(text, 1, true) then return action end
  end
  error(("there is no %s of %s"):format(kind, text), 2)
end

local function perform(walk, kind, text)
  return walk:perform(find(walk, kind, text), {})
end

-- n1 sends n2 a message and has a timer; n2 counts.
local toy = maker([[
  node.state = {n = 0}
  node:on("x", function() node.state.n = node.state.n + 1 end)
  if node.id == "n1" then
    node:send("n2", {type = "x"})
    node:after(30, function() node.state.n = node:now() end)
  end
]])

describe("a walk", function()
  it("offers what its budgets allow", function()
    local walk <close> = begin(toy, {timeouts = 0})
    assert.same({"deliver n1>n2 x"}, texts_of(walk))
    local rich <close> = begin(toy, {drops = 1, duplicates = 1, crashes = 1})
    assert.same({"crash n1", "crash n2", "deliver n1>n2 x", "drop n1>n2 x", "duplicate n1>n2 x",
      "timeout n1"}, texts_of(rich))
  end)

  it("spends them", function()
    local walk <close> = begin(toy, {crashes = 1, messages = 1, timeouts = 1})
    perform(walk, "crash", "n1")
    assert.same({"deliver n1>n2 x", "restart n1"}, texts_of(walk)) -- its timer is gone
    perform(walk, "deliver", "n1>n2")
    perform(walk, "restart", "n1")
    assert.same({"timeout n1"}, texts_of(walk)) -- and no message may arrive any more
    perform(walk, "timeout", "n1")
    assert.same({}, texts_of(walk))
  end)

  it("lets happen what was chosen, at no time but that of the node's own timers", function()
    local walk <close> = begin(toy)
    perform(walk, "timeout", "n1")
    assert.equal(30.0, walk.world.nodes[1].state.n)
    perform(walk, "deliver", "n1>n2")
    assert.equal(1, walk.world.nodes[2].state.n)
    assert.same({n1 = 30000, n2 = 0}, walk.clocks)
  end)

  it("is in one state whatever the order was of what concerns different nodes", function()
    local one <close> = begin(toy)
    local other <close> = begin(toy)
    assert.equal((one:state()), (other:state()))
    perform(one, "timeout", "n1")
    assert.not_equal((one:state()), (other:state()))
    perform(one, "deliver", "n1>n2")
    perform(other, "deliver", "n1>n2")
    perform(other, "timeout", "n1")
    assert.equal((one:state()), (other:state()))
  end)

  it("has the same keys for what is the same action in another state", function()
    local walk <close> = begin(toy, {drops = 1})
    local deliver, drop = find(walk, "deliver", "n1>n2"), find(walk, "drop", "n1>n2")
    assert.not_equal(deliver.key, drop.key)
    assert.equal("n2", deliver.owner)
    perform(walk, "timeout", "n1")
    assert.equal(deliver.key, find(walk, "deliver", "n1>n2").key)
  end)

  it("takes the ways that it is given, then the first, and tells which", function()
    local dice = maker("node.state = {} node:after(1, function() "
      .. "node.state = {node:random(1, 3), node:random(1, 2)} end)", {nodes = 1})
    local walk <close> = begin(dice)
    local asked = walk:perform(find(walk, "timeout", "n1"), {2})
    assert.same({{n = 3, way = 2}, {n = 2, way = 0}}, asked)
    assert.same({3, 1}, walk.world.nodes[1].state)
  end)

  it("can be begun again: nothing of the last world is left", function()
    local walk <close> = begin(toy, {crashes = 1})
    local first = walk:state()
    perform(walk, "deliver", "n1>n2")
    perform(walk, "crash", "n2")
    local before = walk.world
    walk:begin({})
    assert.is_true(before.closed)
    assert.equal(first, (walk:state()))
    assert.same({n1 = 0, n2 = 0}, walk.clocks)
  end)

  it("refuses an action of another world", function()
    local walk <close> = begin(toy)
    local timeout = find(walk, "timeout", "n1")
    perform(walk, "timeout", "n1")
    perform(walk, "deliver", "n1>n2")
    assert.equal("path_lost", (labs.code_of(walk.perform, walk, timeout, {})))
  end)

  it("closes its world and its stores", function()
    local walk = begin(toy)
    local world = walk.world
    walk:close()
    assert.is_true(world.closed)
    walk:close()
  end)
end)

describe("an exploration", function()
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
end)
