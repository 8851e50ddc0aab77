-- The tests of MIT's Raft labs (examples/mit) hold, and each family fails where a mistake was made.

local scenarios = require "jangada.lab.scenario"

local RAFT <const> = 'return require("jangada.raft").with{%s}'

-- The verdict on a protocol, given as text, or on the reference Raft.
local function judge(name, seed, source)
  local scenario = scenarios.load("examples/mit/" .. name)
  local case = scenario:case(seed)
  if source then case.options.protocol = { name = "mistaken", source = source } end
  local world <close> = scenario:world(case)
  scenarios.run(case, world)
  return world.verdict
end

local function holds(name, seeds)
  for seed = 1, seeds do
    local verdict = judge(name, seed)
    assert(not verdict, ("%s, seed %d: %s"):format(name, seed, verdict))
  end
end

local TESTS <const> = {
  "3a_initial_election.scenario", "3a_reelection.scenario", "3a_many_elections.lua",
  "3b_basic_agree.scenario", "3b_rpc_bytes.lua", "3b_follower_failure.scenario",
  "3b_leader_failure.scenario", "3b_fail_agree.scenario", "3b_fail_no_agree.scenario",
  "3b_concurrent_starts.scenario", "3b_rejoin.scenario", "3b_backup.lua", "3b_count.lua",
  "3c_persist1.scenario", "3c_persist2.lua", "3c_persist3.scenario", "3c_figure8.lua",
  "3c_unreliable_agree.lua", "3c_figure8_unreliable.lua", "3c_reliable_churn.lua",
  "3c_unreliable_churn.lua",
  "3d_basic.lua", "3d_install.lua", "3d_install_unreliable.lua", "3d_install_crash.lua",
  "3d_install_crash_unreliable.lua", "3d_all_crash.lua", "3d_init.lua",
}
local LONG <const> = {
  ["3c_figure8.lua"] = true, ["3c_reliable_churn.lua"] = true, ["3c_unreliable_churn.lua"] = true,
  ["3c_figure8_unreliable.lua"] = true,
  ["3d_install_unreliable.lua"] = true, ["3d_install_crash_unreliable.lua"] = true,
}

describe("the reference Raft", function()
  it("has all tests that there are", function()
    local pipe <close> = assert(io.popen("ls examples/mit | grep '^3'"))
    local seen, known = {}, {}
    for name in pipe:lines() do seen[name] = true end
    for _, name in ipairs(TESTS) do known[name] = true end
    assert.same(seen, known)
  end)

  for _, name in ipairs(TESTS) do
    it(("passes %s%s"):format(name, LONG[name] and " #slow" or ""), function() holds(name, 1) end)
    it(("passes %s under other seeds #slow"):format(name), function()
      holds(name, LONG[name] and 3 or 10)
    end)
  end
end)

-- A leader that sends everything three times.
local CHATTY <const> = [[
  local raft = require "jangada.raft"
  return function(node, options)
    for _, name in ipairs{"send", "broadcast"} do
      local once = node[name]
      node[name] = function(...)
        for _ = 1, 3 do once(...) end
      end
    end
    return raft.protocol(node, options)
  end
]]

-- Servers that all wait equally long. Those who ask first, in a pre-vote, get on even so.
local ALL_AT_ONCE <const> = [[
  local raft = require("jangada.raft").with{election_timeout_ms = function() return 200 end}
  return function(node, options)
    options.pre_vote = false
    return raft(node, options)
  end
]]

-- A server that stores nothing: it wipes its log when it boots.
local AMNESIA <const> = [[
  local raft = require "jangada.raft"
  return function(node, options)
    node.db:update(function(tx)
      for _, name in ipairs{"replog", "replog.meta"} do
        if tx:bucket(name) then tx:delete_bucket(name) end
      end
    end)
    return raft.protocol(node, options)
  end
]]

-- A leader that sends no snapshot.
local MEAN <const> = [[
  require("jangada.raft.snapshots").send = function() end
  return require("jangada.raft").protocol
]]

describe("a mistake", function()
  for _, case in ipairs{
    { "a leader that hears of nobody goes on", "3a_reelection.scenario",
      RAFT:format("stays_leader = function() return true end"), "expect no leader: n%d leads" },
    { "all wait equally long before they stand for election", "3a_initial_election.scenario",
      ALL_AT_ONCE, "nobody leads" },
    { "half is a majority", "3b_fail_no_agree.scenario",
      RAFT:format("is_quorum = function(count, members) return count >= members // 2 end"),
      "expect committed 1: n1 has committed" },
    { "a follower takes entries that do not follow its own", "3b_rejoin.scenario",
      RAFT:format("log_matches = function() return true end"), "" },
    { "everything is sent three times", "3b_rpc_bytes.lua", CHATTY, "too many bytes: %d+" },
    { "everything is sent three times", "3b_count.lua", CHATTY, "requests" },
    { "a server stores nothing", "3c_persist1.scenario", AMNESIA, "term" },
    { "any candidate is up to date", "3c_persist3.scenario",
      RAFT:format("is_up_to_date = function() return true end"), "" },
    { "any candidate is up to date", "3c_figure8.lua #slow",
      RAFT:format("is_up_to_date = function() return true end"), "" },
    { "no log is compacted", "3d_basic.lua", RAFT:format("compacts = function() return false end"),
      "a log has %d+ bytes" },
    { "no snapshot is sent", "3d_install.lua", MEAN, "no agreement" },
    { "a server stores nothing", "3d_init.lua", AMNESIA, "" },
    { "a server stores nothing", "3c_unreliable_churn.lua #slow", AMNESIA, "term" },
  } do
    local what, name, source, message = table.unpack(case)
    it(("is found: %s, %s"):format(what, name), function()
      name = name:gsub(" #slow", "")
      local verdict
      for seed = 1, 5 do verdict = verdict or judge(name, seed, source) end
      assert(verdict, "nothing was found")
      assert.matches(message, verdict.message)
    end)
  end
end)
