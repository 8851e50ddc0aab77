-- A mistake of Raft, planted: a snapshot is installed though all that it covers is committed.
return {
  name = "snapshot_always_installed",
  number = "own",
  changes = "a snapshot is installed though all that it covers is committed",
  breaks = "the log refuses it",
  rules = { needs_snapshot = function() return true end },
}
