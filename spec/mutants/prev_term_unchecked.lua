-- A mistake of Raft, planted: the entry before the new ones may be of any term.
return {
  name = "prev_term_unchecked",
  number = "own",
  changes = "the entry before the new ones may be of any term",
  breaks = "log matching",
  rules = { log_matches = function(log, prev_index) return prev_index <= log:last_index() end },
}
