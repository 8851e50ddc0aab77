-- A mistake of Raft, planted: entries that do not fit are refused, and appended all the same.
return {
  name = "appends_when_refused",
  number = "M19",
  changes = "entries that do not fit are refused, and appended all the same",
  breaks = "log matching",
  plant = function()
    local replication = require "jangada.raft.replication"
    local server = require "jangada.raft.server"
    local on_append_entries = replication.on_append_entries
    function replication.on_append_entries(raft, message)
      local body, log = message.body, raft.log
      local fits = log:term(body.prev_index) == body.prev_term
      on_append_entries(raft, message)
      if not fits and body.term == raft.state.term and #body.entries > 0
        and body.prev_index <= raft.state.last then
        server.persist(raft, body.entries, body.prev_index + 1)
      end
    end
  end,
}
