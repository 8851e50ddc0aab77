--- The last entries of a log, kept in memory.
--
-- A leader sends what it has just written and a server applies what it has just stored, so nearly
-- every read is of the tail. Keeping it saves the transaction, the copy out of the file and the
-- checksum. It stands in three rings, so an entry costs no table, and old ones no garbage.

---@class jangada.log.Tail
---@field first integer the smallest index held; first > last when nothing is
---@field last integer the last index of the log
---@field terms integer[] that of an index is in its slot
---@field types integer[]
---@field data string[]
---@field bytes integer the data held
local tail = {}

--- How much is kept: neither of them is passed, except by a single last entry.
tail.COUNT_MAX = 1024 -- a power of 2
tail.BYTES_MAX = 1 << 20

local COUNT_MAX <const>, BYTES_MAX <const> = tail.COUNT_MAX, tail.BYTES_MAX
local MASK <const> = tail.COUNT_MAX - 1

---@param last integer the last index of the log, whose entries are not known
---@return jangada.log.Tail
function tail.new(last)
  return { first = last + 1, last = last, terms = {}, types = {}, data = {}, bytes = 0 }
end

--- The entry of an index, if it is held, is in the slot (index & tail.MASK) + 1.
tail.MASK = MASK

--- Adds the entries that follow the last one.
---@param self jangada.log.Tail
---@param entries jangada.log.Entry[]
function tail.append(self, entries)
  local terms, types, held = self.terms, self.types, self.data
  local first, last, bytes = self.first, self.last, self.bytes
  for i = 1, #entries do
    local entry = entries[i]
    local data = entry.data
    last = last + 1
    local slot = (last & MASK) + 1
    bytes = bytes + #data
    if last - first == COUNT_MAX then
      bytes, first = bytes - #held[slot], first + 1
    end
    terms[slot], types[slot], held[slot] = entry.term, entry.type or 0, data
  end
  while bytes > BYTES_MAX and first < last do
    local slot = (first & MASK) + 1
    bytes, first = bytes - #held[slot], first + 1
    held[slot] = nil
  end
  self.first, self.last, self.bytes = first, last, bytes
end

-- Lets go of the entries from one index to another.
local function release(self, from, to)
  local held = self.data
  for index = from, to do
    local slot = (index & MASK) + 1
    self.bytes, held[slot] = self.bytes - #held[slot], nil
  end
end

--- Drops an index and everything after it.
---@param self jangada.log.Tail
---@param from integer
function tail.truncate(self, from)
  release(self, math.max(from, self.first), self.last)
  self.last = from - 1
  if self.first > from then self.first = from end
end

--- Drops everything before an index.
---@param self jangada.log.Tail
---@param first integer
function tail.drop(self, first)
  release(self, self.first, math.min(first - 1, self.last))
  self.first = math.max(self.first, math.min(first, self.last + 1))
end

--- The position of an entry, where all after it is held.
---@param self jangada.log.Tail
---@param index integer
---@param position integer of the last entry of the log
---@return integer|nil
function tail.position(self, index, position)
  if index < self.first - 1 then return nil end
  for i = index + 1, self.last do position = position - #self.data[(i & MASK) + 1] end
  return position
end

return tail
