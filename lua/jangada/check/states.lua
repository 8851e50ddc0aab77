--- The states of a model as small integers, and its steps as a table: each step is taken once.
--
-- States that nothing will ever look at before they are put over, as far as the model can tell, are
-- one state: the junk.

local errors = require "jangada.errors"
local values = require "jangada.check.values"

local states = {}

-- What a state costs beside its digest: its slots in two tables.
local STATE_BYTES <const> = 96
local STEP_BYTES <const> = 40

local NOTHING <const> = {}

---@class jangada.check.States
---@field values any[] by number
---@field junk integer|nil the number of the junk, once there is some
---@field size integer bytes that all of it takes, about

-- What tells a state from others, as the key of a table.
local function identity(model, state)
  if model.digest then
    local digest = model.digest(state)
    if type(digest) == "string" or math.type(digest) == "integer" then return digest end
    errors.raise("model_invalid", "digest gave a %s, not a string", type(digest))
  end
  local kind = type(state)
  if kind == "string" or kind == "number" and state == state or kind == "boolean" then
    return state
  elseif state == nil then
    return NOTHING
  end
  errors.raise("model_invalid", "a state that is a %s needs a function digest", kind)
end

--- The states of a model. The first is number 1.
---@param model jangada.check.Model
---@param initial any
---@param is_seen? fun(state: any): boolean of the model
---@return jangada.check.States
---@return fun(row: table, operation: jangada.check.Operation, number: integer): integer|false
--- the state after an operation, which it puts into the row of that operation; false: not legal
function states.new(model, initial, is_seen)
  local self = { values = {}, size = 0, junk = nil }
  local numbers, count = {}, 0
  local step = model.step
  local function add(key, state)
    if is_seen and not is_seen(state) then
      if self.junk then return self.junk end
      self.junk = count + 1
    else
      numbers[key] = count + 1
      self.size = self.size + STATE_BYTES + (type(key) == "string" and #key or 0)
    end
    count = count + 1
    self.values[count] = state
    return count
  end
  local function intern(state)
    local key = identity(model, state)
    return numbers[key] or add(key, state)
  end
  intern(model.init(initial))
  return self, function(row, operation, number)
    local legal, after = step(self.values[number], operation)
    local result = legal and intern(after)
    row[number] = result or false
    self.size = self.size + STEP_BYTES
    return row[number]
  end
end

--- What tells an operation from those that do the same: two of one kind differ in when they ran.
---@param model jangada.check.Model
---@param operation jangada.check.Operation
---@return string
function states.kind(model, operation)
  local output = operation.known and values.text(operation.output) or "?"
  return table.concat({ operation.f, values.text(operation.key), values.text(operation.input),
    output, tostring(operation.failed),
    model.by_process and values.text(operation.process) or "" }, "\n")
end

return states
