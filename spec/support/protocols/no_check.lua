-- Raft with a planted bug: a follower appends without the consistency check (5.3).

return require("jangada.raft").with{log_matches = function(log, prev_index)
  return prev_index <= log:last_index()
end}
