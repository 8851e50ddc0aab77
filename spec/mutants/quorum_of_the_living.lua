-- A mistake of Raft, planted: a majority of those who were heard of lately commits.
return {
  name = "quorum_of_the_living",
  number = "M12",
  changes = "a majority of those who were heard of lately commits",
  breaks = "leader completeness",
  plant = function()
    local commitment = require "jangada.raft.commitment"
    function commitment.advance(raft)
      local state, rules, alive = raft.state, raft.rules, {}
      for _, peer in ipairs(raft.peers) do
        if raft.heard_ms[peer] >= raft.node:now() - 2 * raft.options.heartbeat_ms then
          alive[#alive + 1] = peer
        end
      end
      local held = commitment.held_by_quorum(raft.match, alive, state.last, rules.is_quorum)
      commitment.commit_to(raft, rules.leader_commit(raft.log, state.term, state.commit, held))
    end
  end,
}
