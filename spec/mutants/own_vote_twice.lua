-- A mistake of Raft, planted: a candidate counts its own vote twice.
return {
  name = "own_vote_twice",
  number = "own",
  changes = "a candidate counts its own vote twice",
  breaks = "election safety",
  plant = function()
    local rules = require "jangada.raft.rules"
    local count_votes = rules.count_votes
    function rules.count_votes(granted, members) return count_votes(granted, members) + 1 end
  end,
}
