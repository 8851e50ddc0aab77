-- A mistake of Raft, planted: a vote of an older term counts in the current one.
return {
  name = "stale_grants",
  number = "own",
  changes = "a vote of an older term counts in the current one",
  breaks = "election safety",
  plant = function()
    local election = require "jangada.raft.election"
    local on_answer = election.on_request_vote_ok
    function election.on_request_vote_ok(raft, message)
      message.body.term = math.max(message.body.term, raft.state.term)
      on_answer(raft, message)
    end
  end,
}
