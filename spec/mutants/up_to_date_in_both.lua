-- A mistake of Raft, planted: a candidate must have the later last term and the longer log.
return {
  name = "up_to_date_in_both",
  number = "M6",
  changes = "a candidate must have the later last term and the longer log",
  breaks = "progress",
  rules = {
    is_up_to_date = function(last_term, last_index, candidate_term, candidate_index)
      return candidate_index >= last_index and candidate_term >= last_term
    end,
  },
}
