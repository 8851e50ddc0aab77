-- A mistake of Raft, planted: what a follower is known to hold is what it answered last.
return {
  name = "match_falls",
  number = "M15",
  changes = "what a follower is known to hold is what it answered last",
  changes_nothing = "next does not fall with it, so the next heartbeat's answer raises it again",
  rules = { match_on_success = function(_, answered) return answered end },
}
