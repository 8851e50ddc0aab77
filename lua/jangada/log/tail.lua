--- The last entries of a log, kept in memory.
--
-- A leader sends what it has just written and a server applies what it has just stored, so nearly
-- every read is of the tail. Keeping it saves the transaction, the copy out of the file and the
-- checksum. Its tables are its own: neither the writer nor a reader holds one of them.

---@class jangada.log.Tail
---@field entries table<integer, jangada.log.Entry> by index, without a gap
---@field first integer the smallest index held; first > last when nothing is
---@field last integer the last index of the log
---@field bytes integer the data held
local tail = {}

--- How much is kept: neither of them is passed, except by a single last entry.
tail.COUNT_MAX = 1024
tail.BYTES_MAX = 1 << 20

---@param last integer the last index of the log, whose entries are not known
---@return jangada.log.Tail
function tail.new(last)
  return { entries = {}, first = last + 1, last = last, bytes = 0 }
end

--- Adds the entry that follows the last one.
---@param self jangada.log.Tail
---@param term integer
---@param type integer
---@param data string
function tail.append(self, term, type, data)
  local entries, first, last = self.entries, self.first, self.last + 1
  local bytes = self.bytes + #data
  entries[last] = { term = term, type = type, data = data }
  while first < last and (last - first >= tail.COUNT_MAX or bytes > tail.BYTES_MAX) do
    bytes = bytes - #entries[first].data
    entries[first] = nil
    first = first + 1
  end
  self.first, self.last, self.bytes = first, last, bytes
end

--- Drops an index and everything after it.
---@param self jangada.log.Tail
---@param from integer
function tail.truncate(self, from)
  local entries = self.entries
  for index = self.last, math.max(from, self.first), -1 do
    self.bytes = self.bytes - #entries[index].data
    entries[index] = nil
  end
  self.last = from - 1
  if self.first > from then self.first = from end
end

return tail
