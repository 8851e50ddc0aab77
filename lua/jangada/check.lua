--- Whether a history is linearizable: whether what clients were told can be explained by one order
--- of their operations, in which each took effect at one moment between its call and its return.
--
--     local result = check.run(events, {model = "register"})
--     print(result.verdict)          -- "linearizable", "not_linearizable" or "unknown"
--     print(check.explain(result))
--
-- Herlihy and Wing, Linearizability: a correctness condition for concurrent objects (1990). Keys
-- are checked apart, which is the same (their locality).

local core = require "jangada.check.core"
local errors = require "jangada.errors"
local explain = require "jangada.check.explain"
local history = require "jangada.check.history"
local models = require "jangada.check.models"
local prefix = require "jangada.check.prefix"
local schedule = require "jangada.check.schedule"
local search = require "jangada.check.search"
local values = require "jangada.check.values"

local check = {}

-- The classes of what it takes and gives stand in types/check.lua.

--- Stands for nil within an array of a value.
check.null = values.null

--- The names of the models that there are.
check.models = models.names

--- Steps of the model, unless `steps_max` says otherwise: a minute's worth, about.
check.STEPS_MAX = 100000000

--- Bytes for what is remembered, unless `memory_max` says otherwise.
check.MEMORY_MAX = 1 << 30

local OPTIONS <const> = { model = true, initial = true, by_time = "boolean",
  failed_cas = "string", steps_max = "integer", memory_max = "integer", core = "boolean",
  progress = "function" }

local function check_options(options)
  if type(options) ~= "table" then
    errors.raise("option_invalid", "check.run takes a table of options, not a %s", type(options))
  end
  for name, value in pairs(options) do
    local expected = OPTIONS[name]
    if not expected then
      errors.raise("option_unknown", "check.run has no option %s", tostring(name))
    elseif expected ~= true and (math.type(value) or type(value)) ~= expected then
      errors.raise("option_invalid", "%s is a %s, not a %s", name, expected, type(value))
    end
  end
  local failed_cas = options.failed_cas or "removed"
  if failed_cas ~= "removed" and failed_cas ~= "mismatch" then
    errors.raise("option_invalid", "failed_cas is removed or mismatch, not %s", failed_cas)
  end
  for _, name in ipairs{ "steps_max", "memory_max" } do
    if options[name] and options[name] < 1 then
      errors.raise("option_invalid", "%s is at least 1, not %d", name, options[name])
    end
  end
end

local function prepare(model, operation)
  local message = model.prepare and model.prepare(operation)
  if message then
    local line = operation.line or operation.line_returned
    errors.raise("history_invalid", "%s: process %s: %s",
      line and "line " .. line or "event " .. operation.invoked, operation.process, message)
  end
end

-- What is to be ordered: without those that failed, but for a cas that found another value.
local function select_operations(self, operations, options)
  local model, kept = self.model, {}
  for _, operation in ipairs(operations) do
    prepare(model, operation)
    local is_cas = operation.failed and operation.output ~= false and operation.error == nil
      and model.mismatch and model.mismatch(operation)
    if not operation.known then self.unknown = self.unknown + 1 end
    if operation.failed and operation.output ~= false
      and not (is_cas and options.failed_cas == "mismatch") then
      self.removed = self.removed + 1
      if is_cas then self.removed_cas = self.removed_cas + 1 end
    else
      kept[#kept + 1] = operation
    end
  end
  return kept
end

local function partition(model, operations)
  local parts, by_key = {}, {}
  for _, operation in ipairs(operations) do
    local key = model.partition and model.partition(operation)
    local name = values.text(key)
    local part = by_key[name]
    if not part then
      part = { key = key, operations = {} }
      by_key[name], parts[#parts + 1] = part, part
    end
    table.insert(part.operations, operation)
  end
  return parts
end

-- The operations of a partition in the order in which the history says they were applied; nil if it
-- does not say.
local function given_order(operations)
  local sequence = {}
  for _, operation in ipairs(operations) do
    if operation.order then sequence[#sequence + 1] = operation end
  end
  if #sequence == 0 then return nil end
  table.sort(sequence, function(a, b)
    if a.order ~= b.order then return a.order < b.order end
    return a.invoked < b.invoked
  end)
  return sequence
end

-- Tries the order that the history gives; what it does not explain is left.
local function follow(self, parts, initial)
  local open = {}
  for _, part in ipairs(parts) do
    part.search = search.new(part.operations, self.model, initial)
    local sequence = given_order(part.operations)
    if sequence and part.search:follow(sequence) then
      part.verdict, part.order, part.steps = true, part.search:order(), part.search.steps
      self.steps, part.search = self.steps + part.steps, nil
    else
      open[#open + 1] = part
    end
  end
  self.witness = #open == 0
  return open
end

local function keep_failure(self, part, options)
  local blocked, endings = prefix.first_blocked(part.operations, part.search, self.model,
    options.initial, core.QUESTION_MAX)
  local failure = { key = part.key, operation = blocked, endings = endings, core = nil,
    sources = {} }
  if options.core ~= false then
    failure.core, failure.sources = core.find(part.operations, blocked, self.model, options.initial)
  end
  self.verdict, self.failure = "not_linearizable", failure
end

--- Checks a history.
---@param events table[] {process=, type=, f=, key=, value=, time=, error=, order=}, in their order
---@param options jangada.check.Options
---@return jangada.check.Result
---Raises `history_invalid`, `model_invalid`, `option_invalid`, `option_unknown`.
function check.run(events, options)
  check_options(options)
  local self = {
    verdict = "linearizable", model = models.get(options.model), operations = 0, removed = 0,
    removed_cas = 0, unknown = 0, parts = nil, steps = 0, witness = false, failure = nil,
  }
  local operations = history.operations(events, options.by_time)
  self.operations = #operations
  self.parts = partition(self.model, select_operations(self, operations, options))
  local failing, steps = schedule.run(follow(self, self.parts, options.initial), {
    steps_max = options.steps_max or check.STEPS_MAX,
    memory_max = options.memory_max or check.MEMORY_MAX, progress = options.progress,
  })
  self.steps = self.steps + steps
  if failing then keep_failure(self, failing, options) end
  for _, part in ipairs(self.parts) do
    part.search = nil
    if not failing and part.verdict == nil then self.verdict = "unknown" end
  end
  return self
end

--- Says in words, and with a picture, what a check found.
---@param result jangada.check.Result
---@return string several lines
function check.explain(result)
  return explain.text(result)
end

return check
