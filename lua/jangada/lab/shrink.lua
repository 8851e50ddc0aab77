-- Makes a run that fails smaller: fewer nodes, shorter, fewer faults, fewer requests of clients,
-- calmer messages, in that order, as long as it fails in the same way.
--
--     local shrink = require "jangada.lab.shrink"
--     local shrunk = shrink.run(scenarios.load("scenario.lua"), 17)
--     print(shrunk.outcome.verdict, #shrunk.outcome.plan)
--
-- A run is a scenario and an edit of it (jangada.lab.shrink.trial). Every step proposes a smaller
-- edit and runs it; it stands if the verdict is of the same kind and name. Since randomness is
-- counted by stream, what an edit takes away leaves all else as it was, until the run itself takes
-- another way. The steps are in jangada.lab.shrink.steps.

local errors = require "jangada.errors"
local files = require "jangada.lab.shrink.file"
local literal = require "jangada.lab.shrink.literal"
local oracles = require "jangada.lab.oracle"
local steps = require "jangada.lab.shrink.steps"
local store = require "jangada.store"
local trials = require "jangada.lab.shrink.trial"
local verdicts = require "jangada.lab.verdict"

local clock = store.streams.clock

local M = {}

local TIME_S <const>, TRIES_MAX <const> = 60, 20000
local EVENTS_FACTOR <const>, EVENTS_MORE <const> = 4, 1000 -- of what a run may take: a smaller one
                                                           -- that takes more is none
local SCRIPTED <const> = {invariant_violated = true, handler_error = true, not_linearizable = true}

local Shrinker = {}
Shrinker.__index = Shrinker

---@class jangada.lab.Shrunk
---@field scenario jangada.Scenario
---@field base_seed integer the seed of the scenario
---@field edit jangada.lab.Edit what is other than in it
---@field outcome jangada.lab.Outcome of the smaller run
---@field first jangada.lab.Outcome of the run that it came from
---@field tries integer runs
---@field seconds number
---@field ended nil|"time"|"tries"|"stopped" why it was not gone on; nil: nothing gets smaller

---The edit that is the best so far, with some fields other.
---@param fields table false for a field that goes
---@return jangada.lab.Edit
function Shrinker:with(fields)
  local edit = {}
  for name, value in pairs(self.edit) do edit[name] = value end
  for name, value in pairs(fields) do edit[name] = value end
  return edit
end

-- Why no more is to be tried, if there is a reason.
local function find_end(self)
  if self.ended then return true end
  if self.limits.stop and self.limits.stop() then
    self.ended = "stopped"
  elseif clock() >= self.limit_s then
    self.ended = "time"
  elseif self.tries >= self.limits.tries_max then
    self.ended = "tries"
  end
  return self.ended ~= nil
end

-- Without a script a run needs no longer than to its verdict.
local function keep(self, edit, outcome)
  self.edit, self.outcome = edit, outcome
  if not self.has_script then
    self.edit.duration_ms = math.min(edit.duration_ms, outcome.time_us // 1000 + 1)
  elseif edit.script == false then
    self.has_script = false
    self.edit.duration_ms = outcome.time_us // 1000 + 1
  end
end

---Runs an edit, and keeps it if it fails in the same way.
---@param edit jangada.lab.Edit
---@param is_better? fun(outcome: jangada.lab.Outcome): boolean what is asked of it besides
---@return boolean kept
function Shrinker:try(edit, is_better)
  local key = literal.of(edit)
  if self.tried[key] or find_end(self) or clock() > self.phase_s then return false end
  self.tried[key], self.tries = true, self.tries + 1
  if self.limits.progress then self.limits.progress(self) end
  local made, case = pcall(trials.case, self.scenario, self.base_seed, edit)
  if not made then return false end
  case.options.events_max = math.min(case.options.events_max or math.maxinteger, self.events_max)
  local outcome = trials.run(self.scenario, case, nil, self.kept)
  if not outcome or not trials.is_same(self.first.verdict, outcome.verdict) then return false end
  if is_better and not is_better(outcome) then return false end
  keep(self, edit, outcome)
  return true
end

---Whether there is time for more within a share of all.
---@param limit_s number by the clock
---@return boolean
function Shrinker:has_time(limit_s)
  return not find_end(self) and clock() < limit_s
end

---The clock when a share of the whole time, from now on, is over.
---@param share number
---@return number
function Shrinker:share(share)
  return math.min(self.limit_s, clock() + share * (self.limit_s - self.started_s))
end

---Runs the best edit once more, for whoever wants to see it.
---@param observe fun(event: table, world: table)
---@return jangada.lab.Outcome|nil
---@return jangada.Case
function Shrinker:observe(observe)
  local case = trials.case(self.scenario, self.base_seed, self.edit)
  files.listen(case)
  return trials.run(self.scenario, case, observe, self.kept) or nil, case
end

-- The first run: as the scenario has it.
local function begin(scenario, seed, duration_ms)
  local case = scenario:case(seed)
  local has_script = case.script ~= nil
  local edit = {seed = case.seed}
  if not has_script then edit.duration_ms = duration_ms or case.duration_ms end
  local own = trials.case(scenario, seed, edit)
  local outcome, failure = trials.run(scenario, own)
  if not outcome then
    if errors.is(failure) then error(failure, 0) end
    errors.raise("input_invalid", "%s, seed %d: %s", scenario.path, case.seed, tostring(failure))
  end
  if not outcome.verdict then
    errors.raise("input_invalid", "%s: nothing is wrong with seed %d", scenario.path, case.seed)
  elseif verdicts.outcome(outcome.verdict) ~= "violation" then
    errors.raise("input_invalid", "%s, seed %d: %s says nothing of the protocol", scenario.path,
      case.seed, outcome.verdict.kind)
  end
  edit.nodes, edit.faults = outcome.nodes, outcome.plan
  edit.network = own.options.network or {}
  return edit, outcome, has_script
end

---Makes a run that fails smaller.
---@param scenario jangada.Scenario
---@param seed? integer nil for the scenario's own
---@param limits? {time_s: number?, tries_max: integer?, duration_ms: number?,
---progress: fun(shrinker: table)?, stop: (fun(): boolean)?} `progress` is called before each try,
---`stop` says whether to end with what there is
---@return jangada.lab.Shrunk
---Raises `input_invalid`: there is no violation, or the scenario cannot be used.
function M.run(scenario, seed, limits)
  limits = limits or {}
  local started_s = clock()
  local edit, outcome, has_script = begin(scenario, seed, limits.duration_ms)
  local self = setmetatable({
    scenario = scenario,
    base_seed = seed or edit.seed,
    edit = edit,
    outcome = outcome,
    first = outcome,
    has_script = has_script,
    -- What a run fails to do is done by no message and no request at all: such a failure is made
    -- smaller by the world around it alone.
    is_safety = SCRIPTED[outcome.verdict.kind] == true,
    limits = {tries_max = limits.tries_max or TRIES_MAX, stop = limits.stop,
      progress = limits.progress},
    events_max = outcome.events * EVENTS_FACTOR + EVENTS_MORE,
    started_s = started_s,
    limit_s = started_s + (limits.time_s or TIME_S),
    chance = oracles.new(1):stream("shrink"),
    phase_s = math.huge, -- when what is being done is to end, by the clock
    kept = {}, -- jangada.lab.shrink.trial
    tried = {}, -- edits, as text
    tries = 0,
    step = nil, -- the name of what is being tried
    ended = nil,
  }, Shrinker)
  keep(self, edit, outcome)
  steps.run(self)
  self.seconds = clock() - started_s
  return self
end

return M
