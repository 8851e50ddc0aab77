--- Leader election (section 5.2), with the restriction of section 5.4.1, and what keeps elections
-- from disturbing those who have a leader (sections 4.2.3 and 9.6 of Ongaro's dissertation).
--
-- Whoever misses a leader first asks whether it would be elected: it is a pre-candidate, raises no
-- term and saves nothing. If a majority would vote for it, it stands.
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
  return raft.rules.elects(votes, #raft.members)
end

local function ask_all(raft, kind, term)
  raft.node:broadcast{
    type = kind, term = term, last_index = raft.state.last, last_term = raft.log:last_term(),
  }
end

--- 5.2: stands for election: a new term, the own vote, and a request to every other server.
---@param raft jangada.Raft
function election.stand(raft)
  local state, node = raft.state, raft.node
  server.note_contact(raft)
  state.role, state.leader = "candidate", nil
  state.term, state.vote = state.term + 1, node.id
  raft.granted = { [node.id] = true }
  node:trace("election", { term = state.term })
  if count_votes(raft) then return become_leader(raft) end -- alone: saves the term with its entry
  server.persist(raft)
  ask_all(raft, "request_vote", state.term)
end

--- Dissertation 9.6: asks every other server whether it would vote for this one in the next term.
---@param raft jangada.Raft
function election.ask_before(raft)
  local state, id = raft.state, raft.node.id
  server.note_contact(raft)
  state.role, state.leader = "pre_candidate", nil
  raft.granted = { [id] = true }
  raft.node:trace("pre_vote", { term = state.term + 1 })
  if count_votes(raft) then return election.stand(raft) end
  ask_all(raft, "request_pre_vote", state.term + 1)
end

--- Dissertation 4.2.3: whether there is no reason for an election, as far as this server can tell.
-- Only a leader that gives up by itself deserves the trust: others might wait for it forever.
local function hears_leader(raft)
  local state, options = raft.state, raft.options
  local silent_ms = state.role == "leader" and 0 or raft.node:now() - raft.contact_ms
  return options.check_quorum
    and raft.rules.hears_leader(state.leader, silent_ms, options.election_timeout_ms[1])
end

local function is_up_to_date(raft, body)
  return raft.rules.is_up_to_date(raft.log:last_term(), raft.state.last, body.last_term,
    body.last_index)
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
  if rules.ignores_vote_request(state.term, body.term, hears_leader(raft)) then
    return raft.node:reached("vote_request_ignored")
  end
  server.see_term(raft, body.term)
  local granted = not rules.is_stale(state.term, body.term)
    and rules.may_vote_for(state.vote, candidate) and is_up_to_date(raft, body)
  if granted then
    state.vote = candidate
    if state.role == "pre_candidate" then state.role = "follower" end
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

--- Dissertation 9.6: {type = "request_pre_vote", term (the next one), last_index, last_term} from
--- a pre-candidate. Nothing changes by it.
---@param raft jangada.Raft
---@param message table
function election.on_request_pre_vote(raft, message)
  local body, term = message.body, raft.state.term
  local granted = raft.rules.grants_pre_vote(term, body.term, is_up_to_date(raft, body),
    hears_leader(raft))
  raft.node:reply(message, {
    type = "request_pre_vote_ok", term = term, next_term = body.term, granted = granted,
  })
end

--- The answer to it: {type = "request_pre_vote_ok", term, next_term (of the request), granted}. The
--- term is the voter's own: a pre-candidate that is behind learns of it here, else it would ask
--- about old terms forever.
---@param raft jangada.Raft
---@param message table
function election.on_request_pre_vote_ok(raft, message)
  local body, state = message.body, raft.state
  server.see_term(raft, body.term)
  if state.role ~= "pre_candidate" or body.next_term ~= state.term + 1 then
    return server.persist(raft)
  end
  raft.granted[message.src] = raft.granted[message.src] or body.granted
  if count_votes(raft) then election.stand(raft) end
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
  local state, options = raft.state, raft.options
  if state.role == "leader" then
    if options.check_quorum and not has_contact(raft) then server.step_down(raft, state.term) end
    return election.start_timer(raft)
  end
  local now_ms = raft.node:now()
  if now_ms < raft.contact_ms then raft.contact_ms = now_ms end -- the clock was set back
  local left_ms = raft.contact_ms + raft.timeout_ms - now_ms
  if left_ms > 0 then
    raft.node:after(math.ceil(left_ms), raft.on_election_timer)
    return
  end
  election.start_timer(raft)
  if options.pre_vote then election.ask_before(raft) else election.stand(raft) end
end

return election
