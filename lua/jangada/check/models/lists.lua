--- The models of things in a row: a list that is appended to, a queue; and the mutex.

local actions = require "jangada.check.models.actions"
local values = require "jangada.check.values"

local lists = {}

local text, key_of, keep_input = values.text, actions.key_of, actions.keep_input

-- A row is a string: the text of each element, with a newline, which no text holds.
local END <const> = "\n"

local function row(array)
  local parts = {}
  for i = 1, #array do parts[i] = text(array[i]) .. END end
  return table.concat(parts)
end

local function is_array(value)
  return type(value) == "table" and value ~= values.null and text(value):sub(1, 1) == "["
end

local function show_row(state)
  return "[" .. state:sub(1, -2):gsub(END, " ") .. "]"
end

local function init(initial)
  return initial == nil and "" or row(initial)
end

---------------------------------------------------------------------------------------------------
-- A list

local append = {
  input = keep_input,
  step = function(state, operation) return true, state .. operation.a .. END end,
  describe = function(operation) return actions.phrase("append", operation.a, operation) end,
}

local read = {
  reads = true,
  output = function(operation, value)
    if value == nil or value == values.null then value = {} end
    if not is_array(value) then return ("read gives an array, not %s"):format(text(value)) end
    operation.b = row(value)
  end,
  step = function(state, operation)
    return not operation.known or state == operation.b, state
  end,
  describe = function(operation)
    return actions.phrase("read", nil, operation, operation.b and show_row(operation.b) or "?")
  end,
}

-- Nothing is ever taken away: lists that are no beginning of one that was read are all alike.
local function seen(operations)
  local ends = {}
  for _, operation in ipairs(operations) do
    if operation.known and operation.b then ends[#ends + 1] = operation.b end
  end
  return actions.beginnings(ends)
end

--- append (value) and read (→ array).
lists.list = actions.model({
  name = "list", init = init, partition = key_of, seen = seen,
  noun = "the list", show = show_row,
}, { append = append, read = read })

---------------------------------------------------------------------------------------------------
-- A queue

local enqueue = {
  input = keep_input,
  step = append.step,
  describe = function(operation) return actions.phrase("enqueue", operation.a, operation) end,
}

local dequeue = {
  output = function(operation, value) operation.b = text(value) end,
  step = function(state, operation)
    local stop = state:find(END, 1, true)
    if not operation.known then return true, stop and state:sub(stop + 1) or state end
    if not stop then return operation.b == "nil", state end
    return state:sub(1, stop - 1) == operation.b, state:sub(stop + 1)
  end,
  describe = function(operation)
    return actions.phrase("dequeue", nil, operation, operation.b or "?")
  end,
}

--- enqueue (value) and dequeue (→ value, nil from an empty queue): first in, first out.
lists.queue = actions.model({
  name = "queue", init = init, partition = key_of,
  noun = "the queue", show = show_row,
}, { enqueue = enqueue, dequeue = dequeue })

---------------------------------------------------------------------------------------------------
-- A mutex: the state is whether it is held.

local acquire = {
  step = function(state) return not state, true end,
  describe = function() return "acquire" end,
}

local release = {
  step = function(state) return state, false end,
  describe = function() return "release" end,
}

--- acquire and release, by anybody.
lists.mutex = actions.model({
  name = "mutex", partition = key_of, init = function(initial) return initial == true end,
  noun = "the mutex", show = function(state) return state and "held" or "free" end,
}, { acquire = acquire, release = release })

return lists
