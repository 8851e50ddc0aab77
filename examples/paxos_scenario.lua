-- Single-decree Paxos in the world that a seed draws: three to five nodes, a network from good to
-- terrible, and faults. Run it from the root of the repository:
--
--     jangada lab run examples/paxos_scenario.lua --seed 7
--     jangada lab campaign examples/paxos_scenario.lua --seeds 1-1000

-- A value is chosen when a majority has accepted it in one ballot, whether or not anybody knows;
-- and when one is chosen, no other ever is.
local function one_value()
  local votes = {}       -- ballot -> node -> true
  local chosen
  return {
    name = "one_value",
    turn = function(_, machine)
      local state = machine.state
      if not state.value then return nil end
      local voters = votes[state.ballot] or {}
      votes[state.ballot], voters[machine.id] = voters, true
      local n = 0
      for _ in pairs(voters) do n = n + 1 end
      if n <= #machine.peers + 1 - n then return nil end
      chosen = chosen or state.value
      if state.value ~= chosen then
        return ("%q was chosen, and in ballot %d %q is"):format(chosen, state.ballot, state.value)
      end
    end,
    committed = function(_, machine, _, _, value)
      if value ~= chosen then
        return ("%s learns %q, but %s was chosen"):format(machine.id, value, chosen or "nothing")
      end
    end,
  }
end

-- A value is one that some node wants: agreeing on nothing at all would be easy.
local wanted = {
  name = "wanted",
  turn = function(_, machine)
    local value = machine.state.value
    if value and not value:find("^what n%d wants$") then
      return ("nobody wanted what %s accepted: %q"):format(machine.id, value)
    end
  end,
}

-- When the faults are over, everybody gets to know.
local function run(world)
  world:run(3000)
  if world.verdict then return end
  local function all_know()
    for _, machine in ipairs(world.nodes) do
      if not machine.state.chosen then return false end
    end
    return true
  end
  if not world:run_until(all_know, 180000) then
    world:fail{ kind = "stuck",
      message = "three minutes after the last fault some node knows no value" }
  end
end

return function(chance)
  local low_ms = chance:logarithmic(0.1, 20)
  return {
    nodes = chance:between(3, 5),
    protocol = "examples/paxos.lua",
    network = {
      delay_ms = { low_ms, low_ms + chance:logarithmic(1, 1000) },
      loss = chance:chance(0.5) and chance:logarithmic(0.01, 0.4) or 0,
    },
    faults = { duration_ms = 3000 },
    invariants = { one_value(), wanted },
    script = run,
  }
end
