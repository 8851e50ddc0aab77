-- A mistake of Raft, planted: the search for what to commit ends at an entry of an earlier term.
return {
  name = "commit_stops",
  number = "M10",
  changes = "the search for what to commit ends at an entry of an earlier term",
  breaks = "progress",
  rules = {
    leader_commit = function(log, term, commit, held)
      while commit < held and log:term(commit + 1) == term do commit = commit + 1 end
      return commit
    end,
  },
}
