-- A mistake of Raft, planted: a command that is sent twice takes effect twice.
return {
  name = "repeats_applied",
  number = "own",
  changes = "a command that is sent twice takes effect twice",
  breaks = "linearizability",
  rules = { is_new_command = function() return true end },
}
