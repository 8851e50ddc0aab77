--- Writes JSON: fields in the order in which they are given, integers exact, and strings of any
--- bytes. lua-cjson can do none of the three. json_reader.lua reads it.
--
-- A string that is UTF-8 is a JSON string. Any other is {"base64": "..."}, so that what a program
-- reads back are the bytes that were stored. Characters that steer a terminal are escaped.

local printable = require "jangada.cli.printable"

local json = {}

local Object = {}

--- Stands for null in an array or as a field.
json.null = setmetatable({}, { __name = "jangada.null" })

--- An object, of names and values in turn; a nil is a null.
---@param ... any name, value, name, value ...
---@return table
function json.object(...)
  return setmetatable({ n = select("#", ...), ... }, Object)
end

--- An object as `json.object` makes it, without the fields that are nil.
---@param ... any name, value, name, value ...
---@return table
function json.present(...)
  local fields, n = { ... }, 0
  local object = setmetatable({}, Object)
  for i = 1, select("#", ...), 2 do
    if fields[i + 1] ~= nil then
      object[n + 1], object[n + 2] = fields[i], fields[i + 1]
      n = n + 2
    end
  end
  object.n = n
  return object
end

local ALPHABET <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local sextets = {}
for i = 0, 63 do sextets[i] = ALPHABET:sub(i + 1, i + 1) end

--- RFC 4648, with padding.
---@param bytes string
---@return string
function json.base64(bytes)
  local parts = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    parts[#parts + 1] = sextets[bits >> 18] .. sextets[bits >> 12 & 63]
      .. (b and sextets[bits >> 6 & 63] or "=") .. (c and sextets[bits & 63] or "=")
  end
  return table.concat(parts)
end

local VALUES <const> = {}
for value, c in pairs(sextets) do VALUES[c:byte()] = value end

--- The bytes that base64 stands for (RFC 4648, with padding); nil if it is none.
---@param text string
---@return string|nil
function json.bytes(text)
  local digits, padding = text:match("^([%w+/]*)(=*)$")
  if not digits or #text % 4 ~= 0 or #padding > 2 then return nil end
  local parts = {}
  for at = 1, #digits, 4 do
    local a, b, c, d = digits:byte(at, at + 3)
    local bits = VALUES[a] << 18 | VALUES[b] << 12 | (VALUES[c] or 0) << 6 | (VALUES[d] or 0)
    local bytes = string.char(bits >> 16, bits >> 8 & 0xff, bits & 0xff)
    parts[#parts + 1] = d and bytes or bytes:sub(1, c and 2 or 1)
  end
  return table.concat(parts)
end

local Exact = {}

--- Stands for a number that is to be read back as it is: as many digits of a float as that takes,
--- and a point in it.
---@param value number
---@return table
function json.exact(value)
  return setmetatable({ value = value }, Exact)
end

local function encode_exact(value)
  if math.type(value) == "integer" then return tostring(value) end
  local text = ("%.15g"):format(value)
  if tonumber(text) ~= value then text = ("%.17g"):format(value) end
  return text:find("[.e]") and text or text .. ".0"
end

local ESCAPES <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }

local function escape_code(code)
  if code < 0x10000 then return ("\\u%04x"):format(code) end
  code = code - 0x10000
  return ("\\u%04x\\u%04x"):format(0xd800 | code >> 10, 0xdc00 | code & 0x3ff)
end

local function encode_string(text)
  if not utf8.len(text) then return ('{"base64":"%s"}'):format(json.base64(text)) end
  text = text:gsub('[%c"\\]', function(c) return ESCAPES[c] or escape_code(c:byte()) end)
  if text:find("[\x80-\xff]") then
    text = text:gsub(utf8.charpattern, function(character)
      local code = utf8.codepoint(character)
      return not printable.is_printable(code) and escape_code(code) or nil
    end)
  end
  return '"' .. text .. '"'
end

local encode

local function encode_object(object, parts)
  parts[#parts + 1] = "{"
  for i = 1, object.n, 2 do
    if i > 1 then parts[#parts + 1] = "," end
    parts[#parts + 1] = encode_string(object[i])
    parts[#parts + 1] = ":"
    encode(object[i + 1], parts)
  end
  parts[#parts + 1] = "}"
end

local function encode_array(array, parts)
  parts[#parts + 1] = "["
  for i, value in ipairs(array) do
    if i > 1 then parts[#parts + 1] = "," end
    encode(value, parts)
  end
  parts[#parts + 1] = "]"
end

function encode(value, parts)
  local kind = math.type(value) or type(value)
  if value == nil or value == json.null then
    parts[#parts + 1] = "null"
  elseif kind == "string" then
    parts[#parts + 1] = encode_string(value)
  elseif kind == "table" and getmetatable(value) == Exact then
    parts[#parts + 1] = encode_exact(value.value)
  elseif kind == "table" then
    return (getmetatable(value) == Object and encode_object or encode_array)(value, parts)
  elseif kind == "float" then -- what is no number in JSON is none of ours either
    assert(value == value and math.abs(value) < math.huge)
    parts[#parts + 1] = ("%.14g"):format(value)
  else
    parts[#parts + 1] = tostring(value)
  end
end

--- The text of a value: nil, boolean, number, string, array, or what `json.object` made.
---@param value any
---@return string
function json.encode(value)
  local parts = {}
  encode(value, parts)
  return table.concat(parts)
end

return json
