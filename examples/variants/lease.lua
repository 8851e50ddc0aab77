-- A leader that answers reads by its clock alone, while it holds a lease: the round of heartbeats
-- that renewed it promises that nobody else is elected until it is over (Ongaro's dissertation,
-- 6.4.1). That asks for clocks that differ in speed by no more than a bound. Here they do, at the
-- very edge of it, and every read is linearizable; with DRIFT=0.2, a leader whose clock stands
-- nearly still, they do not, and seed 1 reads what is no longer so.
--
--     jangada lab run examples/variants/lease.lua --seed 7
--     DRIFT=0.2 jangada lab run examples/variants/lease.lua --seed 1

local lab = require "jangada.lab"

local BOUND_PERCENT <const> = 20
local SLOWEST <const> = tonumber(os.getenv("DRIFT")) or 1 - BOUND_PERCENT / 100

return function()
  local clients = lab.kv_clients{ count = 4, keys = 1, reads = 1, think_ms = 20, timeout_ms = 60 }
  local faults = {}
  for i = 1, 6 do
    local at_ms = 500 * i
    faults[#faults + 1] = { at_ms = at_ms, kind = "clock_drift", node = "leader", rate = SLOWEST,
      for_ms = 450 }
    faults[#faults + 1] = { at_ms = at_ms + 10, kind = "partial", from = { "leader" },
      to = { "n1", "n2", "n3" }, for_ms = 430 } -- clients still reach it
  end
  return {
    nodes = 3,
    protocol = "jangada.raft.protocol",
    options = { machine = "kv", lease = { drift_max_percent = BOUND_PERCENT } },
    network = { delay_ms = { 1, 10 } },
    faults = faults,
    clients = clients,
    duration_ms = 4000,
  }
end
