-- A mistake of Raft, planted: after a refusal the leader goes back one entry too few.
return {
  name = "next_too_high",
  number = "own",
  changes = "after a refusal the leader goes back one entry too few",
  breaks = "progress",
  rules = {
    next_on_refusal = function(log, match, hint_index, hint_term)
      return math.max(match, (log:conflict_hint(hint_index, hint_term))) + 2
    end,
  },
}
