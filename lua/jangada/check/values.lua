--- The values of a history: whatever JSON can say, told apart and printed by what it holds.
--
-- The text of a value is its identity: two values are equal when their texts are. So a state can
-- be a string, a comparison is one of strings, and what is printed is what was compared.

local errors = require "jangada.errors"

local values = {}

local DEPTH_MAX <const> = 32

--- Stands for nil within an array, where Lua cannot keep one.
values.null = setmetatable({}, { __name = "jangada.check.null",
  __tostring = function() return "nil" end })

local ESCAPES <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or ("\\x%02x"):format(c:byte())
  end) .. '"'
end

local text_of

local function array_text(array, depth)
  local parts = {}
  for i = 1, #array do parts[i] = text_of(array[i], depth + 1) end
  return "[" .. table.concat(parts, " ") .. "]"
end

local function object_text(object, depth)
  local parts = {}
  for name, value in pairs(object) do
    parts[#parts + 1] = text_of(name, depth + 1) .. " " .. text_of(value, depth + 1)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

function text_of(value, depth)
  local kind = math.type(value) or type(value)
  if value == nil or value == values.null then return "nil" end
  if kind == "string" then return quote(value) end
  if kind == "integer" or kind == "boolean" then return tostring(value) end
  if kind == "float" then
    local whole = math.tointeger(value)
    return whole and tostring(whole) or ("%.17g"):format(value)
  end
  if kind ~= "table" then errors.raise("history_invalid", "a value cannot be a %s", kind) end
  if depth > DEPTH_MAX then errors.raise("history_invalid", "a value is nested too deep") end
  if #value > 0 or next(value) == nil then return array_text(value, depth) end
  return object_text(value, depth)
end

--- The text of a value: `3`, `"x"`, `nil`, `[1 2]`. On one line, without control characters.
---@param value any nil, boolean, number, string, or a table of such: an array or an object
---@return string
---Raises `history_invalid`: a function, say, or a table within itself.
function values.text(value)
  return text_of(value, 1)
end

--- Tells whether a value is an array of so many elements.
---@param value any
---@param count integer
---@return boolean
function values.is_array(value, count)
  return type(value) == "table" and value ~= values.null and #value == count
end

return values
