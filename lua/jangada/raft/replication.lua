--- AppendEntries: how a leader makes the logs of others like its own (section 5.3).
--
-- A peer has one message with entries on its way at a time; what gathers meanwhile goes with the
-- next one, up to `batch_bytes_max` of data. Heartbeats are empty. A peer that answers one, but not
-- the entries that were on their way before it, gets them again: so a lost message costs a
-- heartbeat, and a peer that is down is not sent the same entries over and over.

local commitment = require "jangada.raft.commitment"
local server = require "jangada.raft.server"

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
  }
end

local function entries_from(raft, next)
  return raft.log:entries(next, raft.state.last, raft.options.batch_bytes_max)
end

--- 5.3: sends one peer the entries that come next for it.
local function send_next(raft, peer)
  local next = raft.next[peer]
  local entries = entries_from(raft, next)
  raft.awaited[peer] = next + #entries - 1
  raft.node:send(peer, append_entries(raft, next, entries))
end

--- The next index to send, if it is the same for all peers; else nil. Then one message serves all,
--- read, made and copied once.
local function common_next(raft)
  local nexts, peers = raft.next, raft.peers
  local common = nexts[peers[1]]
  for i = 2, #peers do
    if nexts[peers[i]] ~= common then return nil end
  end
  return common
end

local function is_awaited(raft)
  local awaited, peers = raft.awaited, raft.peers
  for i = 1, #peers do
    if awaited[peers[i]] ~= 0 then return true end
  end
  return false
end

--- 5.3: sends the entries that come next to every peer that owes no answer.
local function send_next_to_all(raft)
  local next = common_next(raft)
  if next and not is_awaited(raft) then
    local entries = entries_from(raft, next)
    local awaited, peers, last = raft.awaited, raft.peers, next + #entries - 1
    for i = 1, #peers do awaited[peers[i]] = last end
    raft.node:broadcast(append_entries(raft, next, entries))
  else
    for _, peer in ipairs(raft.peers) do
      if raft.awaited[peer] == 0 then send_next(raft, peer) end
    end
  end
end

--- 5.2: a heartbeat, to every peer.
---@param raft jangada.Raft a leader
function replication.heartbeat(raft)
  server.persist_commit(raft)
  local probed, awaited, peers = raft.probed, raft.awaited, raft.peers
  for i = 1, #peers do probed[peers[i]] = awaited[peers[i]] end
  local next = common_next(raft)
  if next then
    raft.node:broadcast(append_entries(raft, next, {}))
  else
    for _, peer in ipairs(peers) do
      raft.node:send(peer, append_entries(raft, raft.next[peer], {}))
    end
  end
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
  local prev_index, entries = body.prev_index, body.entries
  local term = raft.state.term
  if not rules.log_matches(log, prev_index, body.prev_term) then
    server.persist(raft)
    raft.node:reached("append_refused")
    local hint_index, hint_term = log:conflict_hint(prev_index, body.prev_term)
    return { type = "append_entries_ok", term = term, success = false, prev_index = prev_index,
      hint_index = hint_index, hint_term = hint_term }
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
  return { type = "append_entries_ok", term = term, success = true, prev_index = prev_index,
    match = last_verified }
end

--- Figure 2, AppendEntries RPC: {type = "append_entries", term, prev_index, prev_term, entries,
--- commit} from a leader.
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
  -- A term has one leader: this server never hears of another one in its own term (section 5.2).
  if state.role == "leader" and body.term == state.term then return end
  server.see_term(raft, body.term)
  if state.role == "candidate" then server.step_down(raft, state.term) end
  state.leader = message.src
  server.note_contact(raft)
  raft.node:reply(message, accept(raft, message))
end

--- 5.3: an accepted message: the peer holds this log up to `match`.
local function note_success(raft, peer, body)
  local state, next, awaited = raft.state, raft.next, raft.awaited[peer]
  local match = raft.rules.match_on_success(raft.match[peer], body.match)
  raft.match[peer] = match
  if next[peer] <= match then next[peer] = match + 1 end
  local is_heartbeat = body.match == body.prev_index
  if match >= awaited or is_heartbeat and raft.probed[peer] == awaited then
    awaited = 0 -- it has arrived; or it was sent before the heartbeat, and is lost
    raft.awaited[peer] = 0
  end
  if match > state.commit then commitment.advance(raft) end
  if awaited == 0 and next[peer] <= state.last then send_next(raft, peer) end
end

--- 5.3: a refused message: the logs part before it. Answers to messages overtaken since say
--- nothing.
local function note_refusal(raft, peer, body)
  local next = raft.next[peer]
  if body.prev_index ~= next - 1 then return end
  raft.next[peer] =
    raft.rules.next_on_refusal(raft.log, raft.match[peer], body.hint_index, body.hint_term)
  if raft.next[peer] < next then send_next(raft, peer) end
end

--- The answer to it: {type = "append_entries_ok", term, success, prev_index (of the message), and
--- match or else hint_index, hint_term}.
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

return replication
