-- Single-decree Paxos in a world so small that all that can happen in it can be tried:
--
--     jangada lab explore examples/paxos_small.lua
--
-- Three nodes, two of which may propose, or one twice, and six messages arrive, whichever these are
-- and in any order: as many as two values need to be chosen, if that were possible. docs/explore.md
-- says more.

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
  }
end

return {
  nodes = 3,
  protocol = "examples/paxos.lua",
  invariants = { one_value(), "agreement" },
  explore = { timeouts = 2, messages = 6 },
}
