--- A state machine that maps keys to values, and how its commands are written.
--
--     kv.put("x", "1")           true
--     kv.get("x")                "1", or false if there is no such key
--     kv.cas("x", "1", "2")      true if the value was "1" and is now "2"; else false, unchanged.
--                                An expected nil means "no such key".
--     kv.delete("x")             true if there was such a key
--     kv.increment("n", 5)       the new number; none before is 0, and what is no integer, or would
--                                be none, stays and is answered with false
--     kv.range("a", "b", 10)     {{key, value}, ...}: up to 10 pairs from "a" to "b", in order
--
-- A get and a range go through the log like the others, or are read without it (raft/reads.lua).
-- Either way they see every command answered before they were asked.

---@class jangada.raft.KV
---@field values table<string, string>
local KV = {}
KV.__index = KV

--- How many pairs a range has at most: what is answered is kept in the client's session.
KV.RANGE_MAX = 1000

local pack, unpack = string.pack, string.unpack

---@param key string
---@param value string
---@return string command
function KV.put(key, value)
  return pack(">s1s4s4", "put", key, value)
end

---@param key string
---@return string command
function KV.get(key)
  return pack(">s1s4", "get", key)
end

---@param key string
---@param expected string|nil
---@param value string
---@return string command
function KV.cas(key, expected, value)
  if expected == nil then return pack(">s1s4s4", "create", key, value) end
  return pack(">s1s4s4s4", "cas", key, expected, value)
end

---@param key string
---@return string command
function KV.delete(key)
  return pack(">s1s4", "delete", key)
end

--- Adds to a number: a decimal integer of 64 bits.
---@param key string
---@param by? integer default 1
---@return string command
function KV.increment(key, by)
  return pack(">s1s4i8", "increment", key, by or 1)
end

--- Asks for pairs in the order of their keys.
---@param from string the first key
---@param to string the last key
---@param limit? integer of pairs; default and most KV.RANGE_MAX
---@return string command
function KV.range(from, to, limit)
  return pack(">s1s4s4I4", "range", from, to, limit or KV.RANGE_MAX)
end

local function keys_between(values, from, to)
  local keys = {}
  for key in pairs(values) do
    if from <= key and key <= to then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

local operations = {
  put = function(values, arguments, at)
    local key, value = unpack(">s4s4", arguments, at)
    values[key] = value
    return true
  end,
  get = function(values, arguments, at)
    return values[unpack(">s4", arguments, at)] or false
  end,
  create = function(values, arguments, at)
    local key, value = unpack(">s4s4", arguments, at)
    if values[key] then return false end
    values[key] = value
    return true
  end,
  cas = function(values, arguments, at)
    local key, expected, value = unpack(">s4s4s4", arguments, at)
    if values[key] ~= expected then return false end
    values[key] = value
    return true
  end,
  delete = function(values, arguments, at)
    local key = unpack(">s4", arguments, at)
    local existed = values[key] ~= nil
    values[key] = nil
    return existed
  end,
  increment = function(values, arguments, at)
    local key, by = unpack(">s4i8", arguments, at)
    local text = values[key] or "0"
    local number = text:find("^-?%d+$") and math.tointeger(tonumber(text))
    if not number then return false end
    local sum = number + by
    if (number ~ sum) & (by ~ sum) < 0 then return false end -- it went around
    values[key] = tostring(sum)
    return sum
  end,
  range = function(values, arguments, at)
    local from, to, limit = unpack(">s4s4I4", arguments, at)
    local keys, pairs_found = keys_between(values, from, to), {}
    for i = 1, math.min(#keys, limit, KV.RANGE_MAX) do
      pairs_found[i] = { keys[i], values[keys[i]] }
    end
    return pairs_found
  end,
}

---@return jangada.raft.KV
function KV.new()
  return setmetatable({ values = {} }, KV)
end

local function run(values, command)
  local name, at = unpack(">s1", command)
  return operations[name](values, command, at)
end

--- Applies a command. One that is none is answered with the string "not a command" and changes
--- nothing, on every server alike: by the time it is applied it is committed, and cannot be
--- refused.
---@param command string
---@return string|boolean|integer|string[][] answer
function KV:apply(command)
  local ok, answer = pcall(run, self.values, command)
  if ok then return answer end
  return "not a command"
end

local QUERIES <const> = { get = true, range = true }

--- Answers a get or a range, and changes nothing.
---@param command string
---@return string|boolean|string[][]|nil answer nil if it is none of these
function KV:query(command)
  local ok, name = pcall(unpack, ">s1", command)
  if not ok or not QUERIES[name] then return nil end
  local answer
  ok, answer = pcall(run, self.values, command)
  if ok then return answer end
  return nil
end

local PART_BYTES <const> = 16 * 1024

--- The state at this moment, for a snapshot.
---@return fun(): string|nil part the next one; nil after the last
function KV:snapshot()
  local values, keys = {}, {}
  for key, value in pairs(self.values) do
    keys[#keys + 1], values[key] = key, value
  end
  table.sort(keys)
  local i = 0
  return function()
    local pieces, bytes = {}, 0
    while i < #keys and bytes < PART_BYTES do
      i = i + 1
      local piece = pack(">s4s4", keys[i], values[keys[i]])
      pieces[#pieces + 1], bytes = piece, bytes + #piece
    end
    return pieces[1] and table.concat(pieces)
  end
end

--- Makes the state that of a snapshot.
---@param parts fun(): string|nil
function KV:restore(parts)
  self.values = {}
  for part in parts do
    local at = 1
    while at <= #part do
      local key, value
      key, value, at = unpack(">s4s4", part, at)
      self.values[key] = value
    end
  end
end

return KV
