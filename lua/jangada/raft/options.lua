--- The options of Raft: their defaults and what they may be.

local errors = require "jangada.errors"
local kv = require "jangada.raft.kv"
local list = require "jangada.raft.list"

local options = {}

--- The state machines by name.
options.machines = { list = list, kv = kv }

local function is_count(value)
  return math.type(value) == "integer" and value > 0
end

local function is_range(value)
  return type(value) == "table" and is_count(value[1]) and is_count(value[2])
    and value[1] <= value[2]
end

local function is_boolean(value)
  return type(value) == "boolean"
end

local function is_lease(value)
  if type(value) ~= "table" then return value == false end
  local drift = value.drift_max_percent
  return type(drift) == "number" and drift >= 0 and drift < 100
    and next(value) == "drift_max_percent" and next(value, "drift_max_percent") == nil
end

local function is_machine(value)
  return options.machines[value] ~= nil
end

local COMPACTION <const> = { entries = 1, bytes = 1, trailing = 0 } -- and the least they may be

local function is_compaction(value)
  if type(value) ~= "table" or not (value.entries or value.bytes) then return false end
  for name, count in pairs(value) do
    local least = COMPACTION[name]
    if not least or math.type(count) ~= "integer" or count < least then return false end
  end
  return true
end

local KNOWN <const> = {
  compaction = { default = nil, test = is_compaction,
    text = "{entries =, bytes =, trailing =}, of integers, with entries or bytes or both" },
  snapshot_bytes_max = { default = 64 * 1024, test = is_count, text = "a positive integer" },
  election_timeout_ms = { default = { 150, 300 }, test = is_range, text = "{least, most}" },
  heartbeat_ms = { default = 50, test = is_count, text = "a positive integer" },
  pre_vote = { default = true, test = is_boolean, text = "true or false" },
  check_quorum = { default = true, test = is_boolean, text = "true or false" },
  batch_bytes_max = { default = 64 * 1024, test = is_count, text = "a positive integer" },
  inflight_max = { default = 16, test = is_count, text = "a positive integer" },
  uncommitted_bytes_max = { default = 16 << 20, test = is_count, text = "a positive integer" },
  forward = { default = false, test = is_boolean, text = "true or false" },
  lease = { default = false, test = is_lease,
    text = "false or {drift_max_percent = (0 to less than 100)}" },
  machine = { default = "list", test = is_machine, text = '"list" or "kv"' },
}

--- Completes options with the defaults. Raises `raft_bad_option`.
---@param given? table
---@return table
function options.complete(given)
  local complete = {}
  for name, known in pairs(KNOWN) do complete[name] = known.default end
  for name, value in pairs(given or {}) do
    local known = KNOWN[name]
    if not known then
      errors.raise("raft_bad_option", "Raft has no option %q", tostring(name))
    end
    if not known.test(value) then
      errors.raise("raft_bad_option", "%s must be %s, not %s", name, known.text, tostring(value))
    end
    complete[name] = value
  end
  return complete
end

return options
