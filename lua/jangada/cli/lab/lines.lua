--- Plain data as a line of JSON, so that the same data is the same line in every process: names in
--- order, integers exact, floats with all their digits.
--
-- A table of 1..n is an array, one whose keys are all strings an object, and any other
-- {"pairs": [[key, value], ...]}; an empty one is an empty object.

local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local json_reader = require "jangada.cli.json_reader"

local lines = {}

local RANKS <const> = { boolean = 1, number = 2, string = 3 }

local function is_before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return RANKS[x] < RANKS[y] end
  if x == "boolean" then return not a and b end
  return a < b
end

local of

local function of_pairs(value, keys)
  local list = {}
  for i, key in ipairs(keys) do list[i] = { of(key), of(value[key]) } end
  return json.object("pairs", list)
end

local function of_array(value)
  local array = {}
  for i = 1, #value do
    if value[i] == nil then return nil end
    array[i] = of(value[i])
  end
  return array
end

local function of_table(value)
  local keys, strings = {}, 0
  for key in pairs(value) do
    keys[#keys + 1] = key
    if type(key) == "string" then strings = strings + 1 end
  end
  local array = strings == 0 and #keys > 0 and #keys == #value and of_array(value)
  if array then return array end
  table.sort(keys, is_before)
  if strings < #keys then return of_pairs(value, keys) end
  local fields = {}
  for _, key in ipairs(keys) do
    fields[#fields + 1], fields[#fields + 2] = key, of(value[key])
  end
  return json.object(table.unpack(fields))
end

function of(value)
  local kind = math.type(value) or type(value)
  if kind == "table" then return of_table(value) end
  if kind ~= "float" then
    if RANKS[kind] or kind == "integer" then return value end
    return tostring(value)
  end
  if value == value and math.abs(value) < math.huge then return json.exact(value) end
  return tostring(value) -- inf, -inf, nan: no numbers of JSON
end

--- What json.encode takes for a value of plain data.
---@param value any
---@return any
function lines.of(value)
  return value == nil and json.null or of(value)
end

--- The line of a row: names and values in turn, in that order.
---@param row any[]
---@return string line without its newline
function lines.row(row)
  local fields = {}
  for i = 1, row.n or #row, 2 do fields[i], fields[i + 1] = row[i], lines.of(row[i + 1]) end
  return json.encode(json.object(table.unpack(fields)))
end

--- The row of a file's first line, which says what the file is. Raises `input_invalid`.
---@param line string|nil
---@param path string of the file
---@param kind string its kind, in the field `kind`
---@param format string that can be read, in the field `format`
---@param whose string "that of a ...": for the message
---@return table header
function lines.read_header(line, path, kind, format, whose)
  local ok, header = pcall(json_reader.decode, line or "", 1)
  if not ok or type(header) ~= "table" or header.kind ~= kind then
    errors.raise("input_invalid", "%s: the first line is not %s", path, whose)
  elseif header.format ~= format then
    errors.raise("input_invalid", "%s: its format is %s, and what can be read is %s", path,
      tostring(header.format), format)
  end
  return header
end

return lines
