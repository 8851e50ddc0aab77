-- Raft with a witness: n3 votes and keeps the log, and never leads. A third place that is far away,
-- or weak, can hold it: it breaks ties, and serves nobody. One rule is replaced.
--
--     jangada lab run examples/variants/witness.lua --seed 7

local protocol = [[
local FOREVER_MS <const> = 3600000 -- an hour

return require("jangada.raft").with{
  election_timeout_ms = function(node, range)
    if node.id == "n3" then return FOREVER_MS end
    return node:random(range[1], range[2])
  end,
}
]]

-- Whether one of some nodes comes to lead.
local function expect_leader(world, ids)
  local function leads()
    for _, id in ipairs(ids) do
      local state = world:node(id).state
      if state and state.role == "leader" then return true end
    end
    return false
  end
  if world:run_until(leads, 5000) then return true end
  world:fail{ kind = "wrong_leader", message = table.concat(ids, " or ") .. " does not lead" }
end

return {
  seed = 1,
  nodes = 3,
  protocol = { source = protocol, name = "witness" },
  network = { delay_ms = { 1, 10 } },
  invariants = { "raft" },
  script = function(world)
    for _ = 1, 3 do
      if not expect_leader(world, { "n1", "n2" }) then return end
      world:run(500) -- or the witness has what the other lacks, and must not elect it
      local leader = world:node("leader").id
      local other = leader == "n1" and "n2" or "n1"
      world:crash(leader)
      if not expect_leader(world, { other }) then return end -- by the witness's vote
      world:crash(other)
      world:run(3000)
      world:restart("n1")
      world:restart("n2")
    end
  end,
}
