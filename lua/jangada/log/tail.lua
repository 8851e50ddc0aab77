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
---@field bytes integer the data held, and what has made room for entries since it was last counted
---@field is_exact boolean whether it is the data held and no more
local tail = {}

--- How much is kept: neither of them is passed, except by a single last entry.
tail.COUNT_MAX = 1024 -- a power of 2
tail.BYTES_MAX = 1 << 20

local COUNT_MAX <const>, BYTES_MAX <const> = tail.COUNT_MAX, tail.BYTES_MAX
local MASK <const> = tail.COUNT_MAX - 1

---@param last integer the last index of the log, whose entries are not known
---@return jangada.log.Tail
function tail.new(last)
  return { first = last + 1, last = last, terms = {}, types = {}, data = {}, bytes = 0,
    is_exact = true }
end

--- The entry of an index, if it is held, is in the slot (index & tail.MASK) + 1.
tail.MASK = MASK

-- Lets go of old entries until the data is not too much. A count that holds more than there is made
-- right first, and then a quarter is let go, so that this is seldom done.
local function trim(self)
  local held, first, bytes, bytes_max = self.data, self.first, self.bytes, BYTES_MAX
  if not self.is_exact then
    bytes, bytes_max = 0, BYTES_MAX * 3 // 4
    for index = first, self.last do bytes = bytes + #held[(index & MASK) + 1] end
    self.is_exact = true
  end
  while bytes > bytes_max and first < self.last do
    local slot = (first & MASK) + 1
    bytes, first = bytes - #held[slot], first + 1
    held[slot] = nil
  end
  self.first, self.bytes = first, bytes
end

--- Adds the entries that follow the last one.
---@param self jangada.log.Tail
---@param entries jangada.log.Entry[]
---@param bytes integer the size of their data
function tail.append(self, entries, bytes)
  local terms, types, held, last = self.terms, self.types, self.data, self.last
  local count = #entries
  for i = 1, count do -- as little as can be: each entry that is saved comes by
    local entry, slot = entries[i], (last + i & MASK) + 1
    terms[slot], types[slot], held[slot] = entry.term, entry.type or 0, entry.data
  end
  last = last + count
  self.last, self.bytes = last, self.bytes + bytes
  if last - self.first >= COUNT_MAX then
    self.first, self.is_exact = last - COUNT_MAX + 1, false
  end
  if self.bytes > BYTES_MAX then trim(self) end
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
