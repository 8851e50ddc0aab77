-- The reference Raft under faults drawn from the seed. `jangada lab run FILE` runs it; another seed
-- (`--seed 7`) is another run.

local lab = require "jangada.lab"

local commands = {}
for i = 1, 200 do commands[i] = ("line %d"):format(i) end

return {
  seed = 1,
  nodes = 5,
  protocol = "jangada.raft.protocol",
  options = { machine = "list" },
  network = { delay_ms = { 1, 10 }, loss = 0.02 },
  faults = { duration_ms = 8000 },
  clients = { lab.stream{ commands = commands, batch_max = 4 } },
  duration_ms = 12000,
}
