-- Raft with flexible quorums (Howard, Malkhi and Spiegelman, "Flexible Paxos", 2016): of five
-- servers two commit, and four elect. Any two share one with any four, which is all that is asked
-- for. So commits wait for one follower instead of two, and go on when three servers are down, as
-- long as the leader is not among them; but two that are down leave nobody to elect another.
--
--     jangada lab run examples/variants/flexible.lua --seed 7

local lab = require "jangada.lab"

local protocol = [[
local function commits(count) return count >= 2 end

return require("jangada.raft").with{
  is_quorum = commits,
  elects = function(votes) return votes >= 4 end,
  stays_leader = commits,
}
]]

return function()
  local commands = {}
  for i = 1, 20 do commands[i] = "command " .. i end
  local stream = lab.stream{ commands = commands, batch_max = 1 }
  return {
    nodes = 5,
    protocol = { source = protocol, name = "flexible" },
    clients = { stream },
    -- not acknowledged_durable, which asks for a majority of the logs
    invariants = { "election_safety", "log_matching", "leader_completeness",
      "state_machine_safety" },
    script = function(world)
      if not world:run_until(function() return stream.acknowledged > 0 end, 5000) then
        return world:fail{ kind = "no_leader", message = "nothing was committed at first" }
      end
      local leader, down = world:node("leader"), 0
      for _, machine in ipairs(world.nodes) do
        if machine ~= leader and down < 3 then
          world:crash(machine.index)
          down = down + 1
        end
      end
      if not world:run_until(function() return stream.done end, 10000) then
        world:fail{ kind = "no_progress", message = "two of five servers commit nothing" }
      end
    end,
  }
end
