--- One Raft server: the state of Figure 2, how it is saved, and how a server becomes a follower.
--
-- The scalars of Figure 2 live in `raft.state`, which is the node's `state`, so that whoever
-- watches the node sees them: role, term, vote, leader, commit, last. Term and vote may
-- run ahead of the log while a message is handled; `persist` writes them, with the entries if
-- there are any, in one save, and no message leaves the node before that is durable.

local Log = require "jangada.log"
local clients = require "jangada.raft.clients"
local sessions = require "jangada.raft.sessions"

local server = {}

--- How far the saved commit index may stay behind while entries come; at rest it does not.
server.COMMIT_LAG_MAX = 64

local COMMIT_LAG_MAX <const> = server.COMMIT_LAG_MAX

---@class jangada.Raft
---@field node table what the world gives
---@field rules table the decisions
---@field options table
---@field log jangada.Log
---@field machine table the state machine
---@field sessions jangada.raft.Sessions
---@field state table role, term, vote, leader, commit, last
---@field applied integer the index of the last entry applied
---@field applied_bytes integer data of what was applied since the last snapshot
---@field taking table|nil the snapshot that is being taken: index, parts, writer
---@field receiving table|nil the one that is being received: src, term, index, writer
---@field members string[] all servers, this one included, sorted
---@field peers string[] the others, sorted
---@field granted table<string, boolean> who voted, or would vote, for this candidate
---@field progress table<string, jangada.raft.Progress> of each peer, while leading
---@field match table<string, integer> how far each peer is known to hold this log, while leading
---@field heard_ms table<string, number> when each peer was last heard of, while leading
---@field uncommitted_bytes integer data of commands logged and not committed, while leading
---@field waiting table<integer, table[]> client requests to answer, by the index they wait for
---@field reads table[] {message, index, round} of each read that waits for a round, while leading
---@field round integer the last round of reads begun
---@field confirmed table<string, integer> the last round each peer confirmed, while leading
---@field drift_max_percent number|nil of clocks, with leases
---@field round_ms table<integer, number> when rounds began that are not confirmed, with leases
---@field lease_ms number|nil when the last round began that is, while leading with a lease
---@field leader_ms number when a leader was last heard of, or this server booted
---@field reading table[] {request, index} of each read that waits for an index to be applied
---@field resting_commit integer the commit index at the last heartbeat
---@field contact_ms number when a leader was last heard of, a vote was given, an election begun
---@field timeout_ms integer the election timeout drawn last
---@field heartbeat table|nil the timer of a leader

---@param node table
---@param options table see jangada.raft.protocol
---@param rules table
---@param machine table
---@return jangada.Raft
function server.new(node, options, rules, machine)
  local log = Log.open(node.db, "replog")
  local members, peers = { node.id }, {}
  for _, id in ipairs(node.peers) do
    if id ~= node.id then
      members[#members + 1] = id
      peers[#peers + 1] = id
    end
  end
  table.sort(members)
  table.sort(peers)
  local term, vote = log:hard_state()
  node.state = {
    role = "follower", -- even if it led when it went down: others may lead by now
    term = term,
    vote = vote,
    leader = nil, -- nobody known yet
    commit = rules.commit_at_boot(log),
    last = log:last_index(),
  }
  return {
    node = node, rules = rules, options = options, log = log, machine = machine,
    sessions = sessions.new(), state = node.state, applied = 0, applied_bytes = 0,
    taking = nil, receiving = nil, members = members, peers = peers,
    granted = {}, progress = {}, match = {}, heard_ms = {}, waiting = {},
    uncommitted_bytes = 0, reads = {}, round = 0, confirmed = {}, reading = {},
    drift_max_percent = options.lease and options.lease.drift_max_percent or nil,
    round_ms = {}, lease_ms = nil, leader_ms = node:now(),
    resting_commit = node.state.commit, contact_ms = node:now(), timeout_ms = 0, heartbeat = nil,
  }
end

--- Saves the term and the vote if they have changed, and entries if there are some, together. The
--- commit index goes with entries now and then: it is a hint to restart from and needs no write of
--- its own, and the log is told of it, so that it guards what is committed.
---@param raft jangada.Raft
---@param entries? jangada.log.Entry[]
---@param first? integer the index of the first of them; default after the last
function server.persist(raft, entries, first)
  local state, log = raft.state, raft.log
  local term, vote, saved_commit = log:hard_state()
  local is_changed = term ~= state.term or vote ~= state.vote
  if entries then
    local commit = state.commit
    local takes_commit = is_changed or commit - saved_commit >= COMMIT_LAG_MAX
    log:save_fields(state.term, state.vote, takes_commit and commit or nil, entries, first)
    log:note_commit(commit)
    state.last = log:last_index()
  elseif is_changed then
    log:save_fields(state.term, state.vote)
  end
end

--- Saves the commit index alone, if it has stood still since the last time: there was nothing to
--- save it with for a while.
---@param raft jangada.Raft
function server.persist_commit(raft)
  local commit, log = raft.state.commit, raft.log
  local _, _, saved_commit = log:hard_state()
  if commit ~= raft.resting_commit then
    raft.resting_commit = commit
  elseif commit ~= saved_commit then
    log:save_fields(nil, nil, commit)
  end
end

--- 5.2: counts the election timeout from now.
---@param raft jangada.Raft
function server.note_contact(raft)
  raft.contact_ms = raft.node:now()
end

--- Becomes, or stays, a follower. Persisting the term is left to the caller, who may have more to
--- save.
---@param raft jangada.Raft
---@param term integer the current term or a higher one
function server.step_down(raft, term)
  local state = raft.state
  state.vote = raft.rules.vote_on_step_down(state.vote, state.term, term)
  if term ~= state.term then
    state.term, state.leader = term, nil
  end
  if state.role == "leader" then
    raft.heartbeat:cancel()
    raft.heartbeat = nil
    state.leader = nil
    raft.round_ms, raft.lease_ms = {}, nil
    server.note_contact(raft)
    raft.node:trace("step_down", { term = term })
    clients.refuse_waiting(raft)
  end
  state.role = "follower"
end

--- 5.1: adopts the term of a message if it is higher.
---@param raft jangada.Raft
---@param term integer of the message
function server.see_term(raft, term)
  if raft.rules.adopts_term(raft.state.term, term) then server.step_down(raft, term) end
end

return server
