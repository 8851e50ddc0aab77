-- A mistake of Raft, planted: a vote is not saved, only a term.
return {
  name = "vote_unsaved",
  number = "M1",
  changes = "a vote is not saved, only a term",
  breaks = "election safety",
  plant = function()
    local server = require "jangada.raft.server"
    local persist = server.persist
    function server.persist(raft, entries, first)
      local vote = raft.state.vote
      if vote ~= raft.node.id and not entries then raft.state.vote = nil end
      persist(raft, entries, first)
      raft.state.vote = vote
    end
  end,
}
