--- Makes a model of a table of actions: what each `f` takes, does and gives.
--
-- An action is {input=, output=, step=, describe=, reads=}: `input` and `output` tell what is wrong
-- with the value of the invocation, and with that of the completion, nil if nothing. Both may keep
-- what they make of the value in `operation.a` and `operation.b`. `reads` is true for one that
-- changes nothing; so is a failed operation.

local values = require "jangada.check.values"

local actions = {}

local function prepare(table_of_actions, operation)
  local action = table_of_actions[operation.f]
  if not action then
    local names = {}
    for name in pairs(table_of_actions) do names[#names + 1] = name end
    table.sort(names)
    return ("this model has no %s: it has %s"):format(operation.f, table.concat(names, ", "))
  end
  operation.action = action
  local message = action.input and action.input(operation, operation.input)
  if not message and operation.known and not operation.failed and action.output then
    message = action.output(operation, operation.output)
  end
  return message
end

local function step(state, operation)
  return operation.action.step(state, operation)
end

local function reads(operation)
  return operation.failed or operation.action.reads == true
end

local function describe(operation)
  return operation.action.describe(operation)
end

--- The `input` of an action that keeps its value as a text, in `operation.a`.
---@param operation table
---@param value any
function actions.keep_input(operation, value)
  operation.a = values.text(value)
end

--- The partition of a model whose keys know nothing of each other.
---@param operation table
---@return any
function actions.key_of(operation)
  return operation.key
end

--- A model.
---@param model table its other fields
---@param table_of_actions table<string, table>
---@return jangada.check.Model
function actions.model(model, table_of_actions)
  model.step, model.describe, model.reads = step, describe, reads
  model.prepare = function(operation) return prepare(table_of_actions, operation) end
  return model
end

--- What tells whether a text is the beginning of one of some texts.
---@param texts string[]
---@return fun(text: string): boolean
function actions.beginnings(texts)
  -- Those that are themselves the beginning of another tell nothing.
  local longest = {}
  table.sort(texts, function(a, b) return #a > #b end)
  local function is_beginning(text)
    local size, last = #text, text:byte(-1)
    for _, other in ipairs(longest) do
      if size == 0 or other:byte(size) == last and other:sub(1, size) == text then return true end
    end
    return false
  end
  for _, text in ipairs(texts) do
    if not is_beginning(text) then longest[#longest + 1] = text end
  end
  return is_beginning
end

--- "write 3", "dequeue → 3", "read → ?".
---@param name string
---@param input string|nil
---@param operation jangada.check.Operation
---@param output string|nil what it returned, where that says something
---@return string
function actions.phrase(name, input, operation, output)
  local text = input and name .. " " .. input or name
  if not output then return text end
  return ("%s → %s"):format(text, operation.known and output or "?")
end

return actions
