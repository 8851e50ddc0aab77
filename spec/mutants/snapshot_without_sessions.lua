-- A mistake of Raft, planted: a snapshot is installed without the sessions of the clients.
return {
  name = "snapshot_without_sessions",
  number = "M30",
  changes = "a snapshot is installed without the sessions of the clients",
  breaks = "linearizability",
  plant = function()
    local snapshots = require "jangada.raft.snapshots"
    local restore = snapshots.restore
    function snapshots.restore(raft)
      restore(raft)
      if raft.log:snapshot() then raft.sessions.applied = {} end
    end
  end,
}
