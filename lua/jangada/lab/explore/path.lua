-- A path: what an exploration has done on the way to a state, to be done again, made shorter, told.
--
-- A list of steps. The first is the beginning, with its `ways`, the decisions taken in it; each
-- other one has its `action` (jangada.lab.explore.walk), too. Like a plan of faults it is data.

local errors = require "jangada.errors"
local explore_bounds = require "jangada.lab.explore.bounds"
local walks = require "jangada.lab.explore.walk"

local M = {}

---@alias jangada.lab.Path {action: table|nil, ways: integer[]}[]

---Takes the steps of a path, from the beginning.
---@param walk table
---@param path jangada.lab.Path
function M.go(walk, path)
  walk:begin(path[1].ways)
  for i = 2, #path do walk:perform(path[i].action, path[i].ways) end
end

---Walks where a path leads, and judges what can be judged only at an end.
---@param make fun(): table as for lab.explore
---@param bounds table as for lab.explore
---@param path jangada.lab.Path
---@param observe? fun(event: table, world: table) as of lab.new
---@return table walk whose `world` is at the end; to be closed
---Raises `path_lost` when a step is not possible where it is to be taken.
function M.retrace(make, bounds, path, observe)
  local walk = walks.new(make, explore_bounds.read(bounds))
  walk.observe = observe
  local ok, failure = pcall(M.go, walk, path)
  if not ok then
    walk:close()
    errors.raise("path_lost", "the path cannot be gone again: %s",
      errors.is(failure) and failure.message or tostring(failure))
  end
  if not walk.world.verdict then walk.world:finish() end
  return walk
end

-- Tries to take the steps of a path, as far as the first verdict. Gives the path as it was taken,
-- or nil when a step is not possible.
local function try(walk, steps)
  walk:begin(steps[1].ways)
  local path = {steps[1]}
  for i = 2, #steps do
    if walk.world.verdict then break end
    local found
    for _, action in ipairs(walk:actions()) do
      if action.key == steps[i].action.key then found = action end
    end
    if not found then return nil end
    walk:perform(found, steps[i].ways)
    path[i] = {action = found, ways = steps[i].ways}
  end
  if not walk.world.verdict then walk.world:finish() end
  return path
end

local function is_same(verdict, other)
  return verdict and verdict.kind == other.kind and verdict.name == other.name
    and verdict.code == other.code
end

---Leaves out steps that the verdict at its end does not need, one after the other from the last.
---@param walk table whose world is at the end of the path
---@param path jangada.lab.Path
---@return jangada.lab.Path path
---@return jangada.Verdict verdict
function M.shorten(walk, path)
  local verdict = walk.world.verdict
  local i = #path
  while i > 1 do
    local without = table.move(path, 1, #path, 1, {})
    table.remove(without, i)
    local taken = try(walk, without)
    if taken and is_same(walk.world.verdict, verdict) then
      path, verdict = taken, walk.world.verdict
      i = math.min(i, #path + 1)
    end
    i = i - 1
  end
  return path, verdict
end

local function text_of(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local names, texts = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for i, name in ipairs(names) do
    local text = text_of(value[name])
    texts[i] = math.type(name) and text or ("%s = %s"):format(tostring(name), text)
  end
  return "{" .. table.concat(texts, ", ") .. "}"
end

---Tells what happens on a path, a line for each step.
---@param make fun(): table as for lab.explore
---@param bounds table as for lab.explore
---@param path jangada.lab.Path
---@return string[] lines
function M.describe(make, bounds, path)
  local walk <close> = walks.new(make, explore_bounds.read(bounds))
  walk:begin(path[1].ways)
  local lines = {}
  for i = 2, #path do
    local action, ways = path[i].action, path[i].ways
    local event, text = walk:event(action), action.text
    if event and event.body then
      local body = {}
      for name, value in pairs(event.body) do
        if name ~= "type" then body[name] = value end
      end
      if next(body) ~= nil then text = text .. " " .. text_of(body) end
    end
    if #ways > 0 then text = ("%s, decisions %s"):format(text, table.concat(ways, " ")) end
    lines[i - 1] = ("%-9s %s"):format(action.kind, text)
    walk:perform(action, ways)
  end
  return lines
end

return M
