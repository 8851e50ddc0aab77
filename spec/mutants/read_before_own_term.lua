-- A mistake of Raft, planted: a leader trusts its commit index before it has
-- committed an entry of its own term.
return {
  name = "read_before_own_term",
  number = "own",
  changes = "a leader trusts its commit index before it committed an entry of its own term",
  breaks = "linearizability",
  rules = { read_index = function(_, _, commit) return commit end },
}
