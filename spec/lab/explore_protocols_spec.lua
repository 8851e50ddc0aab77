-- Paxos and Raft, and both with a rule that is wrong, in all that can happen to a few nodes.
local lab = require "jangada.lab"

local explore = lab.explore

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- Paxos, with one passage in the place of another.
local function paxos(nodes, old, new)
  local text = read("examples/paxos.lua")
  if old then
    local first, last = text:find(old, 1, true)
    text = text:sub(1, first - 1) .. new .. text:sub(last + 1)
  end
  return function()
    local scenario = dofile("examples/paxos_small.lua")
    return {nodes = nodes, protocol = {name = "paxos", source = text},
      invariants = scenario.invariants}
  end
end

-- The states that are met, and what was found.
local function states_of(make, bounds)
  local states = {}
  local found = explore(make, bounds, nil, function(digest) states[digest] = true end)
  return states, found
end

-- The same states are met with sleep sets and without, in fewer steps.
local function compare(make, bounds)
  local with, without = {}, {}
  for name, value in pairs(bounds) do with[name], without[name] = value, value end
  without.sleep = false
  local slept, one = states_of(make, with)
  local all, two = states_of(make, without)
  assert.is_true(one.is_exhausted and two.is_exhausted)
  for digest in pairs(all) do assert.is_true(slept[digest]) end
  assert.equal(two.states, one.states)
  assert.is_true(one.transitions < two.transitions and one.slept > 0)
  return one, two
end

local function guilty(old, new)
  local found = explore(paxos(3, old, new), {timeouts = 2})
  assert.equal("one_value", found.verdict and found.verdict.name, old)
  assert.is_true(#found.path <= 10, old .. " " .. #found.path)
end

describe("Paxos #big", function()
  it("is right in all that can happen to two nodes, a crash too, with sleep sets or without",
    function() assert.is_nil(compare(paxos(2), {timeouts = 1, crashes = 1}).verdict) end)

  it("with a rule that is wrong is found out, by a short way", function()
    guilty("proposed = best.value or wanted", "proposed = wanted")
  end)

  it("is right in more that can happen, and found out by other rules #slow", function()
    local found = compare(paxos(2), {timeouts = 2, crashes = 1})
    assert.is_nil(found.verdict)
    assert.is_true(found.states > 1000)
    assert.is_nil(compare(paxos(3), {timeouts = 1}).verdict)
    guilty("if ballot < state.promised then return false end", "")
    found = explore(paxos(3), dofile("examples/paxos_small.lua").explore)
    assert.is_true(found.is_exhausted)
    assert.is_nil(found.verdict)
  end)
end)

describe("Raft #big", function()
  local function make(source, options)
    return function()
      return {nodes = 3, protocol = {name = "raft", source = source}, options = options}
    end
  end

  local right <const> = 'return require("jangada.raft").protocol'

  it("elects one leader, in all orders of one candidate's messages", function()
    local found = explore(make(right), {timeouts = 1})
    assert.is_true(found.is_exhausted and found.slept > 0)
    assert.is_nil(found.verdict)
  end)

  it("meets the same states without sleep sets #slow", function()
    compare(make(right), {timeouts = 1})
  end)

  it("that grants two votes has two leaders", function()
    local found = explore(make([[
      return require("jangada.raft").with{may_vote_for = function() return true end}
    ]], {pre_vote = false}), {timeouts = 2})
    assert.equal("election_safety", found.verdict.name)
    assert.equal(7, #found.path) -- two time-outs, two requests to n3, two votes
  end)
end)
