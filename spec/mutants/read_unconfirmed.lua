-- A mistake of Raft, planted: a leader answers a read without asking whether it still leads.
return {
  name = "read_unconfirmed",
  number = "own",
  changes = "a leader answers a read without asking whether it still leads",
  breaks = "linearizability",
  rules = { is_round_confirmed = function() return true end },
}
