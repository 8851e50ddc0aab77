--- The core of a contradiction: the few operations of a bad history that have no order already.
--
-- The operation that no order can place is one of them. Every other one is, by groups and then one
-- by one, loosened: it may have happened while it ran, or not at all; and one that was still
-- running when the other returned may have had any outcome. Where there is still no order, it is no
-- part of the core. So what is left is not merely a piece that looks bad alone: it has no order
-- *whatever the others did*. (Of write 1, write 2, read → 1, one after another, taking the first
-- away would leave a read of what nobody wrote: bad, but no explanation. Loosened, write 1 still
-- cannot come after write 2: it is no part of the core, but shown beside it as a source.)

local prefixes = require "jangada.check.prefix"
local search = require "jangada.check.search"

local core = {}

--- A question that takes more steps is answered with no.
core.QUESTION_MAX = 50000

-- How many steps all of them may take.
local STEPS_MAX <const> = 1000000

local SOURCES_MAX <const> = 2

local function loosen(operation)
  if operation.returned then
    operation.optional = true
  else
    operation.known, operation.failed = false, false
  end
end

local function is_loose(operation)
  return operation.optional or not operation.known
end

local function tighten(operation, original)
  operation.optional = nil
  operation.known, operation.failed = original.known, original.failed
end

local function is_contradiction(self)
  local question = search.new(self.prefix, self.model, self.initial)
  question:run(core.QUESTION_MAX)
  self.steps = self.steps + question.steps
  return question.verdict == false
end

-- Tries to loosen operations from..to of the list; whether that was possible.
local function loosen_group(self, list, from, to)
  for i = from, to do loosen(list[i]) end
  if is_contradiction(self) then return true end
  for i = from, to do tighten(list[i], self.originals[list[i]]) end
  return false
end

-- Those that are still in, what reads before what writes: of two cores, one that says what was
-- written tells more than one that says what somebody read.
local function candidates(self)
  local reads, others = {}, {}
  for _, operation in ipairs(self.prefix) do
    if operation ~= self.blocked and not is_loose(operation) then
      local list = self.model.reads and self.model.reads(operation) and reads or others
      list[#list + 1] = operation
    end
  end
  return table.move(others, 1, #others, #reads + 1, reads)
end

-- One pass over those that are still in, by groups of a size; whether any is out now.
local function pass(self, size)
  local list, any = candidates(self), false
  for from = 1, #list, size do
    if self.steps >= STEPS_MAX then return false end
    if loosen_group(self, list, from, math.min(from + size - 1, #list)) then any = true end
  end
  return any
end

-- Whether the core and some unknown operations have an order, up to the blocked one.
local function has_order(self, unknown)
  local some = {}
  for _, operation in ipairs(self.prefix) do
    if operation ~= self.blocked and (not is_loose(operation) or unknown[operation]) then
      some[#some + 1] = operation
    end
  end
  local question = search.new(some, self.model, self.initial)
  question:run(core.QUESTION_MAX)
  return question.verdict == true
end

-- The unknown operations without which the core would be strange before the blocked operation
-- already.
local function needed_unknown(self)
  local needed = {}
  for _, operation in ipairs(self.prefix) do
    if not operation.known then needed[operation] = true end
  end
  if not has_order(self, needed) then return {} end
  for _, operation in ipairs(self.prefix) do
    if needed[operation] then
      needed[operation] = nil
      if not has_order(self, needed) then needed[operation] = true end
    end
  end
  return needed
end

-- Whether some step of a row leads to a state in which the blocked operation would be legal.
local function explains(question, row, blocked)
  for before, after in pairs(row) do
    if after and after ~= before and question.step({}, blocked, after) then return true end
  end
  return false
end

-- Of those that are not in the core, the last ones that would explain the blocked operation, had
-- they happened later: where what it saw came from.
local function find_sources(self)
  local question = search.new(self.prefix, self.model, self.initial, self.blocked)
  question:run(core.QUESTION_MAX)
  local sources = {}
  for i, operation in ipairs(question.completed) do
    if operation.optional and explains(question, question.rows[i], self.blocked) then
      sources[#sources + 1] = operation
    end
  end
  table.sort(sources, function(a, b) return a.returned > b.returned end)
  return { table.unpack(sources, 1, SOURCES_MAX) }
end

--- The core of a partition that has no order.
---@param operations jangada.check.Operation[] of the partition
---@param blocked jangada.check.Operation the first that cannot be placed, of a finished search
---@param model jangada.check.Model
---@param initial any
---@return jangada.check.Operation[] core by invocation
---@return table<jangada.check.Operation, boolean> sources, to be shown with it
function core.find(operations, blocked, model, initial)
  local prefix, originals, last = prefixes.cut(operations, blocked)
  local self = { prefix = prefix, originals = originals, blocked = last, model = model,
    initial = initial, steps = 0 }
  local size = math.max(#prefix // 2, 1)
  while size > 1 do
    pass(self, size)
    size = size // 2
  end
  repeat until not pass(self, 1)
  local needed, found, sources = needed_unknown(self), {}, {}
  for _, operation in ipairs(prefix) do
    if not is_loose(operation) or needed[operation] then
      found[#found + 1] = originals[operation]
    end
  end
  for _, operation in ipairs(find_sources(self)) do sources[originals[operation]] = true end
  return found, sources
end

return core
