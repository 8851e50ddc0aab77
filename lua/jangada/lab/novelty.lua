-- Novelty: a campaign that goes on where something new was seen.
--
-- Each run is looked at after every turn, through an abstraction: not what the terms are, but whose
-- is higher; not what is in the logs, but whose is longer. A run that shows a state which none
-- before it has shown is kept, as its seed and its plan of faults. Every other run, by chance, is
-- not of a new seed but of one that was kept, with its plan changed a little: a fault more or less,
-- earlier or later, shorter or longer, of another node, or one that another plan has.
--
-- All of it is drawn from one seed.

local lab = require "jangada.lab"
local oracles = require "jangada.lab.oracle"
local plain = require "jangada.node.plain"
local scenarios = require "jangada.lab.scenario"
local verdicts = require "jangada.lab.verdict"

local M = {}

---------------------------------------------------------------------------------------------------
-- What a state is like

local TEXT_MAX <const> = 16
local COUNT_MAX <const> = 3

-- How many different values of a field are above one: 0 is the highest.
local function rank_of(world, name, value)
  local above, n = {}, 0
  for _, machine in ipairs(world.nodes) do
    local other = type(machine.state) == "table" and machine.state[name]
    if math.type(other) and other > value and not above[other] then
      above[other], n = true, n + 1
    end
  end
  return math.min(n, COUNT_MAX)
end

local function count(t)
  local n = 0
  for _ in pairs(t) do
    n = n + 1
    if n == COUNT_MAX then break end
  end
  return n
end

local function like(world, machine, name, value)
  local kind = type(value)
  if kind == "number" then
    return rank_of(world, name, value)
  elseif kind == "table" then
    return "#" .. count(value)
  elseif kind == "string" then
    if value == machine.id then return "self" end
    if world.endpoints[value] then return "other" end
    return #value <= TEXT_MAX and value or "text"
  end
  return tostring(value)
end

---What is looked at of a world, unless a scenario has an `abstract` of its own: of each node
---whether it is up, and the fields of its state, numbers by how many higher ones other nodes have,
---tables by how much is in them, ids by whether they are its own; and whether the network is
---divided. Which node is which is not looked at.
---@param world table
---@return string
function M.abstract(world)
  local texts = {}
  for i, machine in ipairs(world.nodes) do
    local state, fields = machine.state, {}
    if type(state) == "table" then
      for name, value in pairs(state) do
        fields[#fields + 1] = ("%s=%s"):format(tostring(name), like(world, machine, name, value))
      end
      table.sort(fields)
    end
    texts[i] = (machine.paused and "paused " or machine.up and "up " or "down ")
      .. table.concat(fields, " ")
  end
  table.sort(texts)
  return table.concat(texts, "; ") .. (world.network.is_divided and "; divided" or "")
end

---------------------------------------------------------------------------------------------------
-- How a plan is changed

local changes = {}

local function any(chance, list) return list[chance:choose(#list) + 1] end

local function whole(x) return math.floor(x + 0.5) end

function changes.remove(chance, plan)
  table.remove(plan, chance:choose(#plan) + 1)
end

function changes.copy(chance, plan)
  local fault = plain.clone(any(chance, plan))
  fault.at_ms = whole(fault.at_ms * chance:logarithmic(0.5, 2))
  plan[#plan + 1] = fault
end

function changes.move(chance, plan)
  local fault = any(chance, plan)
  fault.at_ms = whole(fault.at_ms * chance:logarithmic(0.5, 2))
end

function changes.stretch(chance, plan)
  local fault = any(chance, plan)
  if fault.for_ms then fault.for_ms = whole(fault.for_ms * chance:logarithmic(0.25, 4)) end
end

function changes.turn(chance, plan, of)
  local fault = any(chance, plan)
  if fault.node ~= nil and not fault.side then
    fault.node = chance:chance(0.3) and "leader" or any(chance, of.ids)
  end
end

-- What a plan names is there only in a world of as many nodes.
function changes.take(chance, plan, of, corpus)
  local other = any(chance, corpus)
  if #other.plan > 0 and #other.ids == #of.ids then
    plan[#plan + 1] = plain.clone(any(chance, other.plan))
  end
end

local NAMES <const> = {"copy", "move", "remove", "stretch", "take", "turn"}
local CHANGES_MAX <const> = 3

---@class jangada.lab.Kept a run that has shown something new
---@field seed integer
---@field plan table[] its faults
---@field end_ms number when these are over: scenarios may rely on it
---@field ids string[] of its nodes
---@field new integer abstract states that it was the first to show

---Changes a plan a little.
---@param chance table stream
---@param of jangada.lab.Kept whose plan it is; that one stays as it was
---@param corpus jangada.lab.Kept[] others
---@return table[] plan
function M.change(chance, of, corpus)
  local plan = plain.clone(of.plan)
  for _ = 1, chance:between(1, CHANGES_MAX) do
    local name = any(chance, NAMES)
    if name == "take" or #plan > 0 then changes[name](chance, plan, of, corpus) end
  end
  for _, fault in ipairs(plan) do
    fault.at_ms = math.min(fault.at_ms, of.end_ms)
    if fault.for_ms then fault.for_ms = math.min(fault.for_ms, of.end_ms - fault.at_ms) end
  end
  table.sort(plan, function(a, b)
    if a.at_ms ~= b.at_ms then return a.at_ms < b.at_ms end
    return plain.digest(a, "a fault") < plain.digest(b, "a fault")
  end)
  return plan
end

---------------------------------------------------------------------------------------------------
-- The search

---@class jangada.lab.Novelty
---@field runs integer
---@field states integer abstract ones that were seen
---@field corpus jangada.lab.Kept[] runs that have shown new ones
---@field changed integer how many of these were of changed plans
---@field verdict jangada.Verdict|nil what was found, or why the search had to end
---@field seed integer|nil of the run that has it
---@field plan table[]|nil its faults, as it was run

-- Runs a case and counts what is new in it.
local function run(found, case, seen)
  local abstract, new = case.abstract or M.abstract, 0
  local world <close> = lab.new(case.options)
  local function look()
    local text = abstract(world)
    if not seen[text] then
      seen[text], new = true, new + 1
    end
  end
  world:watch{name = "novelty", turn = look}
  look()
  scenarios.run(case, world)
  found.states = found.states + new
  return new, world.plan, world.verdict
end

local function is_at_end(verdict)
  local outcome = verdicts.outcome(verdict)
  return outcome == "violation" or outcome == "error"
end

local function end_of(plan, asked)
  local end_ms = asked and asked.duration_ms or 0
  for _, fault in ipairs(plan) do
    end_ms = math.max(end_ms, fault.at_ms + (fault.for_ms or 0))
  end
  return end_ms
end

local function keep(case, plan, new, parent)
  local ids = {}
  for i = 1, case.options.nodes or 3 do ids[i] = "n" .. i end
  return {seed = case.seed, plan = plain.clone(plan), new = new, ids = ids,
    end_ms = parent and parent.end_ms or end_of(plan, case.options.faults)}
end

---Runs until something is wrong.
---@param make fun(seed: integer): jangada.Case made afresh for each run, as of Scenario:case
---@param options? {seed: integer|nil, runs: integer|nil} the seed that everything is drawn from,
---and of the first run (1); how many runs at most (1000)
---@param watch? fun(found: jangada.lab.Novelty): any is called after each run; false ends it
---@return jangada.lab.Novelty
---Raises what lab.new raises.
function M.search(make, options, watch)
  options = options or {}
  local seed, runs_max = options.seed or 1, options.runs or 1000
  local chance, seen = oracles.new(seed):stream("novelty"), {}
  local found = {runs = 0, states = 0, corpus = {}, changed = 0}
  local corpus = found.corpus
  while found.runs < runs_max do
    local parent = #corpus > 0 and chance:chance(0.5) and any(chance, corpus) or nil
    local case = make(parent and parent.seed or seed)
    if parent then
      case.options.faults = M.change(chance, parent, corpus)
    else
      seed = seed + 1
    end
    local new, plan, verdict = run(found, case, seen)
    found.runs = found.runs + 1
    if is_at_end(verdict) then
      found.verdict, found.seed, found.plan = verdict, case.seed, plan
      break
    elseif new > 0 then
      corpus[#corpus + 1] = keep(case, plan, new, parent)
      if parent then found.changed = found.changed + 1 end
    end
    if watch and watch(found) == false then break end
  end
  return found
end

return M
