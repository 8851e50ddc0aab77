-- Variants of Raft, each by a rule that is replaced, do what they are for (examples/variants).
local lab = require "jangada.lab"
local process = require "spec.support.process"
local scenarios = require "jangada.lab.scenario"

-- The verdict on a variant, or on the reference Raft under the same scenario.
local function judge(name, seed, protocol)
  local scenario = scenarios.load(("examples/variants/%s.lua"):format(name))
  local case = scenario:case(seed)
  case.options.protocol = protocol or case.options.protocol
  local world <close> = scenario:world(case)
  scenarios.run(case, world)
  return world.verdict
end

describe("priority", function()
  it("makes the first that is up the leader", function()
    for seed = 1, 20 do
      local verdict = judge("priority", seed)
      assert(not verdict, ("seed %d: %s"):format(seed, verdict))
    end
  end)

  it("is not what happens without it", function()
    local failures = 0
    for seed = 1, 20 do
      if judge("priority", seed, "jangada.raft.protocol") then failures = failures + 1 end
    end
    assert.is_true(failures > 5, failures)
  end)
end)

describe("a witness", function()
  it("votes and never leads, whoever is up", function()
    for seed = 1, 5 do
      local verdict = judge("witness", seed)
      assert(not verdict, ("seed %d: %s"):format(seed, verdict))
    end
  end)

  it("would lead without that rule", function()
    local failures = 0
    for seed = 1, 10 do
      if judge("witness", seed, "jangada.raft.protocol") then failures = failures + 1 end
    end
    assert.is_true(failures > 5, failures)
  end)
end)

describe("flexible quorums", function()
  it("commit with two of five servers, and a majority does not", function()
    for seed = 1, 10 do
      local verdict = judge("flexible", seed)
      assert(not verdict, ("seed %d: %s"):format(seed, verdict))
      local of_majority = judge("flexible", seed, "jangada.raft.protocol")
      assert.equal("no_progress", of_majority.kind)
    end
  end)

  it("keep Raft's promises under faults", function()
    for seed = 1, 15 do
      local case = scenarios.load("examples/variants/flexible.lua"):case(seed)
      local commands = {}
      for i = 1, 40 do commands[i] = tostring(i) end
      local world <close> = lab.new{ seed = seed, nodes = 5, protocol = case.options.protocol,
        invariants = case.options.invariants, faults = { duration_ms = 3000 },
        clients = { lab.stream{ commands = commands } } }
      local verdict = world:run(4000)
      assert(not verdict, ("seed %d: %s"):format(seed, verdict))
    end
  end)

  it("break them when two that elect and two that commit need not meet", function()
    local source = [[
      local function few(count) return count >= 2 end
      return require("jangada.raft").with{is_quorum = few, elects = few, stays_leader = few}
    ]]
    local found
    for seed = 1, 20 do
      local world <close> = lab.new{ seed = seed, nodes = 5, invariants = { "raft" },
        protocol = { source = source, name = "few" }, faults = { duration_ms = 3000 } }
      found = found or world:run(4000)
    end
    assert.equal("invariant_violated", found.kind)
  end)
end)

describe("a lease", function()
  it("lets a leader read by its clock, as long as clocks keep the bound", function()
    for seed = 1, 4 do
      local verdict = judge("lease", seed)
      assert(not verdict, ("seed %d: %s"):format(seed, verdict))
    end
  end)

  it("reads what is no longer so, when they do not", function()
    local code, output = process.jangada("lab run examples/variants/lease.lua --quiet --seed 1",
      nil, "DRIFT=0.2")
    assert.matches("VERDICT not_linearizable", output)
    assert.equal(1, code)
  end)
end)

describe("reads that ask nobody", function()
  it("are not linearizable: seed 1 shows it", function()
    assert.equal("not_linearizable", judge("unsafe_reads", 1).kind)
    assert.is_nil(judge("unsafe_reads", 1, "jangada.raft.protocol"))
  end)
end)
