-- Scenarios in the text form, for specs.

local errors = require "jangada.errors"
local hands = require "jangada.lab.hand"
local lab = require "jangada.lab"
local process = require "spec.support.process"
local scenarios = require "jangada.lab.scenario"

local M = {}

--- A header of three nodes of the reference Raft.
M.RAFT = "protocol jangada.raft.protocol\noptions machine=list\ninvariants raft\n"

---The scenario of a text.
---@param text string
---@param name? string of its file
---@return jangada.Scenario
function M.scenario(text, name)
  local path = ("%s/%s.scenario"):format(process.directory(), name or "a")
  process.write(path, text)
  return scenarios.load(path)
end

---Runs a text.
---@param text string
---@return table|nil verdict
---@return string told what the steps said, a line each, after `> ` and the step
---@return string[] kinds of the events that the world told of
function M.run(text)
  local scenario = M.scenario(text)
  local case = scenario:case()
  local told, kinds = {}, {}
  case.options.observe = function(event)
    kinds[#kinds + 1] = event.kind
    if event.kind == "step" then told[#told + 1] = "> " .. event.text end
    if event.kind == "told" then told[#told + 1] = event.text end
  end
  local world <close> = scenario:world(case)
  scenarios.run(case, world)
  return world.verdict, table.concat(told, "\n"), kinds
end

---What is wrong with a text.
---@param text string
---@return string message without the directory of its file
function M.refused(text)
  local ok, failure = pcall(M.run, text)
  assert(not ok, "nothing was raised")
  assert(errors.is(failure, "input_invalid"), tostring(failure))
  return (failure.message:gsub("/[^:\n]*/", ""))
end

---A world of three nodes of the reference Raft, by hand.
---@param header? string further lines of the header
---@return jangada.lab.Hand
---@return table world to be closed
---@return fun(line: string): string|nil does what a line says, and gives what it said
function M.hand(header)
  local told
  local case = M.scenario(M.RAFT .. (header or "")):case()
  case.options.observe = function(event)
    if event.kind == "told" then told = event.text end
  end
  local world = lab.new(case.options)
  local hand = hands.new(world)
  return hand, world, function(line)
    told = nil
    local step, why = hands.read(line, hand:scope())
    assert(step, why)
    hand:perform(step)
    return told
  end
end

return M
