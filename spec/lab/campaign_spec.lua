-- The reference Raft under faults, seed after seed; and that Raft with one rule broken, which must
-- not go unnoticed. SEEDS=from-to runs other seeds: `SEEDS=201-5000 make test-all`.

local campaign = require "spec.support.campaign"
local fresh = require "spec.support.fresh"

local asked_from, asked_to = (os.getenv("SEEDS") or ""):match("^(%d+)%-(%d+)$")
local from <const> = tonumber(asked_from) or 1
local to <const> = tonumber(asked_to) or 50

-- Every second seed, in a process of its own: what failed, or nothing.
local half = [[
  local campaign = require "spec.support.campaign"
  local from, to = ...
  for seed = math.tointeger(from), math.tointeger(to), 2 do
    local failure = campaign.run(seed, "jangada.raft.protocol")
    if failure then return print(failure) end
  end
]]

describe("Raft", function()
  after_each(fresh.clean)

  local function keeps(first, last)
    local halves = { fresh.start(half, first, last), fresh.start(half, first + 1, last) }
    for _, pipe in ipairs(halves) do
      assert.equal("", pipe:read("a"))
      assert.is_true(pipe:close())
    end
  end

  it("keeps its promises under every seed's losses, crashes, pauses and partitions", function()
    keeps(from, to)
  end)

  it("keeps them under more seeds #slow", function() keeps(51, 200) end)

  -- The file of a planted bug, how many seeds may pass before it is found, and what finds it.
  local function is_caught(name, seeds_max, expected)
    local protocol = ("spec/support/protocols/%s.lua"):format(name)
    local seed, verdict, failure = campaign.first_failure(1, seeds_max, protocol)
    assert.is_not_nil(seed, ("%s passes seeds 1 to %d"):format(name, seeds_max))
    assert.is_not_nil(verdict, failure)
    assert.is_true(expected[verdict.name or verdict.code] ~= nil, failure)
  end

  it("is caught when a follower grants two votes in a term", function()
    is_caught("two_votes", 50, {election_safety = true})
  end)

  it("is caught when a vote does not look at the candidate's log", function()
    is_caught("blind_votes", 50, {leader_completeness = true})
  end)

  it("is caught when half of the members pass for a majority", function()
    is_caught("minority", 50, {election_safety = true, state_machine_safety = true,
      leader_completeness = true, log_committed = true,
      acknowledged_durable = true})
  end)

  it("is caught when a follower appends what does not follow its log", function()
    is_caught("no_check", 200, {log_matching = true, state_machine_safety = true,
      leader_completeness = true, log_committed = true,
      log_entry_term_fell = true, log_commit_past_end = true})
  end)

  it("runs the same seed to the same end", function()
    for seed = 1, 3 do
      local _, one = campaign.run(seed, "jangada.raft.protocol")
      local _, two = campaign.run(seed, "jangada.raft.protocol")
      assert.equal(one:hash(), two:hash())
    end
  end)
end)
