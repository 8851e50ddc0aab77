-- A mistake of Raft, planted: a follower's answer of an older term counts in the current one.
return {
  name = "stale_acks",
  number = "own",
  changes = "a follower's answer of an older term counts in the current one",
  breaks = "durability",
  plant = function()
    local replication = require "jangada.raft.replication"
    local on_answer = replication.on_append_entries_ok
    function replication.on_append_entries_ok(raft, message)
      message.body.term = math.max(message.body.term, raft.state.term)
      on_answer(raft, message)
    end
  end,
}
