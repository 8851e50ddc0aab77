--- Leader election (section 5.2), with the restriction of section 5.4.1.
--
-- One timer serves all roles. It is not moved at each message: it fires at its own pace, and if
-- there was contact meanwhile it sleeps for what is left.

local progress = require "jangada.raft.progress"
local replication = require "jangada.raft.replication"
local server = require "jangada.raft.server"
local sessions = require "jangada.raft.sessions"

local election = {}

local function become_leader(raft)
  local state, now_ms = raft.state, raft.node:now()
  state.role, state.leader = "leader", raft.node.id
  raft.node:trace("leader", { term = state.term })
  for _, peer in ipairs(raft.peers) do
    raft.progress[peer] = progress.new(state.last, raft.options.inflight_max)
    raft.match[peer], raft.confirmed[peer], raft.heard_ms[peer] = 0, 0, now_ms
  end
  raft.uncommitted_bytes = sessions.read_log(raft.sessions, raft.log, raft.applied)
  raft.heartbeat = raft.node:every(raft.options.heartbeat_ms, raft.on_heartbeat)
  replication.append(raft, { raft.rules.first_entry_of_leader(state.term) })
end

local function count_votes(raft)
  local votes = raft.rules.count_votes(raft.granted, raft.members)
  return raft.rules.is_quorum(votes, #raft.members)
end

--- 5.2: stands for election: a new term, the own vote, and a request to every other server.
---@param raft jangada.Raft
function election.stand(raft)
  local state, node = raft.state, raft.node
  state.role, state.leader = "candidate", nil
  state.term, state.vote = state.term + 1, node.id
  raft.granted = { [node.id] = true }
  node:trace("election", { term = state.term })
  if count_votes(raft) then return become_leader(raft) end -- alone: saves the term with its entry
  server.persist(raft)
  node:broadcast{
    type = "request_vote", term = state.term,
    last_index = state.last, last_term = raft.log:last_term(),
  }
end

--- Figure 2, RequestVote RPC: {type = "request_vote", term, last_index, last_term} from a
--- candidate.
---@param raft jangada.Raft
---@param message table
function election.on_request_vote(raft, message)
  local body, candidate, state, rules = message.body, message.src, raft.state, raft.rules
  if raft.drift_max_percent and rules.withholds_vote(raft.node:now() - raft.leader_ms,
    raft.options.election_timeout_ms[1]) then
    return raft.node:reached("vote_withheld")
  end
  server.see_term(raft, body.term)
  local granted = not rules.is_stale(state.term, body.term)
    and rules.may_vote_for(state.vote, candidate)
    and rules.is_up_to_date(raft.log:last_term(), state.last, body.last_term, body.last_index)
  if granted then
    state.vote = candidate
    server.note_contact(raft)
  end
  server.persist(raft)
  raft.node:reply(message, { type = "request_vote_ok", term = state.term, granted = granted })
end

--- The answer to it: {type = "request_vote_ok", term, granted}.
---@param raft jangada.Raft
---@param message table
function election.on_request_vote_ok(raft, message)
  local body, state, rules = message.body, raft.state, raft.rules
  server.see_term(raft, body.term)
  if state.role ~= "candidate" or rules.is_stale(state.term, body.term) then
    return server.persist(raft)
  end
  raft.granted[message.src] = raft.granted[message.src] or body.granted
  if count_votes(raft) then become_leader(raft) end
end

--- Dissertation 6.2: whether a majority was heard of within the last election timeout.
local function has_contact(raft)
  local since_ms, heard = raft.node:now() - raft.timeout_ms, 1
  for _, peer in ipairs(raft.peers) do
    if raft.heard_ms[peer] >= since_ms then heard = heard + 1 end
  end
  return raft.rules.stays_leader(heard, #raft.members)
end

--- Draws an election timeout and starts to count it.
---@param raft jangada.Raft
function election.start_timer(raft)
  raft.timeout_ms =
    raft.rules.election_timeout_ms(raft.node, raft.options.election_timeout_ms)
  raft.node:after(raft.timeout_ms, raft.on_election_timer)
end

--- What the timer does when it fires.
---@param raft jangada.Raft
function election.on_timer(raft)
  if raft.state.role == "leader" then
    if not has_contact(raft) then server.step_down(raft, raft.state.term) end
    return election.start_timer(raft)
  end
  local now_ms = raft.node:now()
  if now_ms < raft.contact_ms then raft.contact_ms = now_ms end -- the clock was set back
  local left_ms = raft.contact_ms + raft.timeout_ms - now_ms
  if left_ms > 0 then
    raft.node:after(math.ceil(left_ms), raft.on_election_timer)
    return
  end
  server.note_contact(raft)
  election.start_timer(raft)
  election.stand(raft)
end

return election
