-- A mistake of Raft, planted: who voted for itself leads again when it boots, without an election.
return {
  name = "resumes_as_leader",
  number = "M27",
  changes = "who voted for itself leads again when it boots, without an election",
  breaks = "election safety",
  plant = function()
    local election = require "jangada.raft.election"
    local start_timer, on_answer = election.start_timer, election.on_request_vote_ok
    local is_booted = false
    function election.start_timer(raft)
      local state = raft.state
      if not is_booted and state.vote == raft.node.id then
        state.role = "candidate"
        for _, member in ipairs(raft.members) do raft.granted[member] = true end
        on_answer(raft, { src = raft.node.id, body = { term = state.term, granted = true } })
      end
      is_booted = true
      start_timer(raft)
    end
  end,
}
