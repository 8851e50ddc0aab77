-- A mistake of Raft, planted: a follower commits what its leader has, verified or not.
return {
  name = "commit_unverified",
  number = "own",
  changes = "a follower commits what its leader has, verified or not",
  breaks = "state machine safety",
  plant = function()
    local commitment = require "jangada.raft.commitment"
    local replication = require "jangada.raft.replication"
    local on_append_entries = replication.on_append_entries
    function replication.on_append_entries(raft, message)
      on_append_entries(raft, message)
      if message.body.term == raft.state.term and raft.state.role == "follower" then
        commitment.commit_to(raft, math.min(message.body.commit, raft.state.last))
      end
    end
  end,
}
