-- A mistake of Raft, planted: half of the members, rounded down, commit.
return {
  name = "quorum_of_half",
  number = "M11",
  changes = "half of the members, rounded down, commit",
  breaks = "leader completeness",
  plant = function()
    local commitment = require "jangada.raft.commitment"
    local held_by_quorum = commitment.held_by_quorum
    function commitment.held_by_quorum(match, peers, last)
      return held_by_quorum(match, peers, last, function(count, members)
        return count >= members // 2
      end)
    end
  end,
}
