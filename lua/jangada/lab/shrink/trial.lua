-- One try of the shrinker: a scenario, changed by an edit, is run, and what it came to is kept.
--
-- An edit is plain data: options of lab.new and of a scenario, which stand in the place of those
-- that the scenario has for its own seed. Together they are a run that can be written down.

local environment = require "jangada.node.environment"
local errors = require "jangada.errors"
local store = require "jangada.store"

local M = {}

local TRY_S <const> = 20 -- by the clock; what takes longer does not end

---@class jangada.lab.Edit
---@field seed integer of the world
---@field nodes? integer
---@field faults? table[] the plan
---@field network? table
---@field requests_max? integer
---@field operations_max? integer
---@field draws? table
---@field duration_ms? number
---@field script? boolean false: the script of the scenario is not run

---@class jangada.lab.Outcome
---@field verdict jangada.Verdict|nil
---@field time_us integer when it ended
---@field events integer
---@field sent integer messages
---@field delivered integer
---@field requests integer of clients
---@field nodes integer
---@field plan table[]
---@field hash string

---The case of a scenario for a seed, changed by an edit.
---@param scenario jangada.Scenario
---@param base_seed integer of the scenario
---@param edit jangada.lab.Edit
---@return jangada.Case
---Raises `input_invalid`.
function M.case(scenario, base_seed, edit)
  local case = scenario:case(base_seed)
  local options = case.options
  options.directory = nil
  for name, value in pairs(edit) do
    if name == "duration_ms" then
      case.duration_ms = value
    elseif name == "script" then
      case.script = nil
    else
      options[name] = value
    end
  end
  case.seed = edit.seed
  return case
end

-- The limit by the clock ends a run wherever it is.
local function run_case(scenario, case, observe, kept)
  local own = case.options.observe
  if observe then
    case.options.observe = own and function(event, world)
      own(event, world)
      observe(event, world)
    end or observe
  end
  local world <close> = scenario:world(case, kept)
  if kept then kept.source = world.source end
  if case.script then case.script(world) else world:run(case.duration_ms) end
  if not world.closed then world:finish() end
  return {verdict = world.verdict, time_us = world.time_us, events = world.events,
    sent = world.sent, delivered = world.delivered, requests = world.requests,
    nodes = #world.nodes, plan = world.plan, hash = world:hash()}
end

---Runs a case.
---@param scenario jangada.Scenario
---@param case jangada.Case
---@param observe? fun(event: table, world: table)
---@param kept? table of all tries of one scenario and seed: the protocol as it was read
---@return jangada.lab.Outcome|nil outcome nil when it raised, or did not end
---@return any failure what was raised
function M.run(scenario, case, observe, kept)
  local ok, result
  local is_in_time = store.streams.limit(TRY_S, function()
    ok, result = xpcall(run_case, function(failure)
      return errors.is(failure) and failure or debug.traceback(tostring(failure), 2)
    end, scenario, case, observe, kept)
  end)
  if not is_in_time then
    environment.leave() -- it may have been in the middle of a turn
    return nil, ("a run took more than %d s"):format(TRY_S)
  end
  if not ok then return nil, result end
  return result
end

-- Where a handler raised: its file and line.
local function place_of(verdict)
  return verdict.code or verdict.message:match("^[^\n]-:%d+:") or ""
end

---Whether two verdicts tell of one failure.
---@param a jangada.Verdict
---@param b jangada.Verdict|nil
---@return boolean
function M.is_same(a, b)
  if not b or a.kind ~= b.kind or a.name ~= b.name then return false end
  return a.kind ~= "handler_error" or place_of(a) == place_of(b)
end

return M
