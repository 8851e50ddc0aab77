-- The reference Raft, where each seed draws what it is up against: how many nodes, how slow and
-- lossy a network, how slow its disks, how much work, for how long, and which faults. `jangada lab
-- campaign FILE` runs it under one seed after the other.

local lab = require "jangada.lab"

return function(chance)
  local low_ms = chance:logarithmic(0.1, 10)
  local duration_ms = math.floor(chance:logarithmic(2000, 20000))
  local commands = {}
  for i = 1, chance:between(20, 400) do commands[i] = ("line %d"):format(i) end
  return {
    nodes = chance:chance(0.6) and 3 or 5,
    protocol = "jangada.raft.protocol",
    network = {
      delay_ms = { low_ms, low_ms + chance:logarithmic(0.1, 40) },
      loss = chance:chance(0.5) and chance:logarithmic(0.001, 0.2) or 0,
    },
    faults = { duration_ms = duration_ms * 4 // 5 },
    clients = { lab.stream{ commands = commands, batch_max = chance:between(1, 4) } },
    duration_ms = duration_ms,
    liveness = { bound_ms = 10000 },
    disk = chance:chance(0.5) and { flush_ms = { 0.05, chance:logarithmic(0.1, 20) } } or nil,
  }
end
