--- The last entries of a log, kept in memory.
--
-- A leader sends what it has just written and a server applies what it has just stored, so nearly
-- every read is of the tail. Keeping it saves the transaction, the copy out of the file and the
-- checksum. It stands in three arrays, so an entry costs no table.

---@class jangada.log.Tail
---@field terms table<integer, integer> by index, without a gap
---@field types table<integer, integer>
---@field data table<integer, string>
---@field first integer the smallest index held; first > last when nothing is
---@field last integer the last index of the log
---@field bytes integer the data held
local tail = {}

--- How much is kept: neither of them is passed, except by a single last entry.
tail.COUNT_MAX = 1024
tail.BYTES_MAX = 1 << 20

local COUNT_MAX <const>, BYTES_MAX <const> = tail.COUNT_MAX, tail.BYTES_MAX

---@param last integer the last index of the log, whose entries are not known
---@return jangada.log.Tail
function tail.new(last)
  return { terms = {}, types = {}, data = {}, first = last + 1, last = last, bytes = 0 }
end

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
    terms[last], types[last], held[last] = entry.term, entry.type or 0, data
    bytes = bytes + #data
  end
  while first < last and (last - first >= COUNT_MAX or bytes > BYTES_MAX) do
    bytes = bytes - #held[first]
    terms[first], types[first], held[first] = nil, nil, nil
    first = first + 1
  end
  self.first, self.last, self.bytes = first, last, bytes
end

--- Drops an index and everything after it.
---@param self jangada.log.Tail
---@param from integer
function tail.truncate(self, from)
  for index = self.last, math.max(from, self.first), -1 do
    self.bytes = self.bytes - #self.data[index]
    self.terms[index], self.types[index], self.data[index] = nil, nil, nil
  end
  self.last = from - 1
  if self.first > from then self.first = from end
end

--- Drops everything before an index.
---@param self jangada.log.Tail
---@param first integer
function tail.drop(self, first)
  for index = self.first, math.min(first - 1, self.last) do
    self.bytes = self.bytes - #self.data[index]
    self.terms[index], self.types[index], self.data[index] = nil, nil, nil
  end
  self.first = math.max(self.first, math.min(first, self.last + 1))
end

--- The position of an entry, where all after it is held.
---@param self jangada.log.Tail
---@param index integer
---@param position integer of the last entry of the log
---@return integer|nil
function tail.position(self, index, position)
  if index < self.first - 1 then return nil end
  for i = index + 1, self.last do position = position - #self.data[i] end
  return position
end

return tail
