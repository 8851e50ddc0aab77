-- Raft whose servers have priorities: n1 leads if it can, else n2, and so on. One rule is replaced:
-- who comes later in the order waits longer before it stands, by more than an election takes. It is
-- a wish and no guarantee: a server whose log is behind is not elected, however soon it asks, and
-- one that comes back leaves the leader alone.
--
--     jangada lab run examples/variants/priority.lua --seed 7

local protocol = [[
local ELECTION_MS <const> = 60 -- what an election takes, with its pre-vote, at most

return require("jangada.raft").with{
  election_timeout_ms = function(node, range)
    local least, most = range[1], range[2]
    local rank = math.tointeger(node.id:match("%d+")) - 1
    return rank * (most - least + ELECTION_MS) + node:random(least, most)
  end,
}
]]

local function expect_leader(world, id)
  local function leads() return world:node(id).state.role == "leader" end
  if not world:run_until(leads, 3000) then
    world:fail{ kind = "wrong_leader", message = id .. " does not lead" }
  end
end

return {
  seed = 1,
  nodes = 3,
  protocol = { source = protocol, name = "priority" },
  network = { delay_ms = { 1, 10 } },
  invariants = { "raft" },
  script = function(world)
    expect_leader(world, "n1")
    world:run(200)
    world:crash("n1")
    expect_leader(world, "n2")
    world:restart("n1")
    world:run(1000)
    expect_leader(world, "n2")
  end,
}
