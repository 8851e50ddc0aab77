-- A mistake of Raft, planted: a snapshot is installed without the sessions of the clients.
return {
  name = "snapshot_without_sessions",
  number = "M30",
  changes = "a snapshot is installed without the sessions of the clients",
  breaks = "linearizability",
  plant = function()
    local sessions = require "jangada.raft.sessions"
    local restore = sessions.restore
    function sessions.restore(self, parts)
      restore(self, parts)
      self.applied = {}
    end
  end,
}
