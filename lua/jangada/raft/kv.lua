--- A state machine that maps keys to values, and how its commands are written.
--
--     kv.put("x", "1")           true
--     kv.get("x")                "1", or false if there is no such key
--     kv.cas("x", "1", "2")      true if the value was "1" and is now "2"; else false, unchanged.
--                                An expected nil means "no such key".
--     kv.delete("x")             true if there was such a key
--
-- A get goes through the log like the others, so it sees every command answered before it was
-- asked.

---@class jangada.raft.KV
---@field values table<string, string>
local KV = {}
KV.__index = KV

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
---@return string|boolean answer
function KV:apply(command)
  local ok, answer = pcall(run, self.values, command)
  if ok then return answer end
  return "not a command"
end

return KV
