-- A mistake of Raft, planted: entries are saved first, their term in a second save.
return {
  name = "entries_before_term",
  number = "M21",
  changes = "entries are saved first, their term in a second save",
  breaks = "the rules of the log",
  plant = function()
    local server = require "jangada.raft.server"
    local persist = server.persist
    function server.persist(raft, entries, first)
      if entries and #entries > 0 then
        raft.log:save_fields(nil, nil, nil, entries, first)
        raft.state.last = raft.log:last_index()
        raft.log:note_commit(raft.state.commit)
      end
      persist(raft)
    end
  end,
}
