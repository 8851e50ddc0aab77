-- All that can happen in a small world, in every order: the search. What a step is stands in
-- explore/walk_spec.lua, what tells states apart in explore/memory_spec.lua.

local explored = require "spec.support.explored"
local labs = require "spec.support.labs"

local explore = require("jangada.lab").explore
local maker = explored.maker
local all_ways = explored.all_ways
local seen_by = explored.seen_by
local automaton = explored.automaton
local states_of = explored.states_of

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
