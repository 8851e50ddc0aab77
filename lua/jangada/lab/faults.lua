-- Faults are data: a plan is a list of timed faults, drawn from a seed before the run, printed,
-- saved, edited, and then run as it stands.
--
--     {at_ms = 1200, kind = "crash", node = "leader", for_ms = 300}
--     {at_ms = 1900, kind = "partition", groups = {{"n1", "n4"}}, for_ms = 800}
--     {at_ms = 2500, kind = "one_way", from = {"n1"}, to = {"n2", "n3"}, for_ms = 400}
--     {at_ms = 3000, kind = "duplication", rate = 0.2, for_ms = 1000}
--     {at_ms = 3000, kind = "delay", delay_ms = {"long_tail", 1, 800}, for_ms = 1000}
--
-- Each fault carries its own end, so that taking one out of a plan takes all of it out: after
-- `for_ms` a crashed node boots again (at once when it is 0), a partition heals, and so on; without
-- `for_ms` it lasts. A fault that is overtaken by another of its kind does not end the other. All
-- of these are survivable, but for those of hopeless worlds: a correct protocol keeps its promises
-- through any plan of them.
--
-- What a seed draws is how hard it will be, not only when: which kinds are on, and how often and
-- how long each strikes, on a logarithmic scale. Of all there is to vary, that finds most.
--
-- A kind, in one of the files of its family, is
--
--     fields      what a fault of it has besides: name -> what it is, of `readers` below; with a ?
--                 it may be left out
--     rate        how often a seed has it
--     nodes_min   it is drawn for so many nodes (1)
--     of_disks    it is of disks that are simulated (durability journal)
--     hopeless    no protocol has to survive it: it is for worlds with `hopeless`
--     lasts       it has no end
--     overlaps    whether one may begin before the last is over
--     draw        function(chance, ids): a fault
--     begin       function(world, fault): begins it and returns the function that ends it, or nil
--                 when it could not strike

local delays = require "jangada.lab.delays"
local errors = require "jangada.errors"
local networks = require "jangada.lab.network"
local options = require "jangada.lab.options"
local power = require "jangada.lab.power"

local M = {}

local FAMILIES <const> = {"clocks", "disks", "hopeless", "links", "nodes", "partitions"}

local kinds = {}

--- The names of the kinds of fault there are, in order.
M.kinds = {}

for _, family in ipairs(FAMILIES) do
  for name, kind in pairs(require("jangada.lab.faults." .. family)) do
    kinds[name] = kind
    M.kinds[#M.kinds + 1] = name
  end
end
table.sort(M.kinds)

--- The end of a plan, in a drawn one: nothing strikes after it.
local DURATION_MS <const> = 10000

-- How many faults a drawn plan may have: those of some days.
local PLAN_MAX <const> = 1000000

-- How long it is between two strikes of a kind: what a seed draws this from.
local GAP_MS <const> = {100, 4000}

local function whole(x) return math.floor(x + 0.5) end

local function is_time(value)
  return type(value) == "number" and value >= 0 and value < 1e9
end

---------------------------------------------------------------------------------------------------
-- Drawing

-- Strikes of one kind, one after another until the end.
local function draw_kind(plan, chance, name, ids, recipe)
  local kind, duration_ms = kinds[name], recipe.duration_ms
  local gap_ms = chance:logarithmic(table.unpack(recipe.gap_ms))
  local length_ms = chance:logarithmic(20, 2000)
  local at_ms = whole(chance:logarithmic(50, 2000))
  while at_ms < duration_ms do
    local fault = kind.draw(chance, ids)
    local for_ms = whole(length_ms * chance:logarithmic(0.25, 4))
    if name == "crash" and chance:chance(0.25) then for_ms = 0 end -- a bounce
    fault.at_ms = at_ms
    if not kind.lasts then fault.for_ms = math.min(for_ms, duration_ms - at_ms) end
    plan[#plan + 1] = fault
    if #plan > PLAN_MAX then
      errors.raise("option_invalid", "duration_ms of faults is too long: the plan has more than %d "
        .. "of them", PLAN_MAX)
    end
    local busy_ms = kind.overlaps and 0 or fault.for_ms or 0
    at_ms = at_ms + busy_ms + math.max(1, whole(gap_ms * chance:logarithmic(0.25, 4)))
  end
end

local function is_gap(gap)
  return type(gap) == "table" and #gap == 2 and is_time(gap[1]) and is_time(gap[2])
    and gap[1] > 0 and gap[1] <= gap[2]
end

local names = options.list(function(name) return kinds[name] ~= nil end,
  "a list of kinds of fault (jangada.lab.faults.kinds)")

local RECIPE <const> = {duration_ms = {options.time_ms, DURATION_MS}, kinds = {names, M.kinds},
  without = {names, {}}, gap_ms = {{is = is_gap, text = "{least, most}, times in ms"}, GAP_MS}}

--- The rules of what a plan is drawn by (jangada.lab.options).
M.RULES = RECIPE

local is_plan = options.list(options.any.is, "a list of faults").is

-- What a kind of fault needs of a world that this one lacks, or nil.
local function lacking(kind, setting)
  if kind.of_disks and not setting.disks then
    return "needs durability journal and no directory of one's own"
  elseif kind.hopeless and not setting.hopeless then
    return "is more than a protocol can survive; a world with hopeless = true may have it"
  end
end

local function read_recipe(given, setting)
  local recipe, seen, lack = options.read("faults", given, RECIPE), {}, nil
  local possible = 0
  for _, name in ipairs(recipe.kinds) do
    local its = lacking(kinds[name], setting)
    if its then lack = ("%s %s"):format(name, its) else possible = possible + 1 end
    if seen[name] then
      errors.raise("option_invalid", "kinds of faults names %s twice", name)
    end
    seen[name] = true
  end
  if possible == 0 and lack then
    errors.raise("option_invalid", "kinds of faults names none that this world can have: %s", lack)
  end
  return recipe
end

local function draw(recipe, oracle, ids, setting)
  local chance = oracle:stream("faults")
  local plan, without = {}, {}
  for _, name in ipairs(recipe.without) do without[name] = true end
  local is_calm = chance:chance(0.05) -- a run without faults finds what faults hide
  for _, name in ipairs(recipe.kinds) do
    local kind = kinds[name]
    local own = oracle:stream("faults " .. name)
    local is_possible = #ids >= (kind.nodes_min or 1) and (setting.disks or not kind.of_disks)
      and not without[name] and (setting.hopeless or not kind.hopeless)
    if own:chance(kind.rate) and not is_calm and is_possible then
      draw_kind(plan, own, name, ids, recipe)
    end
  end
  local place = {}
  for i, fault in ipairs(plan) do place[fault] = i end
  table.sort(plan, function(a, b)
    if a.at_ms ~= b.at_ms then return a.at_ms < b.at_ms end
    return place[a] < place[b]
  end)
  return plan
end

---------------------------------------------------------------------------------------------------
-- Plans

local readers = {}

function readers.node(value, ids)
  if math.type(value) == "integer" then return value >= 1 and value <= #ids end
  for _, id in ipairs(ids) do
    if id == value then return true end
  end
  return value == "leader"
end

-- A client has any name, and may come later; so what is no node is only known when it strikes.
local function is_endpoint(value, ids)
  return type(value) == "string" or readers.node(value, ids)
end

function readers.nodes(value, ids)
  if type(value) ~= "table" or #value == 0 then return is_endpoint(value, ids) end
  for _, which in ipairs(value) do
    if not is_endpoint(which, ids) then return false end
  end
  return true
end

function readers.groups(value, ids)
  if type(value) ~= "table" then return false end
  for _, group in ipairs(value) do
    if type(group) ~= "table" or #group > 0 and not readers.nodes(group, ids) then return false end
  end
  return true
end

function readers.rate(value) return networks.check_rate(value, "messages") ~= nil end

function readers.law(value) return delays.law(value, "it") ~= nil end

function readers.time(value) return is_time(value) and value >= 0.001 end

function readers.count(value) return math.type(value) == "integer" and value >= 0 end

function readers.shift(value) return type(value) == "number" and math.abs(value) <= 1e12 end

function readers.clock_rate(value) return type(value) == "number" and value >= 0 and value <= 4 end

function readers.index(value) return math.type(value) == "integer" and value > 0 end

function readers.pace(value)
  return math.type(value) == "integer" and value >= 1 and value <= 1000000
end

function readers.disk_call(value) return value == "write" or value == "flush" end

function readers.disk_error(value) return value == "EIO" or value == "ENOSPC" end

readers.tail = power.is_tail

local expected = {
  index = "an integer from 1 on", pace = "a number of messages a second, 1 to 10^6",
  disk_call = "write or flush", disk_error = "EIO or ENOSPC",
  shift = "a number of ms", clock_rate = "a number from 0 to 4",
  count = "a number of commits", tail = "cut, torn or scribbled",
  node = "a node of this world: its number, its name or leader", nodes = "a list of nodes",
  groups = "a list of lists of nodes", time = "a time in ms",
}

local function check_field(fault, i, name, rule, ids)
  local reader = rule:gsub("%?", "")
  local value = fault[name]
  if value == nil then
    if rule ~= reader then return end
    errors.raise("option_invalid", "fault %d of the plan, of kind %s, needs %s", i, fault.kind,
      name)
  end
  local ok, result = pcall(readers[reader], value, ids)
  if ok and result then return end
  errors.raise("option_invalid", "fault %d of the plan, of kind %s: its %s is wrong: %s", i,
    fault.kind, name, ok and ("it is %s, not %s"):format(expected[reader], options.show(value))
      or result.message)
end

local function check(fault, i, setting, ids)
  local kind = type(fault) == "table" and kinds[fault.kind]
  if not kind then
    errors.raise("option_invalid", "fault %d of the plan is of no known kind", i)
  end
  if not is_time(fault.at_ms) or not (fault.for_ms == nil or is_time(fault.for_ms)) then
    errors.raise("option_invalid", "fault %d of the plan has no valid at_ms or for_ms", i)
  end
  local lack = lacking(kind, setting)
  if lack then
    errors.raise("option_invalid", "fault %d of the plan, of kind %s, %s", i, fault.kind, lack)
  end
  if kind.lasts and fault.for_ms ~= nil then
    errors.raise("option_invalid", "fault %d of the plan, of kind %s, has a for_ms and no end", i,
      fault.kind)
  end
  for name, rule in pairs(kind.fields) do check_field(fault, i, name, rule, ids) end
  for name in pairs(fault) do
    if not kind.fields[name] and name ~= "at_ms" and name ~= "for_ms" and name ~= "kind" then
      errors.raise("option_unknown", "fault %d of the plan, of kind %s, has no %s", i, fault.kind,
        tostring(name))
    end
  end
end

---The fields that a kind of fault has besides `at_ms`, `kind` and `for_ms`.
---@param kind string
---@return table<string, string> fields name -> what it is; with a ? it may be left out
function M.fields(kind)
  local fields = {}
  for name, rule in pairs(kinds[kind].fields) do fields[name] = rule end
  return fields
end

---The plan of a run.
---@param given table a plan, which is taken as it is; or what to draw one by: `{duration_ms =`
---no fault lasts longer, default 10000`, kinds =` which may be drawn, default all`, without =`
---which may not`, gap_ms =` between two of a kind, {least, most}, default {100, 4000}`}`; empty for
---none
---@param oracle table
---@param ids string[] of the nodes
---@param setting? {disks: boolean, hopeless: boolean|nil} whether disks are simulated, by default
---true; whether there may be faults that no protocol has to survive, default false
---@return table[] plan
---Raises `option_invalid`, `option_unknown`.
function M.plan(given, oracle, ids, setting)
  setting = setting or {disks = true}
  if not is_plan(given) then return draw(read_recipe(given, setting), oracle, ids, setting) end
  for i, fault in ipairs(given) do check(fault, i, setting, ids) end
  return given
end

local function text_of(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local texts = {}
  for i, element in ipairs(value) do texts[i] = text_of(element) end
  return "{" .. table.concat(texts, ", ") .. "}"
end

-- In which order fields are written.
local ORDER <const> = {"node", "other", "groups", "from", "to", "side", "order", "rate",
  "delay_ms", "late_ms", "per_second", "waiting", "cut_ms", "open_ms", "flush_ms", "by_ms", "call",
  "error", "entry", "keep", "tail", "for_ms"}

---Writes a plan as Lua, a line for each fault: what is printed can be run again.
---@param plan table[]
---@return string
function M.format(plan)
  local lines = {}
  for i, fault in ipairs(plan) do
    local fields = {("at_ms = %s, kind = %q"):format(fault.at_ms, fault.kind)}
    for _, name in ipairs(ORDER) do
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

local function strike(world, step)
  local fault, trace = step.fault, world.trace
  if world.core then return false end -- what is wrong now stays so, and nothing else goes wrong
  if trace.observe then trace:row{kind = "fault", fault = fault} end
  local finish = kinds[fault.kind].begin(world, fault)
  if not finish then return false end
  if fault.for_ms then
    world:push(world.time_us + math.floor(fault.for_ms * 1000), {run = function(_, it)
      if world.core then return false end
      return finish(world, it)
    end})
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
