-- The reference Raft under faults of all kinds there are.

local lab = require "jangada.lab"

local HOPELESS <const> = {amnesia = true, disk_swap = true, lying_disk = true}

local commands = {}
for i = 1, 60 do commands[i] = "command " .. i end

local function world_of(seed, faults)
  return lab.new{
    seed = seed, nodes = seed % 3 == 0 and 3 or 5, protocol = "jangada.raft.protocol",
    faults = faults, clients = {lab.stream{commands = commands}},
  }
end

-- Runs seeds under the plans that they draw, and under the same plans, read from what is printed.
local function run(first, last)
  local kinds = {}
  for seed = first, last do
    local world <close> = world_of(seed, {duration_ms = 4000})
    assert.is_nil(world:run(5000), ("seed %d: %s"):format(seed, tostring(world.verdict)))
    for _, fault in ipairs(world.plan) do kinds[fault.kind] = true end
    if seed % 10 == 0 then
      local again <close> = world_of(seed, load("return " .. lab.faults.format(world.plan))())
      again:run(5000)
      assert.equal(world:hash(), again:hash(), "seed " .. seed)
    end
  end
  for _, kind in ipairs(lab.faults.kinds) do
    assert.equal(not HOPELESS[kind] or nil, kinds[kind], kind)
  end
end

describe("the reference Raft", function()
  it("keeps its promises through all kinds of fault, and a printed plan is the same run", function()
    run(1, 25)
  end)

  it("keeps them for many more seeds #slow", function()
    run(1001, 2500)
  end)
end)
