-- A mistake of Raft, planted: a vote is given without a look at the candidate's log.
return {
  name = "any_log_wins",
  number = "M7",
  changes = "a vote is given without a look at the candidate's log",
  breaks = "leader completeness",
  rules = { is_up_to_date = function() return true end },
}
