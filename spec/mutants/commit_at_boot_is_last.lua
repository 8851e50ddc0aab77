-- A mistake of Raft, planted: a server that boots takes its whole log for committed.
return {
  name = "commit_at_boot_is_last",
  number = "M26",
  changes = "a server that boots takes its whole log for committed",
  breaks = "state machine safety",
  rules = { commit_at_boot = function(log) return log:last_index() end },
}
