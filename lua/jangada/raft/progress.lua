--- What a leader knows of a peer, and how far it runs ahead of that.
--
-- A peer is *probed* while it is not known where its log parts from the leader's: one message at a
-- time is on its way, with what follows a guess. Once the peer has accepted what it was guessed to
-- hold, it is *replicated* to: `inflight_max` messages may be on their way, each with the entries
-- after the one before it. A gap (one was lost, or overtaken) brings the peer back to be probed
-- from what it is known to hold, so it costs one message again, not all of them.
--
-- A peer that is so far behind that the log no longer has what it needs is *sent the snapshot*: no
-- entries leave, and its guess is the snapshot's last entry until it is known to hold that.
--
-- What is on its way is a ring of the last index of each message, in the array part of a progress.

local progress = {}

---@class jangada.raft.Progress
---@field next integer the index to send next
---@field guess integer|nil what the peer may hold, while it is probed; nil while replicated to
---@field flying integer how many messages with entries are on their way
---@field limit integer how many may be: `flying < limit` lets another one leave
---@field window integer the limit while it is replicated to
---@field oldest integer the slot of the first of them, from 0
---@field marked integer the last index on its way when the last heartbeat was sent, 0 if none was
---@field sending table|nil what raft/snapshots.lua knows of the snapshot that the peer is sent
---@field [integer] integer the last index of each message on its way, by slot + 1

--- A peer of a new leader: it may hold all that the leader does.
---@param last integer the leader's last index
---@param inflight_max integer
---@return jangada.raft.Progress
function progress.new(last, inflight_max)
  return { next = last + 1, guess = last, flying = 0, limit = 1, window = inflight_max,
    oldest = 0, marked = 0, sending = nil }
end

--- A message with entries up to `last` leaves.
---@param self jangada.raft.Progress
---@param last integer
function progress.note_sent(self, last)
  local flying = self.flying
  self[(self.oldest + flying) % self.window + 1] = last
  self.flying, self.next = flying + 1, last + 1
end

--- What is on its way now should be answered before the heartbeat that leaves now is.
---@param self jangada.raft.Progress
function progress.mark(self)
  self.marked = self.flying > 0 and self.next - 1 or 0
  if self.sending then self.sending.marked = self.sending.offset end
end

--- The peer holds the log up to `match`.
---@param self jangada.raft.Progress
---@param match integer
function progress.note_match(self, match)
  local guess, flying = self.guess, self.flying
  if guess and match >= guess then
    self.guess, self.limit, self.sending = nil, self.window, nil
  end
  if self.next <= match then self.next = match + 1 end
  if flying == 0 then return end
  local oldest, window = self.oldest, self.window
  while flying > 0 and self[oldest + 1] <= match do
    oldest, flying = (oldest + 1) % window, flying - 1
  end
  self.oldest, self.flying = oldest, flying
end

--- Probes the peer: what was on its way is given up.
---@param self jangada.raft.Progress
---@param guess integer what the peer may hold
function progress.probe(self, guess)
  self.next, self.guess = guess + 1, guess
  self.flying, self.limit, self.marked, self.sending = 0, 1, 0, nil
end

--- Sends the peer a snapshot instead of entries.
---@param self jangada.raft.Progress
---@param sending table with the snapshot
function progress.send_snapshot(self, sending)
  progress.probe(self, sending.snapshot.index)
  self.limit, self.sending = 0, sending
end

--- Whether a refusal of what follows `prev_index` says something new: it is the guess, or else
--- something on its way.
---@param self jangada.raft.Progress
---@param match integer
---@param prev_index integer
---@return boolean
function progress.is_refusal(self, match, prev_index)
  local guess = self.guess
  if guess then return prev_index == guess end
  return prev_index > match and prev_index < self.next
end

return progress
