-- Variants of Raft, each by a rule that is replaced, do what they are for (examples/variants).
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
