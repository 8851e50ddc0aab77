--- Looks ahead: whether the junk can still lead anywhere, given what will be read.
--
-- A value that is never read, nor the beginning of one that is where values are appended to, is
-- junk (states.lua): nobody sees it until something is put over it. Where some read has to come
-- before anything can be, it is a dead end. Without that a wrong order of appends is noticed only
-- at the next read, after all other orders of what lies between were tried.

local outlook = {}

---@class jangada.check.Outlook
---@field reads table<integer, boolean> operations whose result has to be explained
---@field has_mismatch boolean whether some operation has found another value: junk will do for that
---@field resets table<integer, boolean> operations that put something over what was there
---@field deadline number[] by entry: the first return of a read that is called after it
---@field next_reset number[] by entry: the first call of a reset after it
local Outlook = {}
Outlook.__index = Outlook

-- Entries from the last to the first: what lies behind each.
local function look_back(self, list, completed, unknown)
  local deadline, next_reset = math.huge, math.huge
  local resets_at = {}
  for _, operation in ipairs(unknown) do
    if self.model.resets and self.model.resets(operation) then
      resets_at[#resets_at + 1] = operation.invoked
    end
  end
  table.sort(resets_at)
  for e = 2 * #completed, 1, -1 do
    while resets_at[#resets_at] and resets_at[#resets_at] > list.at[e] do
      next_reset = math.min(next_reset, table.remove(resets_at))
    end
    self.deadline[e], self.next_reset[e] = deadline, next_reset
    local i = list.what[e]
    if i > 0 then
      if self.reads[i] then deadline = math.min(deadline, completed[i].returned) end
      if self.resets[i] then next_reset = completed[i].invoked end
    end
  end
end

--- An outlook on a search.
---@param model jangada.check.Model
---@param list jangada.check.Entries
---@param completed jangada.check.Operation[]
---@param unknown jangada.check.Operation[]
---@param last? jangada.check.Operation one that need not be explained
---@return jangada.check.Outlook
function outlook.new(model, list, completed, unknown, last)
  local self = setmetatable({ model = model, reads = {}, resets = {}, deadline = {},
    next_reset = {}, has_mismatch = false }, Outlook)
  for i, operation in ipairs(completed) do
    self.reads[i] = operation ~= last and not operation.optional and not operation.failed
      and model.reads ~= nil and model.reads(operation)
    self.has_mismatch = self.has_mismatch or operation.failed
    self.resets[i] = model.resets ~= nil and model.resets(operation)
  end
  look_back(self, list, completed, unknown)
  return self
end

-- Whether an unknown operation that is left could put something over the state in time.
local function unknown_reset(self, kinds, deadline)
  for _, kind in ipairs(kinds) do
    local operation = kind[kind.used + 1]
    if operation and operation.invoked < deadline and self.model.resets
      and self.model.resets(operation) then
      return true
    end
  end
  return false
end

--- Whether a search whose state is junk is at a dead end.
---@param list jangada.check.Entries
---@param kinds table[]
---@param completed jangada.check.Operation[]
---@return boolean
function Outlook:is_dead(list, kinds, completed)
  local following, what = list.following, list.what
  local deadline = math.huge
  local e = following[0]
  local i = what[e]
  while i > 0 do
    if self.resets[i] then return false end
    if self.reads[i] and completed[i].returned < deadline then deadline = completed[i].returned end
    e = following[e]
    i = what[e]
  end
  deadline = math.min(deadline, self.deadline[e])
  return deadline < self.next_reset[e] and not unknown_reset(self, kinds, deadline)
end

return outlook
