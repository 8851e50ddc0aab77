-- A mistake of Raft, planted: an entry of an earlier term is committed by counting (Figure 8).
return {
  name = "old_term_committed",
  number = "M9",
  changes = "an entry of an earlier term is committed by counting (Figure 8)",
  breaks = "leader completeness",
  rules = { leader_commit = function(_, _, commit, held) return math.max(commit, held) end },
}
