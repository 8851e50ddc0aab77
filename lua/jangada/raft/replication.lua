--- AppendEntries: how a leader makes the logs of others like its own (section 5.3).
--
-- Entries are sent as they come, up to `batch_bytes_max` of data in a message, as long as a peer
-- has fewer than `inflight_max` messages on their way; what gathers meanwhile goes when one is
-- answered (raft/progress.lua). Heartbeats are empty. A peer that answers one, but not what was on
-- its way before it, is probed again: so a lost message costs a heartbeat, and a peer that is down
-- is not sent the same entries over and over.

local commitment = require "jangada.raft.commitment"
local progress = require "jangada.raft.progress"
local server = require "jangada.raft.server"
local snapshots = require "jangada.raft.snapshots"

local replication = {}

local function append_entries(raft, next, entries)
  local prev_index = next - 1
  return {
    type = "append_entries",
    term = raft.state.term,
    prev_index = prev_index,
    prev_term = raft.log:term(prev_index),
    entries = entries,
    commit = raft.state.commit,
    round = (raft.reads[1] or raft.drift_max_percent) and raft.round, -- nil if nobody reads
  }
end

local function entries_from(raft, next)
  return raft.log:entries(next, raft.state.last, raft.options.batch_bytes_max)
end

--- 5.3: sends one peer the entries that come next for it, as many messages as may leave.
local function send_next(raft, peer)
  local its, last = raft.progress[peer], raft.state.last
  while its.next <= last and its.flying < its.limit do
    local next = its.next
    local entries = entries_from(raft, next)
    progress.note_sent(its, next + #entries - 1)
    raft.node:send(peer, append_entries(raft, next, entries))
  end
end

--- The next index to send, if it is the same for all peers and may leave to all of them; else nil.
--- Then one message serves all, read, made and copied once.
local function common_next(raft)
  local all, peers = raft.progress, raft.peers
  local common
  for i = 1, #peers do
    local its = all[peers[i]]
    local next = its.next
    if its.flying >= its.limit or common and next ~= common then return nil end
    common = next
  end
  return common
end

--- 5.3: sends the entries that come next to every peer.
local function send_next_to_all(raft)
  local all, peers, next = raft.progress, raft.peers, common_next(raft)
  if next then
    local entries = entries_from(raft, next)
    local last = next + #entries - 1
    for i = 1, #peers do progress.note_sent(all[peers[i]], last) end
    raft.node:broadcast(append_entries(raft, next, entries))
    if last == raft.state.last then return end
  end
  for i = 1, #peers do send_next(raft, peers[i]) end
end

--- 5.2: an empty message to every peer, about what it holds or is guessed to hold.
---@param raft jangada.Raft a leader
function replication.send_heartbeats(raft)
  local all, matches, peers, common = raft.progress, raft.match, raft.peers, nil
  local is_common, base = true, raft.log:first_index() - 1
  for i = 1, #peers do
    local peer = peers[i]
    local its = all[peer]
    progress.mark(its)
    local held = math.max(its.guess or matches[peer], base)
    is_common = is_common and held == (common or held)
    common = held
  end
  if is_common and common then
    return raft.node:broadcast(append_entries(raft, common + 1, {}))
  end
  for _, peer in ipairs(peers) do
    local held = math.max(all[peer].guess or matches[peer], base)
    raft.node:send(peer, append_entries(raft, held + 1, {}))
  end
end

--- 5.2: what a leader does at each interval.
---@param raft jangada.Raft a leader
function replication.heartbeat(raft)
  server.persist_commit(raft)
  replication.send_heartbeats(raft)
end

--- 5.3: a leader appends to its own log and tells the others.
---@param raft jangada.Raft a leader
---@param entries jangada.log.Entry[] of the current term
function replication.append(raft, entries)
  server.persist(raft, entries)
  if #raft.peers == 0 then commitment.advance(raft) end -- alone, it is the majority
  send_next_to_all(raft)
end

--- Figure 2, AppendEntries RPC, steps 2 to 5, on a follower of the message's term.
local function accept(raft, message)
  local body, log, rules = message.body, raft.log, raft.rules
  local prev_index, prev_term, entries = body.prev_index, body.prev_term, body.entries
  local term, base = raft.state.term, log:first_index() - 1
  if prev_index < base then -- what the snapshot covers is committed, so it is the leader's, too
    entries = table.move(entries, base - prev_index + 1, #entries, 1, {})
    prev_index, prev_term = base, log:term(base)
  end
  if not rules.log_matches(log, prev_index, prev_term) then
    server.persist(raft)
    raft.node:reached("append_refused")
    local hint_index, hint_term = log:conflict_hint(prev_index, prev_term)
    return { type = "append_entries_ok", term = term, success = false, prev_index = prev_index,
      hint_index = hint_index, hint_term = hint_term, round = body.round }
  end
  local last_verified = prev_index + #entries
  local commit = rules.follower_commit(raft.state.commit, body.commit, last_verified)
  local position = rules.first_new_entry(log, prev_index, entries)
  if position then
    local first = prev_index + position
    if first <= raft.state.last then raft.node:reached("log_truncated") end
    if position > 1 then entries = table.move(entries, position, #entries, 1, {}) end
    raft.state.commit = commit -- saved with the entries, applied below
    server.persist(raft, entries, first)
  else
    server.persist(raft)
    raft.state.commit = commit
    if #entries == 0 then server.persist_commit(raft) end
  end
  commitment.apply(raft)
  return { type = "append_entries_ok", term = term, success = true, prev_index = body.prev_index,
    match = last_verified, round = body.round }
end

-- What a message of a leader, of this term or a later one, says by having come. A term has one
-- leader: this server never hears of another one in its own term (section 5.2).
local function follow(raft, message)
  local state, term = raft.state, message.body.term
  if state.role == "leader" and term == state.term then return false end
  server.see_term(raft, term)
  if state.role ~= "follower" then server.step_down(raft, state.term) end
  state.leader = message.src
  server.note_contact(raft)
  raft.leader_ms = raft.contact_ms
  return true
end

--- Figure 2, AppendEntries RPC: {type = "append_entries", term, prev_index, prev_term, entries,
--- commit, and a round of reads if there is one} from a leader.
---@param raft jangada.Raft
---@param message table
function replication.on_append_entries(raft, message)
  local body, state = message.body, raft.state
  if raft.rules.is_stale(state.term, body.term) then
    raft.node:reply(message, {
      type = "append_entries_ok", term = state.term, success = false, prev_index = body.prev_index,
      hint_index = 0, hint_term = 0,
    })
    return
  end
  if follow(raft, message) then raft.node:reply(message, accept(raft, message)) end
end

--- Figure 13, InstallSnapshot RPC: {type = "install_snapshot", term, snapshot (what it covers, and
--- its size), offset, data (a piece of it)} from a leader. It is answered {type =
--- "install_snapshot_ok", term, index (of the snapshot), received (bytes so far), or match (when
--- all that it covers is here)}.
---@param raft jangada.Raft
---@param message table
function replication.on_install_snapshot(raft, message)
  local body, state = message.body, raft.state
  local index = body.snapshot.index
  local answer = { type = "install_snapshot_ok", index = index, received = 0 }
  if raft.rules.is_stale(state.term, body.term) then
    answer.term = state.term
    return raft.node:reply(message, answer)
  end
  if not follow(raft, message) then return end
  server.persist(raft)
  if raft.rules.needs_snapshot(raft.log, state.commit, index, body.snapshot.term) then
    answer = snapshots.receive(raft, message)
  else
    raft.node:reached("snapshot_not_needed")
    commitment.commit_to(raft, index)
    answer.term, answer.match = state.term, math.max(index, state.commit)
  end
  raft.node:reply(message, answer)
end

-- Probes a peer behind a guess; if the log begins after that, it is sent the snapshot instead.
local function probe(raft, peer, guess)
  if guess + 1 < raft.log:first_index() then return snapshots.send(raft, peer) end
  progress.probe(raft.progress[peer], guess)
end

--- 5.3: an accepted message: the peer holds this log up to `match`.
local function note_success(raft, peer, body)
  local state, its = raft.state, raft.progress[peer]
  local match = raft.rules.match_on_success(raft.match[peer], body.match)
  raft.match[peer] = match
  progress.note_match(its, match)
  if its.marked > match and body.match == body.prev_index then
    raft.node:reached("append_lost") -- it was sent before the heartbeat that is answered
    probe(raft, peer, match)
  end
  if match > state.commit then commitment.advance(raft) end
  if its.next <= state.last then send_next(raft, peer) end
end

--- 5.3: a refused message: the logs part before it, or one before it did not arrive. Answers to
--- messages overtaken since say nothing.
local function note_refusal(raft, peer, body)
  local its, match = raft.progress[peer], raft.match[peer]
  if its.sending then return snapshots.send_again(raft, peer) end
  if not progress.is_refusal(its, match, body.prev_index) then return end
  local guess = match
  if its.guess then
    guess = raft.rules.next_on_refusal(raft.log, match, body.hint_index, body.hint_term) - 1
    if guess >= its.guess then return end
  end
  probe(raft, peer, guess)
  send_next(raft, peer)
end

--- The answer to it: {type = "append_entries_ok", term, success, prev_index (of the message), and
--- match or else hint_index, hint_term; and its round}.
---@param raft jangada.Raft
---@param message table
function replication.on_append_entries_ok(raft, message)
  local body, peer, state = message.body, message.src, raft.state
  server.see_term(raft, body.term)
  if state.role ~= "leader" or raft.rules.is_stale(state.term, body.term) then
    return server.persist(raft)
  end
  raft.heard_ms[peer] = raft.node:now()
  if body.success then
    note_success(raft, peer, body)
  else
    note_refusal(raft, peer, body)
  end
end

--- The answer to install_snapshot.
---@param raft jangada.Raft
---@param message table
function replication.on_install_snapshot_ok(raft, message)
  local body, peer, state = message.body, message.src, raft.state
  server.see_term(raft, body.term)
  if state.role ~= "leader" or raft.rules.is_stale(state.term, body.term) then
    return server.persist(raft)
  end
  raft.heard_ms[peer] = raft.node:now()
  if body.match then
    note_success(raft, peer, { match = body.match })
  else
    snapshots.note_received(raft, peer, body)
  end
end

return replication
