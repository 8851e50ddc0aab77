--- Snapshots (section 7): how a log is kept short, and how a server that is too far behind for it
--- gets the state machine instead.
--
-- A snapshot is made of parts: one with the sessions of all clients, then those of the machine.
-- machine:snapshot() returns a function that gives them one by one, of the state at that moment
-- whatever is applied meanwhile; so they are written a few at a time, in a turn each, and nobody
-- waits. The log removes what the saved snapshot covers, but for some trailing entries. The machine
-- is in memory: at boot it is made from the snapshot, and what follows that is applied again.
--
-- A leader sends its saved snapshot piece by piece, one on its way at a time. One that gets lost is
-- sent again when a heartbeat that left after it is answered and it is not. The follower writes the
-- pieces beside its log, and takes them for its state when it has all, in one transaction.

local clients = require "jangada.raft.clients"
local packing = require "jangada.raft.packing"
local progress = require "jangada.raft.progress"

local snapshots = {}

local STEP_BYTES <const> = 256 * 1024 -- written in a turn
local pack, unpack = string.pack, string.unpack

---------------------------------------------------------------------------------------------------
-- Taking

-- A leader's peers that are sent a snapshot now, and have been heard of: another one that took its
-- place would make them begin anew.
local function is_sending(raft)
  if raft.state.role ~= "leader" then return false end
  local since_ms = raft.node:now() - raft.timeout_ms
  for _, peer in ipairs(raft.peers) do
    if raft.progress[peer].sending and raft.heard_ms[peer] >= since_ms then return true end
  end
  return false
end

-- The snapshot of a leader has removed entries that some peer would have been sent.
local function send_to_those_behind(raft)
  local base = raft.log:first_index() - 1
  for _, peer in ipairs(raft.peers) do
    local its = raft.progress[peer]
    if its.next <= base or its.guess and its.guess < base then snapshots.send(raft, peer) end
  end
end

local function save(raft, taking)
  local index = taking.index
  raft.taking = nil
  raft.log:save{ snapshot = taking.writer, commit = raft.state.commit,
    compact = math.max(index - (raft.options.compaction.trailing or 0), 0) }
  raft.node:trace("snapshot", { index = index, term = taking.writer.term })
  if raft.state.role == "leader" then send_to_those_behind(raft) end
end

-- Writes some parts, and the rest in later turns.
local function step(raft, taking)
  if raft.taking ~= taking then return end -- an installed one came in between
  local bytes = 0
  for part in taking.parts do
    taking.writer:write(pack(">s4", part))
    bytes = bytes + #part
    if bytes >= STEP_BYTES then
      raft.node:after(1, function() step(raft, taking) end)
      return
    end
  end
  save(raft, taking)
end

local function parts_of(raft)
  local first, of_machine = packing.pack(raft.sessions.applied), raft.machine:snapshot()
  return function()
    local part = first or of_machine()
    first = nil
    return part
  end
end

--- Begins a snapshot of what is applied, if it is time for one.
---@param raft jangada.Raft
function snapshots.consider(raft)
  raft.receiving = nil -- entries have come instead
  local log, index = raft.log, raft.applied
  local saved = log:snapshot()
  local entries = index - (saved and saved.index or 0)
  if raft.taking or entries == 0 or is_sending(raft) then return end
  if not raft.rules.compacts(entries, raft.applied_bytes, raft.options.compaction) then return end
  raft.applied_bytes = 0
  raft.taking = { index = index, parts = parts_of(raft), writer = log:snapshot_writer{
    index = index, term = log:term(index), info = table.concat(raft.members, " ") } }
  step(raft, raft.taking)
end

---------------------------------------------------------------------------------------------------
-- Restoring

-- The parts that a reader's chunks are made of.
local function parts_in(reader)
  local held = ""
  local function take(size)
    if #held < size then
      local chunks, bytes = { held }, #held
      while bytes < size do
        local chunk = reader:read()
        if not chunk then return nil end
        chunks[#chunks + 1], bytes = chunk, bytes + #chunk
      end
      held = table.concat(chunks)
    end
    local taken = held:sub(1, size)
    held = held:sub(size + 1)
    return taken
  end
  return function()
    local size = take(4)
    return size and take((unpack(">I4", size)))
  end
end

--- Makes the machine and the sessions what the log's snapshot holds; without one they stay.
---@param raft jangada.Raft
function snapshots.restore(raft)
  local reader = raft.log:snapshot_reader()
  if not reader then return end
  local parts = parts_in(reader)
  raft.sessions.applied, raft.sessions.logged = packing.unpack(parts()), {}
  raft.machine:restore(parts)
  raft.applied, raft.applied_bytes = reader.index, 0
end

---------------------------------------------------------------------------------------------------
-- Sending

-- The next piece of what is sent.
local function read_piece(sending, most)
  local chunk = sending.chunk
  if #chunk == 0 then chunk = sending.reader:read() or "" end
  sending.piece, sending.chunk = chunk:sub(1, most), chunk:sub(most + 1)
end

local function send_piece(raft, peer)
  local sending = raft.progress[peer].sending
  raft.node:send(peer, { type = "install_snapshot", term = raft.state.term,
    snapshot = sending.snapshot, offset = sending.offset, data = sending.piece })
end

--- 7: begins to send a peer the snapshot, from its first byte.
---@param raft jangada.Raft a leader
---@param peer string
function snapshots.send(raft, peer)
  local snapshot = raft.log:snapshot()
  local sending = { snapshot = snapshot, reader = raft.log:snapshot_reader(), offset = 0,
    chunk = "", piece = nil, marked = nil }
  read_piece(sending, raft.options.snapshot_bytes_max)
  progress.send_snapshot(raft.progress[peer], sending)
  raft.node:reached("snapshot_sent")
  send_piece(raft, peer)
end

--- A heartbeat was answered: what left before it, and is not answered, is lost.
---@param raft jangada.Raft a leader
---@param peer string that is sent a snapshot
function snapshots.send_again(raft, peer)
  local sending = raft.progress[peer].sending
  if sending.marked ~= sending.offset then return end
  sending.marked = nil
  raft.node:reached("snapshot_piece_lost")
  send_piece(raft, peer)
end

--- The follower has what is said in {type = "install_snapshot_ok", term, index, received}.
---@param raft jangada.Raft a leader
---@param peer string
---@param body table
function snapshots.note_received(raft, peer, body)
  local sending = raft.progress[peer].sending
  if not sending or body.index ~= sending.snapshot.index then return end
  local received, offset = body.received, sending.offset
  if raft.log:snapshot().index ~= sending.snapshot.index or received == 0 and offset > 0 then
    return snapshots.send(raft, peer) -- there is another one, or the follower knows of none of it
  end
  if received ~= offset + #sending.piece then return end
  sending.offset = received
  read_piece(sending, raft.options.snapshot_bytes_max)
  send_piece(raft, peer)
end

---------------------------------------------------------------------------------------------------
-- Receiving

-- Figure 13, steps 5 to 8: the snapshot takes the place of the log, which does not hold its last
-- entry, and of the machine. All of it is one turn, so it happens or it does not.
local function install(raft, writer)
  local state, log, index = raft.state, raft.log, writer.index
  raft.receiving = nil
  log:save{ snapshot = writer, first = index + 1, commit = index }
  state.commit, state.last = index, log:last_index()
  snapshots.restore(raft)
  raft.node:trace("snapshot", { index = index, term = writer.term, installed = true })
  raft.node:reached("snapshot_installed")
  if raft.reading[1] then clients.answer_reads(raft) end
end

--- Figure 13, InstallSnapshot RPC, steps 2 to 4: keeps a piece that follows those before it.
---@param raft jangada.Raft a follower that lacks what the snapshot covers
---@param message table
---@return table answer
function snapshots.receive(raft, message)
  local body, its = message.body, raft.receiving
  local index = body.snapshot.index
  if not its or its.src ~= message.src or its.term ~= body.term or its.index ~= index then
    raft.taking = nil -- a log has one writer
    its = { src = message.src, term = body.term, index = index,
      writer = raft.log:snapshot_writer(body.snapshot) }
    raft.receiving = its
  end
  local writer, size = its.writer, body.snapshot.size
  if body.offset == writer.size then writer:write(body.data) end
  local answer = { type = "install_snapshot_ok", term = raft.state.term, index = index }
  if writer.size < size then
    answer.received = writer.size
  else
    install(raft, writer)
    answer.match = index
  end
  return answer
end

return snapshots
