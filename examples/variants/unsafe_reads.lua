-- An optimisation that is not safe, on purpose: a leader answers reads at once, without asking
-- whether it still leads. "It is the leader, it would know": it would not. Cut off from the others,
-- but not from its clients, it goes on to answer for a while when they have elected another, and a
-- client reads what is no longer so. Seed 1 shows it.
--
--     jangada lab run examples/variants/unsafe_reads.lua
--     jangada lab shrink examples/variants/unsafe_reads.lua

local lab = require "jangada.lab"

local protocol = [[
return require("jangada.raft").with{ is_round_confirmed = function() return true end }
]]

return function()
  local faults = {}
  for i = 1, 5 do
    faults[i] = { at_ms = 600 * i, kind = "partial", from = { "leader" },
      to = { "n1", "n2", "n3", "n4", "n5" }, for_ms = 450 }
  end
  return {
    nodes = 5,
    protocol = { source = protocol, name = "unsafe_reads" },
    options = { machine = "kv" },
    faults = faults,
    clients = lab.kv_clients{ count = 5, keys = 2, reads = 1 },
    invariants = { "raft" },
    duration_ms = 4000,
  }
end
