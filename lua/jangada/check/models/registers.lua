--- The models of one value, and of one for each key: register, cas-register and kv.

local actions = require "jangada.check.models.actions"
local values = require "jangada.check.values"

local registers = {}

local text, key_of, keep_input = values.text, actions.key_of, actions.keep_input

local function keep_output(operation, value)
  operation.b = text(value)
end

---------------------------------------------------------------------------------------------------
-- A register: the state is the text of its value.

local read = {
  reads = true,
  output = keep_output,
  step = function(state, operation)
    return not operation.known or state == operation.b, state
  end,
  describe = function(operation)
    return actions.phrase("read", nil, operation, operation.b or "?")
  end,
}

local write = {
  input = keep_input,
  step = function(_, operation) return true, operation.a end,
  describe = function(operation) return actions.phrase("write", operation.a, operation) end,
}

-- A compare-and-set takes [old, new]. It can be told to have found another value in two ways:
-- by the value false, and by having failed, where failures mean that.
local function cas_input(operation, value)
  if not values.is_array(value, 2) then
    return ("the value of cas is [old, new], not %s"):format(text(value))
  end
  operation.a, operation.b = text(value[1]), text(value[2])
end

local function cas_output(operation, value)
  if value == false then operation.failed = true end
end

local function cas_describe(operation)
  local told = operation.failed and ": no match" or ""
  return ("%s %s to %s%s"):format(operation.f, operation.a, operation.b, told)
end

local function is_reset(operation)
  return operation.f == "put" or operation.f == "write" or operation.f == "delete"
end

local function is_cas(operation)
  return operation.f == "cas"
end

local cas = {
  input = cas_input,
  output = cas_output,
  step = function(state, operation)
    if operation.failed then return state ~= operation.a, state end
    return state == operation.a, operation.b
  end,
  describe = cas_describe,
}

local function is_write(operation)
  return operation.f == "write"
end

-- A value that nobody reads, and no cas looks for, is like any other such.
local function seen_values(operations)
  local looked_for = {}
  for _, operation in ipairs(operations) do
    if operation.f == "cas" then
      looked_for[operation.a] = true
    elseif operation.f == "read" and operation.known then
      looked_for[operation.b] = true
    end
  end
  return function(state) return looked_for[state] == true end
end

local function show_text(state)
  return state
end

--- read (→ value) and write (value).
registers.register = actions.model({
  name = "register", init = text, noun = "the value", show = show_text, partition = key_of,
  seen = seen_values, resets = is_write,
}, { read = read, write = write })

--- read, write, and cas ([old, new]).
registers.cas_register = actions.model({
  name = "cas-register", init = text, noun = "the value", show = show_text, partition = key_of,
  mismatch = is_cas, seen = seen_values, resets = is_write,
}, { read = read, write = write, cas = cas })

---------------------------------------------------------------------------------------------------
-- Values by key. A string is kept with a mark before it, since it can be appended to; whatever else
-- is kept as its text, and a key that is absent as false.

local MARK <const> = "'"

local function kept(value)
  return type(value) == "string" and MARK .. value or text(value)
end

local function keep_put(operation, value)
  operation.a = kept(value)
end

local function show_kept(state)
  if not state then return "absent" end
  return state:sub(1, 1) == MARK and text(state:sub(2)) or state
end

local function get_output(operation, value)
  operation.b = kept(value)
  operation.absent = value == nil or value == values.null or value == ""
end

local get = {
  reads = true,
  output = get_output,
  step = function(state, operation)
    if not operation.known then return true, state end
    return state == operation.b or not state and operation.absent, state
  end,
  describe = function(operation)
    return actions.phrase("get", nil, operation, operation.b and show_kept(operation.b) or "?")
  end,
}

local put = {
  input = keep_put,
  step = function(_, operation) return true, operation.a end,
  describe = function(operation)
    return actions.phrase("put", show_kept(operation.a), operation)
  end,
}

local append = {
  input = function(operation, value)
    if type(value) ~= "string" then
      return ("append takes a string, not %s"):format(text(value))
    end
    operation.a = value
  end,
  step = function(state, operation)
    if not state then return true, MARK .. operation.a end
    return state:sub(1, 1) == MARK, state .. operation.a
  end,
  describe = function(operation)
    return actions.phrase("append", text(operation.a), operation)
  end,
}

local kv_cas = {
  input = function(operation, value)
    local message = cas_input(operation, value)
    if message then return message end
    operation.a, operation.b = kept(value[1]), kept(value[2])
    operation.from_absent = value[1] == nil or value[1] == values.null
  end,
  output = cas_output,
  step = function(state, operation)
    local matches = state == operation.a or not state and operation.from_absent
    if operation.failed then return not matches, state end
    return matches, operation.b
  end,
  describe = function(operation)
    return ("cas %s to %s%s"):format(show_kept(operation.a), show_kept(operation.b),
      operation.failed and ": no match" or "")
  end,
}

local delete = {
  step = function() return true, false end,
  describe = function() return "delete" end,
}

-- A text that is no beginning of anything that was got, or that a cas looks for, is like any other
-- such.
local function seen_beginnings(operations)
  local ends = {}
  for _, operation in ipairs(operations) do
    if operation.f == "cas" then
      ends[#ends + 1] = operation.a
    elseif operation.action.reads and operation.known then
      ends[#ends + 1] = operation.b
    end
  end
  local is_beginning = actions.beginnings(ends)
  return function(state)
    return not state or state:sub(1, 1) ~= MARK or is_beginning(state)
  end
end

--- get (→ value), put (value), append (string), cas ([old, new]) and delete, by key; read and
--- write are other names of get and put. An absent key is got as nil or as "".
registers.kv = actions.model({
  name = "kv", partition = key_of, mismatch = is_cas, seen = seen_beginnings,
  resets = is_reset,
  init = function(initial) return initial ~= nil and kept(initial) end,
  noun = "the value", show = show_kept,
}, { get = get, read = get, put = put, write = put, append = append, cas = kv_cas,
  delete = delete })

return registers
