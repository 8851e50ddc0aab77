-- A mistake of Raft, planted: the vote is saved first, the term in a second save.
return {
  name = "two_saves",
  number = "M2",
  changes = "the vote is saved first, the term in a second save",
  changes_nothing = "a turn is one transaction, however many saves it is made of",
  plant = function()
    local server = require "jangada.raft.server"
    local persist = server.persist
    function server.persist(raft, entries, first)
      local _, vote = raft.log:hard_state()
      if raft.state.vote and raft.state.vote ~= vote then
        raft.log:save_fields(raft.state.term, raft.state.vote)
      end
      persist(raft, entries, first)
    end
  end,
}
