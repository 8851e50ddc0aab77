--- The calls and returns of completed operations, by time, as a doubly linked list of integers.
-- Entry 0 is its head. An operation that is placed is lifted out, and put back in reverse order.

local entries = {}

---@class jangada.check.Entries
---@field following integer[] by entry; 0 after the last
---@field previous integer[]
---@field what integer[] by entry: the operation's number at its call, less than 0 at its return
---@field at integer[] by entry: the number of its event
---@field call integer[] by operation
---@field back integer[] by operation: its return
---@field remaining integer how many operations are in the list
local Entries = {}
Entries.__index = Entries

--- The list of all of them.
---@param completed jangada.check.Operation[]
---@return jangada.check.Entries
function entries.new(completed)
  local events = {}
  for i, operation in ipairs(completed) do
    events[#events + 1] = { at = operation.invoked, what = i }
    events[#events + 1] = { at = operation.returned, what = -i }
  end
  table.sort(events, function(a, b) return a.at < b.at end)
  local self = setmetatable({ following = { [0] = 0 }, previous = { [0] = 0 }, what = { [0] = 0 },
    at = {}, call = {}, back = {}, remaining = #completed }, Entries)
  for e, event in ipairs(events) do
    self.following[e - 1], self.previous[e] = e, e - 1
    self.at[e], self.what[e] = event.at, event.what
    if event.what > 0 then self.call[event.what] = e else self.back[-event.what] = e end
  end
  self.following[#events], self.previous[0] = 0, #events
  return self
end

local function lift(self, e)
  local following, previous = self.following, self.previous
  local p, n = previous[e], following[e]
  following[p], previous[n] = n, p
end

local function put_back(self, e)
  local following, previous = self.following, self.previous
  following[previous[e]], previous[following[e]] = e, e
end

--- Takes an operation out.
---@param i integer
function Entries:lift(i)
  lift(self, self.call[i])
  lift(self, self.back[i])
  self.remaining = self.remaining - 1
end

--- Puts the operation back that was taken out last.
---@param i integer
function Entries:put_back(i)
  put_back(self, self.back[i])
  put_back(self, self.call[i])
  self.remaining = self.remaining + 1
end

--- The first return that is left; 0 if there is none.
---@return integer entry
function Entries:first_return()
  local following, what = self.following, self.what
  local e = following[0]
  while what[e] > 0 do e = following[e] end
  return e
end

return entries
