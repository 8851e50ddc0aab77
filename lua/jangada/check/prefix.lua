--- Finds the first operation of a bad history that no order can place: the one up to whose return
-- there is no order, while up to every return before it there is one.

local search = require "jangada.check.search"

local prefix = {}

-- How long every order is looked at, to tell all that could be the case.
local ENDINGS_STEPS <const> = 20000

local function copy(operation)
  local other = {}
  for name, value in pairs(operation) do other[name] = value end
  return other
end

--- What there is when an operation returns: what is open then stays open, with what is known of it.
---@param operations jangada.check.Operation[]
---@param last jangada.check.Operation
---@return jangada.check.Operation[] copies
---@return table<jangada.check.Operation, jangada.check.Operation> the originals of the copies
---@return jangada.check.Operation the copy of the operation
function prefix.cut(operations, last)
  local copies, originals, copy_of_last = {}, {}, nil
  for _, operation in ipairs(operations) do
    if operation.invoked < last.returned then
      local other = copy(operation)
      if operation.returned and operation.returned > last.returned then other.returned = nil end
      copies[#copies + 1], originals[other] = other, operation
      if operation == last then copy_of_last = other end
    end
  end
  return copies, originals, copy_of_last
end

local function is_bad(self, last)
  local question = search.new(prefix.cut(self.operations, last), self.model, self.initial)
  question:run(self.steps_max)
  return question.verdict == false
end

-- The first return, of those from an event on, up to which there is no order.
local function first_bad(self, event)
  local returns = {}
  for _, operation in ipairs(self.operations) do
    if operation.returned and operation.returned >= event then
      returns[#returns + 1] = operation
    end
  end
  table.sort(returns, function(a, b) return a.returned < b.returned end)
  local low, high, stride = 1, #returns, 1
  while low < high and not is_bad(self, returns[math.min(low, high)]) do -- mostly near at hand
    low, stride = low + stride, stride * 2
  end
  high = math.min(low, high)
  low = math.max(high - stride // 2 + 1, 1)
  while low < high do
    local middle = (low + high) // 2
    if is_bad(self, returns[middle]) then high = middle else low = middle + 1 end
  end
  return returns[high]
end

-- The model without what makes it fast: no states are merged, nothing is pruned.
local function plain(model)
  return setmetatable({ seen = false }, { __index = model })
end

--- The longest orders of what returned before an operation that cannot be placed then.
---@param copies jangada.check.Operation[] what `cut` gives for it
---@param last jangada.check.Operation its copy
---@param model jangada.check.Model
---@param initial any
---@param steps_max integer
---@return table[] endings as those of a search
function prefix.endings(copies, last, model, initial, steps_max)
  local every = search.new(copies, plain(model), initial)
  every:run(math.min(steps_max, ENDINGS_STEPS))
  if every.verdict == false then return every.endings end
  local some = search.new(copies, model, initial, last)
  some:run(steps_max)
  return some.endings
end

--- The first operation that cannot be placed, and the longest orders there are without it.
---@param operations jangada.check.Operation[] of the partition
---@param found jangada.check.Search that has found that there is no order of them
---@param model jangada.check.Model
---@param initial any
---@param steps_max integer for each question; one that is not answered counts as an order
---@return jangada.check.Operation blocked
---@return table[] endings as those of a search
function prefix.first_blocked(operations, found, model, initial, steps_max)
  local self = { operations = operations, model = model, initial = initial, steps_max = steps_max }
  local blocked = found.blocked
  if found.has_pruned then blocked = first_bad(self, blocked and blocked.returned or 0) end
  local copies, originals, last = prefix.cut(operations, blocked)
  local endings = prefix.endings(copies, last, model, initial, steps_max)
  for _, ending in ipairs(endings) do
    for i, operation in ipairs(ending.order) do ending.order[i] = originals[operation] end
  end
  return blocked, endings
end

return prefix
