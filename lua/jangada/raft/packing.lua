--- Values of a snapshot as bytes: the same ones for the same value on every server.

local pack, unpack = string.pack, string.unpack

local packing = {}

local add

local function by_kind_and_text(a, b)
  local kind, other = type(a), type(b)
  if kind ~= other then return kind < other end
  if kind == "boolean" then return b and not a end
  return a < b
end

local function add_table(parts, value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, by_kind_and_text)
  parts[#parts + 1] = pack(">c1I4", "t", #keys)
  for _, key in ipairs(keys) do
    add(parts, key)
    add(parts, value[key])
  end
end

function add(parts, value)
  local kind = math.type(value) or type(value)
  if kind == "table" then return add_table(parts, value) end
  parts[#parts + 1] = kind == "string" and pack(">c1s4", "s", value)
    or kind == "integer" and pack(">c1i8", "i", value)
    or kind == "float" and pack(">c1d", "d", value)
    or value == nil and "0" or value and "+" or "-"
end

local readers = {
  ["0"] = function(_, at) return nil, at end,
  ["+"] = function(_, at) return true, at end,
  ["-"] = function(_, at) return false, at end,
  s = function(data, at) return unpack(">s4", data, at) end,
  i = function(data, at) return unpack(">i8", data, at) end,
  d = function(data, at) return unpack(">d", data, at) end,
}

local function read(data, at)
  return readers[data:sub(at, at)](data, at + 1)
end

function readers.t(data, at)
  local value, count, place = {}, unpack(">I4", data, at)
  for _ = 1, count do
    local key
    key, place = read(data, place)
    value[key], place = read(data, place)
  end
  return value, place
end

--- The bytes of a plain value.
---@param value any nil, a boolean, number or string, or a table of them
---@return string
function packing.pack(value)
  local parts = {}
  add(parts, value)
  return table.concat(parts)
end

--- The value that was packed.
---@param data string
---@return any
function packing.unpack(data)
  return (read(data, 1))
end

return packing
