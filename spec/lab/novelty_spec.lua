-- A campaign that goes on where something new was seen.
local faults = require "jangada.lab.faults"
local lab = require "jangada.lab"
local labs = require "spec.support.labs"
local novelty = require "jangada.lab.novelty"
local oracles = require "jangada.lab.oracle"

local function case_of(seed, options, more)
  options.seed = seed
  local case = {seed = seed, options = options, duration_ms = 1000, marks = {}}
  for name, value in pairs(more or {}) do case[name] = value end
  return case
end

-- A node that counts how often it has booted.
local BOOTS <const> = {name = "boots", source = [[
  return function(node)
    node.state = {boots = node.db:update(function(tx)
      local b = tx:ensure_bucket("b")
      b:put("n", tostring(tonumber(b:get("n") or "0") + 1))
      return math.tointeger(b:get("n"))
    end)}
  end
]]}

-- A protocol that goes wrong when it has booted so often.
local function boots(seed, limit)
  return case_of(seed, {nodes = 1, protocol = BOOTS,
    faults = {duration_ms = 900, kinds = {"crash"}},
    invariants = {function(_, machine)
      if machine.state.boots >= limit then return machine.state.boots .. " boots" end
    end}}, {abstract = function(world)
      return tostring(world.nodes[1].state and world.nodes[1].state.boots)
    end})
end

describe("novelty #big", function()
  it("keeps what shows something new, and changes its faults until more is seen", function()
    local found = novelty.search(function(seed) return boots(seed, 1000) end, {runs = 150})
    assert.equal(150, found.runs)
    assert.is_nil(found.verdict)
    assert.is_true(found.changed > 0 and found.changed < #found.corpus)
    local new = 0
    for _, kept in ipairs(found.corpus) do
      assert.is_true(kept.new > 0)
      new = new + kept.new
    end
    assert.equal(found.states, new)
    -- As many boots have seeds alone not shown.
    local most = 0
    for seed = 1, 150 do
      local case = boots(seed, 1000)
      local world <close> = lab.new(case.options)
      world:run(case.duration_ms)
      most = math.max(most, world.nodes[1].boots)
    end
    assert.is_true(found.states > most, ("%d states, and %d by seeds"):format(found.states, most))
  end)

  it("ends with what is wrong, and with the plan that shows it again", function()
    local found = novelty.search(function(seed) return boots(seed, 12) end, {runs = 300})
    assert.equal("12 boots", found.verdict and found.verdict.message)
    local case = boots(found.seed, 12)
    case.options.faults = load("return " .. faults.format(found.plan))()
    local world <close> = lab.new(case.options)
    assert.equal(tostring(found.verdict), tostring(world:run(case.duration_ms)))
  end)

  it("is the same again for the same seed, and another for another", function()
    local function run(seed)
      return novelty.search(function(n) return boots(n, 1000) end, {runs = 30, seed = seed})
    end
    assert.same(run(1), run(1))
    assert.not_same(run(1).corpus, run(2).corpus)
  end)

  it("keeps nothing more when nothing is new, and ends when it is told to", function()
    local found = novelty.search(function(seed)
      local case = boots(seed, 1000)
      case.abstract = function() return "the same" end
      return case
    end, {runs = 100}, function(so_far) return so_far.runs < 7 end)
    assert.equal(7, found.runs)
    assert.equal(1, found.states)
    assert.equal(1, #found.corpus)
  end)

  it("finds that Raft with two votes has two leaders", function()
    local found = novelty.search(function(seed)
      return case_of(seed, {nodes = 5, faults = {duration_ms = 1000},
        network = {delay_ms = {1, 30}, loss = 0.05}, protocol = {name = "two_votes", source = [[
          return require("jangada.raft").with{may_vote_for = function() return true end}
        ]]}})
    end, {runs = 100})
    assert.equal("election_safety", found.verdict and found.verdict.name)
  end)

  it("changes plans to plans that can be run, and that end when they did", function()
    for seed = 1, 40 do
      local oracle, ids = oracles.new(seed), {"n1", "n2", "n3", "n4", "n5"}
      local corpus = {}
      for i = 1, 2 do
        local plan = faults.plan({duration_ms = 500}, oracles.new(seed * 2 + i), ids,
          {disks = true})
        corpus[i] = {plan = plan, ids = ids, end_ms = 500}
      end
      local before = faults.format(corpus[1].plan)
      local plan = novelty.change(oracle:stream("x"), corpus[1], corpus)
      assert.equal(before, faults.format(corpus[1].plan))
      for _, fault in ipairs(plan) do
        assert.is_true(fault.at_ms >= 0 and fault.at_ms + (fault.for_ms or 0) <= 500)
      end
      local world <close> = lab.new{nodes = 5, protocol = BOOTS, faults = plan, invariants = {}}
      assert.is_nil(world:run(600))
    end
  end)
end)

describe("the abstraction #big", function()
  local function world_of(states, options)
    local world = labs.world("node.state = options[node.id]",
      {nodes = #states, options = (function()
        local by_id = {}
        for i, state in ipairs(states) do by_id["n" .. i] = state end
        return by_id
      end)()})
    if options then options(world) end
    return world
  end

  local function abstract(states, options)
    local world <close> = world_of(states, options)
    return novelty.abstract(world)
  end

  it("sees how numbers compare, not what they are; and not which node is which", function()
    assert.equal(abstract{{term = 3}, {term = 9}}, abstract{{term = 7}, {term = 2}})
    assert.not_equal(abstract{{term = 3}, {term = 9}}, abstract{{term = 7}, {term = 7}})
    assert.equal(abstract{{vote = "n1"}, {vote = "n1"}}, abstract{{vote = "n2"}, {vote = "n2"}})
    assert.not_equal(abstract{{vote = "n1"}, {vote = "n1"}}, abstract{{vote = "n1"}, {vote = "n2"}})
  end)

  it("sees words, how much is in tables, who is up, and whether there is a partition", function()
    local one = abstract{{role = "leader", log = {1}}, {role = "follower", log = {}}}
    assert.not_equal(one, abstract{{role = "leader", log = {1}}, {role = "candidate", log = {}}})
    assert.not_equal(one, abstract{{role = "leader", log = {1, 2}}, {role = "follower", log = {}}})
    local states = {{role = "leader", log = {1}}, {role = "follower", log = {}}}
    for _, change in ipairs{
      function(world) world:crash(2) end, function(world) world:pause(1) end,
      function(world) world:partition({1}, {2}) end,
    } do
      assert.not_equal(one, abstract(states, change))
    end
  end)
end)
