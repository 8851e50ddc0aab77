--- Reads a history, in any of the forms in which they are published.
--
--     JSON lines  {"process":0,"type":"invoke","f":"read","key":"x","value":null,"time":12}
--     EDN         {:process 0, :type :invoke, :f :read, :value nil}, one after another or in a list
--     Jepsen log  INFO  jepsen.util - 0	:invoke	:read	nil

local check = require "jangada.check"
local edn = require "jangada.cli.check.edn"
local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local json_reader = require "jangada.cli.json_reader"

local reading = {}

-- null as the checker has it: nil, and `check.null` in arrays.
local function without_null(value)
  if value == json.null then return nil end
  if type(value) ~= "table" then return value end
  for name, item in pairs(value) do
    if item == json.null then
      value[name] = math.type(name) and check.null or nil
    else
      without_null(item)
    end
  end
  return value
end

-- What json_reader says of a line, with the code of histories.
local function decode(text, line)
  local ok, value = pcall(json_reader.decode, text, line)
  if ok then return value end
  if not errors.is(value, "input_invalid") then error(value, 0) end
  errors.raise("history_invalid", "%s", value.message)
end

local function lines_of(text)
  local number, at = 0, 1
  return function()
    if at > #text then return nil end
    local stop = text:find("\n", at, true) or #text + 1
    local line = text:sub(at, stop - 1)
    number, at = number + 1, stop + 1
    return number, line
  end
end

local function read_json(text)
  local events = {}
  for number, line in lines_of(text) do
    if line:find("%S") then
      local event = decode(line, number)
      if type(event) ~= "table" or event == json.null then
        errors.raise("history_invalid", "line %d: an event is an object", number)
      end
      event = without_null(event)
      event.line = number
      events[#events + 1] = event
    end
  end
  return events
end

-- Jepsen prints an operation as process, type, f and value, and an error behind or instead of the
-- value; other lines of its log are none of ours.
local PATTERN <const> = "jepsen%.util[:%s%-]+([%w-]+)%s+:(%a+)%s+:([%w-]+)%s*(.-)%s*$"

-- Value and error; what cannot be read as a value is an error.
local function read_rest(rest)
  if rest:sub(1, 1) == ":" then return nil, rest:match("^:(%S*)") end
  local ok, maps = pcall(edn.maps, "{:rest [" .. rest .. "]}")
  if not ok then return nil, rest end
  local items = maps[1].rest
  local value = items[1]
  if value == check.null then value = nil end
  return value, items[2]
end

local function read_log(text)
  local events = {}
  for number, line in lines_of(text) do
    local process, kind, f, rest = line:match(PATTERN)
    if process then
      local value, failure = read_rest(rest)
      events[#events + 1] = { process = math.tointeger(tonumber(process)) or process, type = kind,
        f = f, value = value, error = failure, line = number }
    end
  end
  return events
end

local READERS <const> = { json = read_json, edn = edn.maps, log = read_log }

--- Their names.
reading.formats = { "edn", "json", "log" }

-- By what it begins with: an object has its first name in quotes, a map a keyword.
local function guess(text)
  local rest = text
  repeat -- white space and comments
    local stripped = rest:gsub("^%s+", ""):gsub("^;[^\n]*", "")
    local same = stripped == rest
    rest = stripped
  until same
  if rest:find("^{%s*\"") then return "json" end
  if rest:find("^[%[%(#{]") then return "edn" end
  if text:find("jepsen.util", 1, true) then return "log" end
  return nil
end

-- Jepsen's tests of many keys have [key value] for a value.
local function split_keys(events)
  for _, event in ipairs(events) do
    local pair = event.value
    if type(pair) == "table" and pair ~= check.null and #pair == 2 then
      event.key, event.value = pair[1], pair[2]
      if event.value == check.null then event.value = nil end
    end
  end
end

--- The events of a text.
---@param text string
---@param format? "json"|"edn"|"log" default: by its beginning
---@param independent? boolean each value is [key, value], as in Jepsen's independent tests
---@return table[] events, as check.run takes them, each with its line
---@return string format
---Raises `history_invalid`, naming the line.
function reading.events(text, format, independent)
  format = format or guess(text)
  if not format then
    errors.raise("history_invalid", "line 1: this is no history: neither JSON lines, nor EDN, nor "
      .. "a log of Jepsen")
  end
  local events = READERS[format](text)
  if #events == 0 then
    errors.raise("history_invalid", "there is no operation in it")
  end
  if independent then split_keys(events) end
  return events, format
end

return reading
