-- A mistake of Raft, planted: the longer log wins, whatever its last term.
return {
  name = "up_to_date_by_index",
  number = "M7",
  changes = "the longer log wins, whatever its last term",
  breaks = "leader completeness",
  rules = {
    is_up_to_date = function(_, last_index, _, candidate_index)
      return candidate_index >= last_index
    end,
  },
}
