-- What the nodes' Raft logs hold, for the invariants that look at them: read from the entry bucket
-- `replog` of each store, behind the log's back, once after each turn that wrote.
--
-- It stands before its invariants among those that look at turns. They see of the turn:
--
--     n                the entries that are new in the log, n..1 by ascending index:
--     indices, terms, contents   their index, term, and a hash of the rest of them
--     index_before     the last index before them that was there already, nil if there is none
--     removed          the first index of which the entry is gone or another; nil if all stayed
--
-- What is read after a turn may be judged much later, when its disk is flushed. So a log is known
-- twice: as it was last read, and as it is durable.

local Log = require "jangada.log"
local format = require "jangada.log.format"
local plain = require "jangada.node.plain"

local mix, hash_string = plain.mix, plain.hash_string

local Logs = {name = "logs"}
Logs.__index = Logs

local M = {}

---@return table logs
function M.new()
  return setmetatable({
    -- id -> a durable log: {last = index, terms = by index, base = index of its snapshot,
    -- is_there = whether there is a log}
    known = {},
    -- id -> a log as last read: {last =, hashes = {[index] = of the value}, base =, is_there =,
    -- is_unread = whether a boot came in between, had = the last durable index before it}
    readers = {},
    n = 0, indices = {}, terms = {}, contents = {}, index_before = nil, removed = nil,
    found = nil, -- what a turn that is judged at once has found; used again for the next
    values = {}, -- scratch of a turn
  }, Logs)
end

-- What is left when a turn is over, for jangada.lab.explore.memory.
function Logs:remembers()
  return {self.known, self.readers}
end

-- Its log may be anything after a crash: all of it is looked at again. It may fail to boot, so what
-- is known stays until then.
function Logs:booted(machine)
  local id = machine.id
  local known = self.known[id] or {last = 0, terms = {}, base = 0, is_there = false}
  self.known[id] = known
  self.readers[id] = {last = 0, hashes = {}, base = 0, is_there = false, is_unread = true,
    had = known.last}
end

local function new_found()
  return {n = 0, indices = {}, terms = {}, contents = {}, hashes = {}}
end

-- What rots is judged as what it was: who finds it stops for good (jangada.lab.failing).
local function without_rot(rot, index, value)
  local entry = rot and rot[index]
  return entry and entry.is == value and entry.was or value
end

-- Reads the entries of the log backwards, until one that was seen before: the last index, how many
-- there are, and the index of the one that was seen, if one was.
local function read_fresh(tx, reader, found, values, rot)
  local bucket = tx:bucket("replog")
  if not bucket then return 0, 0 end
  reader.is_there = true
  local indices, hashes = found.indices, found.hashes
  local cursor = bucket:cursor()
  local index, value = cursor:last()
  local last, n = index or 0, 0
  while index do
    value = without_rot(rot, index, value)
    local hash = hash_string(value)
    if reader.hashes[index] == hash then break end
    n = n + 1
    indices[n], values[n], hashes[n] = index, value, hash
    index, value = cursor:prev()
  end
  return last, n, index
end

-- After anything but an append: what is gone, and what a snapshot covers instead.
local function note_break(machine, reader, found, old_last, before)
  if reader.is_there then
    local snapshot = Log.open(machine.db, "replog"):snapshot()
    reader.base = snapshot and snapshot.index or 0
  end
  local kept = math.max(before, reader.base)
  if (reader.had or old_last) > kept then found.removed = kept + 1 end
end

-- What a turn has changed.
local function read(self, machine, found)
  local reader, values = self.readers[machine.id], self.values
  local last, n, index_before = machine.db:view(read_fresh, reader, found, values,
    machine.rot)
  local hashes, old_last = reader.hashes, reader.last
  for index = last + 1, old_last do hashes[index] = nil end
  reader.last, found.n, found.index_before, found.removed = last, n, index_before, nil
  for i = n, 1, -1 do
    local index = found.indices[i]
    local term, kind, data = format.decode(index, values[i])
    hashes[index], values[i] = found.hashes[i], nil
    found.terms[i], found.contents[i] = term, mix(hash_string(data), kind) -- not the position: see
  end                                                                      -- docs/log.md
  local before = index_before or 0
  found.is_first = reader.is_unread
  if reader.is_unread or before ~= old_last or n > 0 and found.indices[n] ~= before + 1 then
    note_break(machine, reader, found, old_last, before)
    reader.is_unread, reader.had = nil, nil
  end
  found.last, found.base, found.is_there = last, reader.base, reader.is_there
  return found
end

-- What a turn has changed is durable.
local function take(self, known, found)
  if found.is_first then known.last, known.terms = 0, {} end
  local terms = known.terms
  for index = found.last + 1, known.last do terms[index] = nil end
  for i = found.n, 1, -1 do terms[found.indices[i]] = found.terms[i] end
  known.last, known.base, known.is_there = found.last, found.base, found.is_there
  self.n, self.indices, self.terms, self.contents = found.n, found.indices, found.terms,
    found.contents
  self.index_before, self.removed = found.index_before, found.removed
end

function Logs:look(machine, wrote)
  if not wrote and not self.readers[machine.id].is_unread then return nil end
  return read(self, machine, new_found())
end

function Logs:turn(machine, wrote, seen)
  self.n, self.removed = 0, nil
  if seen == nil and (wrote or self.readers[machine.id].is_unread) then
    self.found = self.found or new_found()
    seen = read(self, machine, self.found)
  end
  if seen then take(self, self.known[machine.id], seen) end
  return nil
end

---Whether a node's log, as last seen, has the entry of an index and term, or a snapshot that covers
---it.
---@param id string
---@param index integer
---@param term integer
---@return boolean
function Logs:has(id, index, term)
  local known = self.known[id]
  return known.terms[index] == term or index <= known.base
end

return M
