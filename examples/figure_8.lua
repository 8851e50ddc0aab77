-- Figure 8 of the Raft paper: a leader that commits an entry of an earlier term because a majority
-- holds it. Section 5.4.2 forbids it, since another leader may still replace the entry; but it
-- takes three changes of leaders, each at the right moment, to see why. Each seed draws when the
-- leader is struck, again and again:
--
--     jangada lab campaign examples/figure_8.lua --seeds 1-1000 --until-failure --json 8.jsonl
--     jangada lab shrink 8.jsonl

local lab = require "jangada.lab"

local protocol = [[
-- The reference Raft without the check of the entry's term.
return require("jangada.raft").with{
  leader_commit = function(_, _, commit, held) return math.max(commit, held) end,
}
]]

return function(chance)
  local commands = {}
  for i = 1, 12 do commands[i] = ("line %d"):format(i) end
  local faults, at_ms = {}, 150
  while at_ms < 2500 do
    at_ms = at_ms + math.floor(chance:logarithmic(20, 400))
    faults[#faults + 1] = { at_ms = at_ms, kind = chance:chance(0.5) and "crash" or "isolate",
      node = "leader", for_ms = math.floor(chance:logarithmic(50, 800)) }
  end
  local low_ms = chance:logarithmic(2, 20)
  return {
    nodes = 3,
    protocol = { source = protocol, name = "figure_8" },
    -- Entries go one by one: a leader can fall between two. And it is the Raft of the paper, whose
    -- leaders change fast: who misses one stands, and everybody listens.
    options = { batch_bytes_max = 1, pre_vote = false, check_quorum = false },
    network = { delay_ms = { low_ms, 2 * low_ms } },
    faults = faults,
    clients = { lab.stream{ commands = commands, batch_max = 12, timeout_ms = 100,
      retry_ms = 10 } },
    invariants = { "raft" },
    duration_ms = 2500,
  }
end
