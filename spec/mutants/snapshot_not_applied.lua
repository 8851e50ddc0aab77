-- A mistake of Raft, planted: a snapshot is taken for applied, and the machine stays as it was.
return {
  name = "snapshot_not_applied",
  number = "M30",
  changes = "a snapshot is taken for applied, and the machine stays as it was",
  breaks = "linearizability",
  plant = function()
    local kv, list = require "jangada.raft.kv", require "jangada.raft.list"
    kv.restore = function() end
    list.restore = function() end
  end,
}
