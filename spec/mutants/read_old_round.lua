-- A mistake of Raft, planted: who has answered a round of reads once is counted in all later ones.
return {
  name = "read_old_round",
  number = "own",
  changes = "who has answered a round of reads once is counted in all later ones",
  breaks = "linearizability",
  rules = { confirmed_round = function() return math.maxinteger end },
}
