-- The lab finds mistakes that are planted into the reference Raft. `make mutants` runs all of them.

local labs = require "jangada.lab"
local mutants = require "spec.support.mutants"
local scenarios = require "jangada.lab.scenario"
local verdicts = require "jangada.lab.verdict"
local process = require "spec.support.process"

-- Runs the swarm with a mutant in it until a seed fails; gives the seed, or nil.
local function first_failure(name, seeds)
  local path = process.directory() .. "/" .. name .. ".lua"
  process.write(path, mutants.scenario(name))
  local scenario = scenarios.load(path)
  for seed = 1, seeds do
    local case = scenario:case(seed)
    local world <close> = scenario:world(case)
    scenarios.run(case, world)
    if world.verdict then
      assert.equal("violation", verdicts.outcome(world.verdict), tostring(world.verdict))
      return seed
    end
  end
  return nil
end

describe("a mutant", function()
  it("says what is wrong with it, and what it breaks or why it breaks nothing", function()
    local names = mutants.names()
    assert.is_true(#names > 30)
    for _, name in ipairs(names) do
      local mutant = mutants.load(name)
      assert.is_string(mutant.number, name)
      assert.is_string(mutant.changes, name)
      assert.is_true((mutant.rules or mutant.plant or mutant.node) ~= nil, name)
      local world <close> = labs.new{seed = 1, nodes = 3, protocol = mutants.protocol(name)}
      world:step()
    end
  end)

  it("that is quickly found is found by the swarm #slow", function()
    for _, name in ipairs{"any_log_wins", "commit_at_boot_is_last", "commit_unverified",
      "own_vote_twice", "resumes_as_leader", "repeats_applied", "term_taken"} do
      assert.is_truthy(first_failure(name, 40), name)
    end
  end)
end)
