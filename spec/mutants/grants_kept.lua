-- A mistake of Raft, planted: a candidate keeps the votes of its last election.
return {
  name = "grants_kept",
  number = "own",
  changes = "a candidate keeps the votes of its last election",
  breaks = "election safety",
  plant = function()
    local election = require "jangada.raft.election"
    local stand = election.stand
    function election.stand(raft)
      local before = raft.granted
      stand(raft)
      for member, is_granted in pairs(before) do
        raft.granted[member] = raft.granted[member] or is_granted
      end
    end
  end,
}
