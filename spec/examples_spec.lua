-- Every example runs, from the root of the repository, and ends well.

local lab = require "jangada.lab"
local scenarios = require "jangada.lab.scenario"

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

local build = os.getenv("BUILD") or "build"

local function run(path)
  local output = lines_of(("LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/?.so;;' "
    .. "lua5.4 %s 2>&1; echo exit $?"):format(build, path))
  return table.remove(output), output
end

describe("the examples", function()
  for _, path in ipairs(lines_of("ls examples/*.lua")) do
    -- These two run below, where what they print is read.
    if path ~= "examples/mistakes.lua" and path ~= "examples/raft.lua" then
      it(path .. " runs", function()
        local exit, output = run(path)
        assert.equal("exit 0", exit, table.concat(output, "\n"))
      end)
    end
  end

  it("examples/raft.lua loses nothing that was answered, and catches the broken rule", function()
    local exit, output = run("examples/raft.lua")
    local text = table.concat(output, "\n")
    assert.equal("exit 0", exit, text)
    assert.matches("boat\tjangada", text)
    assert.matches("wood\tcork", text)
    assert.matches("verdict\tnone", text)
    assert.matches("seed %d+: election_safety", text)
  end)

  it("examples/mistakes.lua finds every mistake #big #slow", function()
    local exit, output = run("examples/mistakes.lua")
    local found, text = {}, table.concat(output, "\n")
    assert.equal("exit 0", exit, text)
    for verdict in text:gmatch("\n  seed %d+: (%g+ ?%(?[%l_]*)") do found[#found + 1] = verdict end
    local one_value, one_holder = "invariant_violated (one_value", "invariant_violated (one_holder"
    assert.same({ one_value, one_value, one_value, one_value, one_value,
      "invariant_violated (wanted", "stuck at", one_value, "stuck at", one_holder, one_holder,
      "invariant_violated (fenced", one_holder }, found, text)
  end)
end)

-- What the run of a scenario under a seed is found guilty of.
local function judge(scenario, seed)
  local case = scenario:case(seed)
  local world <close> = lab.new(case.options)
  scenarios.run(case, world)
  return world.verdict
end

describe("the correct protocol #big", function()
  for _, name in ipairs{ "paxos", "multi_paxos", "lock" } do
    local function survives(seeds)
      local scenario = scenarios.load(("examples/%s_scenario.lua"):format(name))
      for seed = 1, seeds do
        local verdict = judge(scenario, seed)
        assert(not verdict, ("seed %d: %s"):format(seed, verdict))
      end
    end

    it(name .. " survives", function() survives(15) end)
    it(name .. " survives at length #slow", function() survives(3000) end)
  end
end)

describe("primary and backup", function()
  local scenario = scenarios.load("examples/primary_backup_scenario.lua")

  it("answer two clients differently when they are cut off from each other", function()
    local verdict = judge(scenario)
    assert.equal("one_history", verdict and verdict.name, tostring(verdict))
    assert.matches('version 53 is "a%d+" for the clients of n1, and "b%d+" for those of n2',
      verdict.message)
  end)

  it("look right when they are not", function()
    assert.is_nil(judge(scenario, 2))
  end)
end)
