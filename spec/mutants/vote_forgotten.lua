-- A mistake of Raft, planted: a server that steps down forgets its vote, in the same term too.
return {
  name = "vote_forgotten",
  number = "M3",
  changes = "a server that steps down forgets its vote, in the same term too",
  breaks = "election safety",
  rules = { vote_on_step_down = function() return nil end },
  plant = function()
    local replication = require "jangada.raft.replication"
    local server = require "jangada.raft.server"
    local on_append_entries = replication.on_append_entries
    function replication.on_append_entries(raft, message)
      if raft.state.role == "follower" and message.body.term == raft.state.term then
        server.step_down(raft, raft.state.term)
      end
      on_append_entries(raft, message)
    end
  end,
}
