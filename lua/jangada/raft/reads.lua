--- Reads that write nothing to the log (dissertation 6.4; the end of section 8 of the paper).
--
-- A leader notes how far its log was committed when it was asked, and makes sure that it still led
-- then: it begins a *round*, whose number goes out with its heartbeats, and comes back with the
-- answers, until a majority has answered. Reads that come meanwhile share the next round. What was
-- asked is then answered from the machine, as soon as that has applied what was noted.
--
-- Another server asks the leader for that index, waits until it has applied it, and answers
-- itself. It keeps nothing meanwhile: the client's request goes to the leader and back. What gets
-- lost, the client asks again.

-- With the option `lease` (6.4.1) each heartbeat begins a round, and a leader whom a majority has
-- confirmed a recent one asks nobody: those servers vote for no other one yet. That is true only
-- while each server's node:now goes at the right rate, give or take `drift_max_percent`, and is not
-- set.

local clients = require "jangada.raft.clients"
local commitment = require "jangada.raft.commitment"
local replication = require "jangada.raft.replication"

local reads = {}

-- A read may be answered by this server once it has applied an index.
local function await_applied(raft, request, index)
  raft.reading[#raft.reading + 1] = { request = request, index = index }
  clients.answer_reads(raft)
end

-- What was asked of this leader may be answered with an index: to a server, or by this one.
local function pass(raft, message, index)
  if message.body.type == "read" then
    await_applied(raft, message, index)
  else
    clients.tell_index(raft, message, index)
  end
end

-- 6.4.1: the lease counts from when the round began, not from when it was answered.
local function note_lease(raft, held)
  local round_ms = raft.round_ms
  if not round_ms[held] then return end
  raft.lease_ms = round_ms[held]
  while round_ms[held] do round_ms[held], held = nil, held - 1 end
end

local begin_round

-- 6.4, step 3: what a majority has confirmed goes on; what came too late for that begins a round.
local function settle(raft)
  local pending, rules = raft.reads, raft.rules
  local held = commitment.held_by_quorum(raft.confirmed, raft.peers, raft.round, rules.is_quorum)
  note_lease(raft, held)
  local n = 0
  while n < #pending and rules.is_round_confirmed(held, pending[n + 1].round) do n = n + 1 end
  if n == 0 then return end
  raft.reads = table.move(pending, n + 1, #pending, 1, {})
  for i = 1, n do
    pass(raft, pending[i].message, pending[i].index)
  end
  if raft.reads[1] and raft.reads[1].round > raft.round then begin_round(raft) end
end

local function next_round(raft)
  raft.round = raft.round + 1
  if raft.drift_max_percent then raft.round_ms[raft.round] = raft.node:now() end
end

--- 6.4.1: with leases each heartbeat is a round.
---@param raft jangada.Raft
function reads.before_heartbeat(raft)
  if raft.drift_max_percent then next_round(raft) end
end

function begin_round(raft)
  next_round(raft)
  replication.send_heartbeats(raft)
  settle(raft) -- alone, it is the majority
end

local function holds_lease(raft)
  if not raft.lease_ms then return false end
  local rules, least_ms = raft.rules, raft.options.election_timeout_ms[1]
  return rules.holds_lease(raft.node:now() - raft.lease_ms,
    rules.lease_ms(least_ms, raft.drift_max_percent))
end

-- 6.4, steps 1 and 2: notes the read index, and waits for a round that begins after that.
local function await_round(raft, message)
  local pending, state = raft.reads, raft.state
  local index = raft.rules.read_index(raft.log, state.term, state.commit)
  if holds_lease(raft) then return pass(raft, message, index) end
  pending[#pending + 1] = { message = message, index = index, round = raft.round + 1 }
  if #pending == 1 then begin_round(raft) end
end

--- {type = "read", query = "..."} from a client, to any server, is answered {type = "read_ok",
--- result, index (of the last entry that it has seen)}, or refused, and may then be asked again.
---@param raft jangada.Raft
---@param message table
function reads.on_read(raft, message)
  local leader = raft.state.leader
  if type(message.body.query) ~= "string" then
    clients.refuse(raft, message, 12, "query must be a string")
  elseif raft.state.role == "leader" then
    await_round(raft, message)
  elseif leader then
    raft.node:send(leader, { type = "read_index",
      request = { src = message.src, body = message.body } })
  else
    clients.refuse(raft, message, 11, "no leader is known")
  end
end

--- {type = "read_index", request (of a client)} from a server that was asked to read.
---@param raft jangada.Raft
---@param message table
function reads.on_read_index(raft, message)
  if raft.state.role == "leader" then
    await_round(raft, message)
  else
    clients.tell_index(raft, message, nil)
  end
end

--- The answer to it: {type = "read_index_ok", request, index (nil if it does not lead)}.
---@param raft jangada.Raft
---@param message table
function reads.on_read_index_ok(raft, message)
  local body = message.body
  if body.index then
    await_applied(raft, body.request, body.index)
  else
    clients.refuse(raft, body.request, 11, "the leader is deposed")
  end
end

--- What an answer to append_entries, which was handled already, says of a round.
---@param raft jangada.Raft
---@param message table
function reads.on_append_entries_ok(raft, message)
  local body, peer, rules = message.body, message.src, raft.rules
  if not body.round or raft.state.role ~= "leader" then return end
  if rules.is_stale(raft.state.term, body.term) then return end
  raft.confirmed[peer] = rules.confirmed_round(raft.confirmed[peer], body.round, raft.round)
  settle(raft)
end

return reads
