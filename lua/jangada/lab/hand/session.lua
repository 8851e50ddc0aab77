-- A scenario taken by hand, with a way back: steps are kept, and going back is doing all of them
-- again but the last, in a new world of the same seed.

local errors = require "jangada.errors"
local forms = require "jangada.lab.hand.file"
local hands = require "jangada.lab.hand"

---@class jangada.lab.HandSession
---@field scenario jangada.Scenario
---@field seed integer
---@field steps jangada.lab.Step[] done so far, but for those that only look
---@field world table
---@field hand jangada.lab.Hand
---@field observe fun(event: table, world: table)
---@field is_again boolean steps are done again: nobody is to be told
local Session = {}
Session.__index = Session
Session.__name = "jangada.lab.HandSession"

local M = {}

-- Makes the world, at time 0.
local function begin(self)
  local case = self.scenario:case(self.seed)
  local own = case.options.observe
  case.options.observe = function(event, world)
    if own then own(event, world) end
    if not self.is_again then self.observe(event, world) end
  end
  if self.world then self.world:close() end
  self.seed, self.case = case.seed, case
  self.world = self.scenario:world(case)
  self.hand = hands.new(self.world)
end

-- Does the first so many steps again, in a new world.
local function retrace(self, count)
  local steps = table.move(self.steps, 1, count, 1, {})
  self.is_again = true
  local ok, failure = pcall(function()
    begin(self)
    for _, step in ipairs(steps) do self.hand:perform(step) end
  end)
  self.is_again, self.steps = false, steps
  if not ok then error(failure, 0) end
end

---Does what a line says.
---@param line string
---@return boolean done false when there is nothing in it
---Raises `input_invalid`; then nothing has been done.
function Session:perform(line)
  local step, why = hands.read(line, self.hand:scope())
  if not step then
    if why then errors.raise("input_invalid", "%s", why) end
    return false
  end
  local ok, failure = pcall(self.hand.perform, self.hand, step)
  if not ok then -- it may have been in the middle of something
    retrace(self, #self.steps)
    error(failure, 0)
  end
  if step.verb.family ~= "look" then self.steps[#self.steps + 1] = step end
  return true
end

---Takes the last steps back.
---@param count integer how many
---Raises `input_invalid` when there are fewer.
function Session:back(count)
  if count < 1 or count > #self.steps then
    errors.raise("input_invalid", "there are %d steps to take back, not %d", #self.steps, count)
  end
  retrace(self, #self.steps - count)
end

-- The header of the text: that of the scenario, with this seed.
local function header_of(self)
  local form, seed_line = self.scenario.form, "seed " .. self.seed
  if not form then return ("scenario %s\n%s"):format(self.scenario.path, seed_line) end
  local lines, count = ("\n" .. form.header_text):gsub("\n%s*seed%s[^\n]*", "\n" .. seed_line)
  return lines:sub(2) .. (count == 0 and "\n" .. seed_line or "")
end

---What has been done, as a scenario in the text form.
---@return string
function Session:text()
  return forms.write(header_of(self), self.steps)
end

function Session:close()
  if self.world then self.world:close() end
end
Session.__close = Session.close

---Takes a scenario by hand; one in the text form does its steps first.
---@param scenario jangada.Scenario
---@param seed? integer instead of the scenario's own
---@param observe fun(event: table, world: table) is called with each event
---@return jangada.lab.HandSession to be closed
---Raises `input_invalid`.
function M.new(scenario, seed, observe)
  local self = setmetatable({scenario = scenario, seed = seed, steps = {}, observe = observe,
    is_again = false, world = nil, hand = nil}, Session)
  begin(self)
  local ok, failure = pcall(function()
    for _, step in ipairs(self.case.steps or {}) do
      if self.world.verdict and not step.verb.expects then break end
      self.hand:perform(step)
      self.steps[#self.steps + 1] = step
    end
  end)
  if ok then return self end
  self:close()
  error(failure, 0)
end

return M
