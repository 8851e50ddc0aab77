-- What a campaign has come to so far: counts by outcome, failures by kind, marks.
--
-- A result is what one seed came to: {seed =, hash =, events =, time_us =, hopeless =, marks =,
-- verdict =}; the verdict is that of the run (jangada.lab.verdict), nil where all was well;
-- `hopeless` is true where there might be what no protocol has to survive.

local verdicts = require "jangada.lab.verdict"

local Tally = {}
Tally.__index = Tally
Tally.__name = "jangada.lab.Tally"

local M = {}

---@class jangada.Group
---@field kind string of the verdict
---@field subject string|nil the name of the invariant, or the code of the error
---@field outcome string
---@field results table[] by seed
---@field hopeless integer how many of them are of hopeless worlds

---Makes an empty tally.
---@return table tally
function M.new()
  return setmetatable({
    counts = {passed = 0, violation = 0, unknown = 0, error = 0},
    total = 0,
    hopeless = 0, -- seeds whose worlds were
    groups = {},  -- key -> jangada.Group
    marks = {},   -- name -> how often reached; 0: it could have been
    passed = {},  -- seeds
  }, Tally)
end

-- Failures of one kind have one cause more often than not.
local function group_of(self, verdict)
  local subject = verdict.name or verdict.code
  local key = verdict.kind .. " " .. (subject or "")
  local group = self.groups[key]
  if not group then
    group = {kind = verdict.kind, subject = subject, outcome = verdicts.outcome(verdict),
      results = {}, hopeless = 0}
    self.groups[key] = group
  end
  return group
end

---Adds a result.
---@param result table
---@return jangada.Group|nil group of a seed that did not pass
function Tally:add(result)
  local outcome = verdicts.outcome(result.verdict)
  self.counts[outcome] = self.counts[outcome] + 1
  self.total = self.total + 1
  if result.hopeless then self.hopeless = self.hopeless + 1 end
  for name, count in pairs(result.marks or {}) do
    self.marks[name] = (self.marks[name] or 0) + count
  end
  if outcome == "passed" then
    table.insert(self.passed, result.seed)
    return nil
  end
  local group = group_of(self, result.verdict)
  table.insert(group.results, result)
  if result.hopeless then group.hopeless = group.hopeless + 1 end
  return group
end

local RANKS <const> = {violation = 1, error = 2, unknown = 3}

---The groups of failures: violations first, the largest first, the seeds of each in order.
---@return jangada.Group[]
function Tally:sorted()
  local list = {}
  for key, group in pairs(self.groups) do
    group.key = key
    table.sort(group.results, function(a, b) return a.seed < b.seed end)
    list[#list + 1] = group
  end
  table.sort(list, function(a, b)
    local x, y = RANKS[a.outcome], RANKS[b.outcome]
    if x ~= y then return x < y end
    if #a.results ~= #b.results then return #a.results > #b.results end
    return a.key < b.key
  end)
  return list
end

---The marks, by name, apart: those that were reached, and those that never were.
---@return {name: string, count: integer}[] reached
---@return string[] never
function Tally:sorted_marks()
  local reached, never = {}, {}
  for name, count in pairs(self.marks) do
    if count > 0 then
      reached[#reached + 1] = {name = name, count = count}
    else
      never[#never + 1] = name
    end
  end
  table.sort(reached, function(a, b) return a.name < b.name end)
  table.sort(never)
  return reached, never
end

return M
