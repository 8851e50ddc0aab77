-- The lock service: one lock, one file, two to four workers, any faults but those of clocks, which
-- it trusts. Run it from the root of
-- the repository:
--
--     jangada lab run examples/lock_scenario.lua --seed 7
--     jangada lab campaign examples/lock_scenario.lua --seeds 1-1000

-- Two workers never hold the lock at one time. A lease is a span of time, from when a worker gets
-- it until it ends or is given back; those of two workers do not meet.
local function one_holder()
  local leases = {}      -- worker -> its last lease: since, ends
  return {
    name = "one_holder",
    turn = function(_, machine)
      local state = machine.state
      if not state.since then return nil end
      leases[machine.id] = { since = state.since, ends = state.ends }
      for id, other in pairs(leases) do
        if id ~= machine.id and state.since < other.ends and other.since < state.ends then
          return ("%s holds the lock from %d ms to %d ms, and %s from %d ms to %d ms"):format(
            machine.id, state.since, state.ends, id, other.since, other.ends)
        end
      end
    end,
  }
end

-- The file never goes back: who wrote last holds the lock last.
local function fenced()
  local token = 0
  return {
    name = "fenced",
    turn = function(_, machine)
      local state = machine.state
      if state.role ~= "file" then return nil end
      if state.token < token then
        return ("the holder of lease %d writes after that of lease %d"):format(state.token, token)
      end
      token = state.token
    end,
  }
end

return function(chance)
  local low_ms = chance:logarithmic(0.1, 20)
  return {
    nodes = 2 + chance:between(2, 4),
    protocol = "examples/lock.lua",
    network = {
      delay_ms = { low_ms, low_ms + chance:logarithmic(1, 200) },
      loss = chance:chance(0.5) and chance:logarithmic(0.01, 0.4) or 0,
    },
    faults = { duration_ms = 4000,
      without = { "clock_offset", "clock_step", "clock_drift", "clock_freeze" } },
    invariants = { one_holder(), fenced() },
    duration_ms = 5000,
  }
end
