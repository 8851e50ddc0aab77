-- A mistake of Raft, planted: the term of a message is taken over, a lower one too.
return {
  name = "term_taken",
  number = "M8",
  changes = "the term of a message is taken over, a lower one too",
  breaks = "monotonic terms",
  rules = {
    adopts_term = function(term, message_term) return message_term ~= term end,
    is_stale = function() return false end,
  },
}
