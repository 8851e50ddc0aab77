-- What the nodes' Raft logs hold, for the invariants that look at them: read from the entry bucket
-- `replog` of each store, behind the log's back, once after each turn that wrote.
--
-- It stands before its invariants among those that look at turns. They see of the turn:
--
--     n                the entries that are new in the log, n..1 by ascending index:
--     indices, terms, contents   their index, term, and a hash of the rest of them
--     index_before     the last index before them that was there already, nil if there is none
--     removed          the first index of which the entry is gone or another; nil if all stayed

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
    -- id -> a log as last seen: {last = index, hashes = {[index] = of the value}, terms =, base =
    -- index of its snapshot, is_there = whether there is a log, is_unread = whether a boot came in
    -- between}
    known = {},
    n = 0, indices = {}, terms = {}, contents = {}, index_before = nil, removed = nil,
    values = {}, value_hashes = {}, -- scratch of a turn
  }, Logs)
end

-- Its log may be anything after a crash: all of it is looked at again.
function Logs:booted(machine)
  local seen = self.known[machine.id]
  self.known[machine.id] = {last = 0, hashes = {}, terms = {}, base = 0, is_unread = true,
    is_there = false, had = seen and (seen.had or seen.last) or 0}
end

-- Reads the entries of the log backwards, until one that was seen before: the last index, how many
-- there are, and the index of the one that was seen, if one was.
local function read_fresh(tx, seen, self)
  local bucket = tx:bucket("replog")
  if not bucket then return 0, 0 end
  seen.is_there = true
  local indices, values, hashes = self.indices, self.values, self.value_hashes
  local cursor = bucket:cursor()
  local index, value = cursor:last()
  local last, n = index or 0, 0
  while index do
    local hash = hash_string(value)
    if seen.hashes[index] == hash then break end
    n = n + 1
    indices[n], values[n], hashes[n] = index, value, hash
    index, value = cursor:prev()
  end
  return last, n, index
end

-- After anything but an append: what is gone, and what a snapshot covers instead.
local function note_break(self, machine, seen, old_last, before)
  if seen.is_there then
    local snapshot = Log.open(machine.db, "replog"):snapshot()
    seen.base = snapshot and snapshot.index or 0
  end
  local kept = math.max(before, seen.base)
  if (seen.had or old_last) > kept then self.removed = kept + 1 end
end

function Logs:turn(machine, wrote)
  local seen = self.known[machine.id]
  self.n, self.removed = 0, nil
  if not wrote and not seen.is_unread then return nil end
  local last, n, index_before = machine.db:view(read_fresh, seen, self)
  local hashes, terms, old_last = seen.hashes, seen.terms, seen.last
  for index = last + 1, old_last do hashes[index], terms[index] = nil, nil end
  seen.last, self.n, self.index_before = last, n, index_before
  local values, value_hashes = self.values, self.value_hashes
  for i = n, 1, -1 do
    local index = self.indices[i]
    local term, kind, data = format.decode(index, values[i])
    hashes[index], terms[index], values[i] = value_hashes[i], term, nil
    self.terms[i], self.contents[i] = term, mix(hash_string(data), kind) -- not the position: see
  end                                                                    -- docs/log.md
  local before = index_before or 0
  if seen.is_unread or before ~= old_last or n > 0 and self.indices[n] ~= before + 1 then
    note_break(self, machine, seen, old_last, before)
    seen.is_unread, seen.had = nil, nil
  end
  return nil
end

---Whether a node's log, as last seen, has the entry of an index and term, or a snapshot that covers
---it.
---@param id string
---@param index integer
---@param term integer
---@return boolean
function Logs:has(id, index, term)
  local seen = self.known[id]
  return seen.terms[index] == term or index <= seen.base
end

return M
