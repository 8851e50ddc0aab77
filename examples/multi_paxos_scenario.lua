-- Multi-Paxos: two clients submit values to whoever leads, in the world that a seed draws. Run it
-- from the root of the repository:
--
--     jangada lab run examples/multi_paxos_scenario.lua --seed 7
--     jangada lab campaign examples/multi_paxos_scenario.lua --seeds 1-1000

local VALUES <const> = 10

-- A client asks one node after the other, each value until it is decided. It may be decided twice,
-- when the answer got lost.
local function submitter(name, nodes)
  local progress = { done = 0 }
  function progress:start(client)
    local at = 0
    local function submit()
      if self.done == VALUES then return end
      local body = { type = "submit", value = ("%s%d"):format(name, self.done + 1) }
      client:request("n" .. at % nodes + 1, body, 300, function(answer)
        if answer and answer.type == "submit_ok" then
          self.done = self.done + 1
        else
          at = at + 1
        end
        client:after(20, submit)
      end)
    end
    submit()
  end
  return progress
end

-- Of each slot: when a majority has accepted a value in one ballot, none ever accepts another.
local function one_value()
  local votes = {}       -- slot -> ballot -> node -> true
  local chosen = {}      -- slot -> value
  local seen = {}        -- node -> slot -> the ballot of its vote when last looked at

  local function look(machine, slot, vote)
    votes[slot] = votes[slot] or {}
    local voters = votes[slot][vote.ballot] or {}
    votes[slot][vote.ballot], voters[machine.id] = voters, true
    local n = 0
    for _ in pairs(voters) do n = n + 1 end
    if n <= #machine.peers + 1 - n then return nil end
    chosen[slot] = chosen[slot] or vote.value
    if vote.value ~= chosen[slot] then
      return ("in slot %d %q was chosen, and in ballot %d %q is"):format(slot, chosen[slot],
        vote.ballot, vote.value)
    end
  end

  return {
    name = "one_value",
    turn = function(_, machine, wrote)
      if not wrote then return nil end
      local ballots = seen[machine.id] or {}
      seen[machine.id] = ballots
      for slot, vote in pairs(machine.state.accepted) do
        if ballots[slot] ~= vote.ballot then
          ballots[slot] = vote.ballot
          local message = look(machine, slot, vote)
          if message then return message end
        end
      end
    end,
    committed = function(_, machine, slot, _, value)
      if value ~= chosen[slot] then
        return ("%s learns %q in slot %d, but %s was chosen"):format(machine.id, value, slot,
          chosen[slot] or "nothing")
      end
    end,
  }
end

return function(chance)
  local low_ms = chance:logarithmic(0.1, 5)
  local nodes = chance:between(3, 5)
  local clients = { submitter("a", nodes), submitter("b", nodes) }
  return {
    nodes = nodes,
    protocol = "examples/multi_paxos.lua",
    network = {
      delay_ms = { low_ms, low_ms + chance:logarithmic(1, 50) },
      loss = chance:chance(0.5) and chance:logarithmic(0.01, 0.2) or 0,
    },
    faults = { duration_ms = 3000 },
    clients = clients,
    invariants = { one_value() },
    -- When the faults are over, the clients are served, and every node gets to know of it.
    script = function(world)
      world:run(3000)
      local function all_know()
        if clients[1].done < VALUES or clients[2].done < VALUES then return false end
        for _, machine in ipairs(world.nodes) do
          if machine.state.decided < 2 * VALUES then return false end
        end
        return true
      end
      if not world:run_until(all_know, 60000) and not world.verdict then
        world:fail{ kind = "stuck", message = "a minute after the last fault not all is decided" }
      end
    end,
  }
end
