-- A mistake of Raft, planted: a follower cuts its log before it appends, whatever it holds.
return {
  name = "always_truncates",
  number = "M17",
  changes = "a follower cuts its log before it appends, whatever it holds",
  breaks = "durability",
  rules = {
    first_new_entry = function(_, _, entries) return #entries > 0 and 1 or nil end,
  },
}
