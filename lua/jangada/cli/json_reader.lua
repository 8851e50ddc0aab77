--- Reads JSON, as json.lua writes it and as others do: integers of 64 bits stay exact, and an
--- object {"base64": "..."} is the bytes it stands for.

local errors = require "jangada.errors"
local json = require "jangada.cli.json"

local json_reader = {}

local DEPTH_MAX <const> = 32
local SPACE <const>, QUOTE <const>, COMMA <const>, COLON <const> = 32, 34, 44, 58
local OPEN_ARRAY <const>, CLOSE_ARRAY <const> = 91, 93
local OPEN_OBJECT <const>, CLOSE_OBJECT <const> = 123, 125

local byte, find, match = string.byte, string.find, string.match

local function fail(state, what)
  errors.raise("input_invalid", "line %d, column %d: %s", state.line, state.at, what)
end

-- To the next character that is no white space; gives it.
local function skip(state)
  local c = byte(state.text, state.at)
  if not c or c > SPACE then return c end
  state.at = find(state.text, "[^ \t\r\n]", state.at) or #state.text + 1
  return byte(state.text, state.at)
end

local ESCAPES <const> = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n",
  r = "\r", t = "\t" }

-- \uXXXX, and two of them where they are one character.
local function read_unicode(state)
  local digits = state.text:match("^%x%x%x%x", state.at + 2)
  if not digits then fail(state, "\\u is followed by four hexadecimal digits") end
  local code = tonumber(digits, 16)
  state.at = state.at + 6
  if code >= 0xd800 and code < 0xdc00 then
    local low = tonumber(state.text:match("^\\u(%x%x%x%x)", state.at) or "0", 16)
    if low < 0xdc00 or low > 0xdfff then fail(state, "half a surrogate pair") end
    code = 0x10000 + (code - 0xd800 << 10) + (low - 0xdc00)
    state.at = state.at + 6
  elseif code >= 0xdc00 and code < 0xe000 then
    fail(state, "half a surrogate pair")
  end
  return utf8.char(code)
end

local function read_string(state)
  local plain, stop_plain = match(state.text, '^"([^"\\%c]*)"()', state.at)
  if plain then
    state.at = stop_plain
    return plain
  end
  local parts = {}
  state.at = state.at + 1
  while true do
    local stop = state.text:find('["\\%c]', state.at)
    if not stop then fail(state, "a string does not end") end
    parts[#parts + 1] = state.text:sub(state.at, stop - 1)
    state.at = stop
    local c = state.text:sub(stop, stop)
    if c == '"' then
      state.at = stop + 1
      return table.concat(parts)
    elseif c ~= "\\" then
      fail(state, "a control character in a string is written \\u00XX")
    end
    local escape = state.text:sub(stop + 1, stop + 1)
    if escape == "u" then
      parts[#parts + 1] = read_unicode(state)
    else
      parts[#parts + 1] = ESCAPES[escape] or fail(state, "no such escape")
      state.at = stop + 2
    end
  end
end

local function read_number(state)
  local text = match(state.text, "^-?%d+%.?%d*[eE]?[-+]?%d*", state.at)
  local value = text and tonumber(text)
  if not value or not find(text, "[.eE]") and math.type(value) ~= "integer" then
    fail(state, "a number that cannot be kept")
  end
  state.at = state.at + #text
  return value
end

local read_value

-- Past the character before a list; false if the list ends there.
local function begin_list(state, close)
  state.at = state.at + 1
  if skip(state) ~= close then return true end
  state.at = state.at + 1
  return false
end

-- Past what stands behind an item; false if the list ends there.
local function go_on(state, close)
  local c = skip(state)
  if c ~= close and c ~= COMMA then
    fail(state, ("',' or '%s' is missing"):format(string.char(close)))
  end
  state.at = state.at + 1
  return c == COMMA
end

local function read_object(state, depth)
  local object, count = {}, 0
  local goes_on = begin_list(state, CLOSE_OBJECT)
  while goes_on do
    if skip(state) ~= QUOTE then fail(state, "a name in quotes is missing") end
    local name = read_string(state)
    if skip(state) ~= COLON then fail(state, "':' is missing") end
    state.at = state.at + 1
    object[name], count = read_value(state, depth + 1), count + 1
    goes_on = go_on(state, CLOSE_OBJECT)
  end
  if count == 1 and type(object.base64) == "string" then
    return json.bytes(object.base64) or fail(state, "base64 that is none")
  end
  return object
end

local function read_array(state, depth)
  local array = {}
  local goes_on = begin_list(state, CLOSE_ARRAY)
  while goes_on do
    array[#array + 1] = read_value(state, depth + 1)
    goes_on = go_on(state, CLOSE_ARRAY)
  end
  return array
end

local WORDS <const> = { ["true"] = true, ["false"] = false, null = json.null }

function read_value(state, depth)
  if depth > DEPTH_MAX then fail(state, "too deep") end
  local c = skip(state)
  if c == QUOTE then return read_string(state) end
  if c == OPEN_OBJECT then return read_object(state, depth) end
  if c == OPEN_ARRAY then return read_array(state, depth) end
  local word = match(state.text, "^%a+", state.at)
  if not word then return read_number(state) end
  if WORDS[word] == nil then fail(state, "a value is missing") end
  state.at = state.at + #word
  return WORDS[word]
end

--- The value of a JSON text: nil is `json.null`, arrays and objects are tables.
---@param text string
---@param line integer its number, for messages
---@return any
---Raises `input_invalid`, saying where.
function json_reader.decode(text, line)
  local state = { text = text, at = 1, line = line }
  local value = read_value(state, 1)
  skip(state)
  if state.at <= #text then fail(state, "there is something behind the end") end
  return value
end

return json_reader
