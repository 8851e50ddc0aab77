-- A mistake of Raft, planted: each answer that grants is a vote, a second copy too.
return {
  name = "grants_counted",
  number = "M4",
  changes = "each answer that grants is a vote, a second copy too",
  breaks = "election safety",
  rules = {
    count_votes = function(granted)
      local count = 0
      for _, is_granted in pairs(granted) do count = count + (is_granted and 1 or 0) end
      return count
    end,
  },
  plant = function()
    local election = require "jangada.raft.election"
    local on_request_vote_ok = election.on_request_vote_ok
    function election.on_request_vote_ok(raft, message)
      local body, granted = message.body, raft.granted
      if body.granted and body.term == raft.state.term and granted[message.src] then
        granted[message.src .. " again"] = true
      end
      on_request_vote_ok(raft, message)
    end
  end,
}
