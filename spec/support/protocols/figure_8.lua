-- Raft with a planted bug: a leader commits entries of earlier terms by counting (5.4.2, Figure 8).

return require("jangada.raft").with{leader_commit = function(_, _, commit, held)
  return math.max(commit, held)
end}
