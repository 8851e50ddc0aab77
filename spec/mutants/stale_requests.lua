-- A mistake of Raft, planted: a message of an older term is taken for one of the current term.
return {
  name = "stale_requests",
  number = "M8",
  changes = "a message of an older term is taken for one of the current term",
  breaks = "election safety",
  rules = { is_stale = function() return false end },
}
