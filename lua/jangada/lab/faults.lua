-- Faults are data: a plan is a list of timed faults, drawn from a seed before the run, printed,
-- saved, edited, and then run as it stands.
--
--     {at_ms = 1200, kind = "crash", node = "leader", for_ms = 300}
--     {at_ms = 1900, kind = "partition", groups = {{"n1", "n4"}}, for_ms = 800}
--     {at_ms = 2500, kind = "pause", node = "n3", for_ms = 40}
--     {at_ms = 3000, kind = "loss", rate = 0.2, for_ms = 1000}
--     {at_ms = 3000, kind = "delay", delay_ms = {5, 80}, for_ms = 1000}
--
-- Each fault carries its own end, so that taking one out of a plan takes all of it out: after
-- `for_ms` a crashed node boots again (at once when it is 0), a partition heals, and so on; without
-- `for_ms` it lasts. A fault that is overtaken by another of its kind does not end the other. All
-- of these are survivable: a correct protocol keeps its promises through any plan of them.
--
-- What a seed draws is how hard it will be, not only when: which kinds are on, and how often and
-- how long each strikes, on a logarithmic scale. Of all there is to vary, that finds most.

local errors = require "jangada.errors"

local M = {}

--- The kinds of fault there are.
M.kinds = {"crash", "delay", "loss", "partition", "pause"}

--- The end of a plan, in a drawn one: nothing strikes after it.
local DURATION_MS <const> = 10000

local function whole(x) return math.floor(x + 0.5) end

---------------------------------------------------------------------------------------------------
-- Drawing

local shapes = {}

function shapes.crash(chance, ids)
  return {kind = "crash", node = chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]}
end

function shapes.pause(chance, ids)
  return {kind = "pause", node = chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]}
end

function shapes.partition(chance, ids)
  if chance:chance(0.3) then return {kind = "partition", groups = {{"leader"}}} end
  local side = {}
  for _, id in ipairs(ids) do
    if chance:chance(0.5) then side[#side + 1] = id end
  end
  if #side == 0 or #side == #ids then side = {ids[chance:between(1, #ids)]} end
  return {kind = "partition", groups = {side}}
end

function shapes.loss(chance)
  return {kind = "loss", rate = whole(chance:logarithmic(0.005, 0.5) * 1000) / 1000}
end

function shapes.delay(chance)
  local low = whole(chance:logarithmic(1, 50))
  return {kind = "delay", delay_ms = {low, low + whole(chance:logarithmic(1, 200))}}
end

-- Strikes of one kind, one after another until the end.
local function draw_kind(plan, chance, kind, ids, duration_ms)
  local gap_ms = chance:logarithmic(100, 4000)
  local length_ms = chance:logarithmic(20, 2000)
  local at_ms = whole(chance:logarithmic(50, 2000))
  while at_ms < duration_ms do
    local fault = shapes[kind](chance, ids)
    local for_ms = whole(length_ms * chance:logarithmic(0.25, 4))
    if kind == "crash" and chance:chance(0.25) then for_ms = 0 end -- a bounce
    fault.at_ms = at_ms
    fault.for_ms = math.min(for_ms, duration_ms - at_ms)
    plan[#plan + 1] = fault
    -- Several nodes may be down at once; of the other kinds one is over before the next begins.
    local busy_ms = (kind == "crash" or kind == "pause") and 0 or fault.for_ms
    at_ms = at_ms + busy_ms + math.max(1, whole(gap_ms * chance:logarithmic(0.25, 4)))
  end
end

local function draw(recipe, oracle, ids)
  local chance = oracle:stream("faults")
  local duration_ms = recipe.duration_ms or DURATION_MS
  local plan = {}
  local is_calm = chance:chance(0.05) -- a run without faults finds what faults hide
  for _, kind in ipairs(recipe.kinds or M.kinds) do
    if not shapes[kind] then
      errors.raise("option_invalid", "there is no kind of fault %s", tostring(kind))
    end
    local own = oracle:stream("faults " .. kind)
    if own:chance(0.6) and not is_calm then draw_kind(plan, own, kind, ids, duration_ms) end
  end
  for i, fault in ipairs(plan) do fault.order = i end
  table.sort(plan, function(a, b)
    if a.at_ms ~= b.at_ms then return a.at_ms < b.at_ms end
    return a.order < b.order
  end)
  for _, fault in ipairs(plan) do fault.order = nil end
  return plan
end

---------------------------------------------------------------------------------------------------
-- Plans

local function is_time(value)
  return type(value) == "number" and value >= 0 and value < 1e9
end

local function check(fault, i)
  if type(fault) ~= "table" or not shapes[fault.kind] then
    errors.raise("option_invalid", "fault %d of the plan is of no known kind", i)
  end
  local needs = {crash = "node", pause = "node", partition = "groups", loss = "rate",
    delay = "delay_ms"}
  if not is_time(fault.at_ms) or not (fault.for_ms == nil or is_time(fault.for_ms)) then
    errors.raise("option_invalid", "fault %d of the plan has no valid at_ms or for_ms", i)
  end
  if fault[needs[fault.kind]] == nil then
    errors.raise("option_invalid", "fault %d of the plan, a %s, needs %s", i, fault.kind,
      needs[fault.kind])
  end
end

---The plan of a run.
---@param given table a plan, which is taken as it is; or what to draw one by: `{duration_ms =`
---no fault lasts longer, default 10000`, kinds =` which may be drawn`}`; empty for none
---@param oracle table
---@param ids string[] of the nodes
---@return table[] plan
---Raises `option_invalid`.
function M.plan(given, oracle, ids)
  if given.duration_ms or given.kinds then
    for name in pairs(given) do
      if name ~= "duration_ms" and name ~= "kinds" then
        errors.raise("option_unknown", "faults has no option %s", tostring(name))
      end
    end
    return draw(given, oracle, ids)
  end
  for i, fault in ipairs(given) do check(fault, i) end
  return given
end

local function text_of(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local texts = {}
  for i, element in ipairs(value) do texts[i] = text_of(element) end
  return "{" .. table.concat(texts, ", ") .. "}"
end

---Writes a plan as Lua, a line for each fault: what is printed can be run again.
---@param plan table[]
---@return string
function M.format(plan)
  local lines = {}
  for i, fault in ipairs(plan) do
    local fields = {("at_ms = %s, kind = %q"):format(fault.at_ms, fault.kind)}
    for _, name in ipairs{"node", "groups", "rate", "delay_ms", "for_ms"} do
      if fault[name] ~= nil then
        fields[#fields + 1] = ("%s = %s"):format(name, text_of(fault[name]))
      end
    end
    lines[i] = "  {" .. table.concat(fields, ", ") .. "},\n"
  end
  return "{\n" .. table.concat(lines) .. "}"
end

---------------------------------------------------------------------------------------------------
-- Running

-- Each begins a fault and returns the function that ends it, or nil when it could not strike.
local begin = {}

function begin.crash(world, fault)
  local machine = world:node(fault.node)
  if not machine or not world:crash(machine.index) then return nil end
  machine.cause = fault
  return function()
    if machine.cause == fault then world:restart(machine.index) end
  end
end

function begin.pause(world, fault)
  local machine = world:node(fault.node)
  if not machine or not world:pause(machine.index) then return nil end
  machine.cause = fault
  return function()
    if machine.cause == fault then world:resume(machine.index) end
  end
end

function begin.partition(world, fault)
  world:partition(fault.groups)
  local groups = world.network.groups
  return function()
    if world.network.groups == groups then world:heal() end
  end
end

function begin.loss(world, fault)
  world:set_loss(fault.rate)
  world.loss_cause = fault
  return function()
    if world.loss_cause == fault then world:set_loss(nil) end
  end
end

function begin.delay(world, fault)
  world:set_delay(fault.delay_ms)
  world.delay_cause = fault
  return function()
    if world.delay_cause == fault then world:set_delay(nil) end
  end
end

local function strike(world, step)
  local fault, trace = step.fault, world.trace
  if trace.observe then trace:row{kind = "fault", fault = fault} end
  local finish = begin[fault.kind](world, fault)
  if not finish then return false end
  if fault.for_ms then
    world:push(world.time_us + math.floor(fault.for_ms * 1000), {run = finish})
  end
end

---Puts the faults of a world's plan into its queue.
---@param world table
function M.schedule(world)
  for _, fault in ipairs(world.plan) do
    world:push(math.floor(fault.at_ms * 1000), {run = strike, fault = fault})
  end
end

return M
