--- `jangada lab replay`: runs what a trace is of again, and compares the two event by event.
--
-- Every event of a trace carries the hash of all that happened before it, so the first line that
-- differs is the first step at which the two runs did.

local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local json_reader = require "jangada.cli.json_reader"
local lines = require "jangada.cli.lab.lines"
local paths = require "jangada.lab.explore.path"
local recordings = require "jangada.lab.recording"
local scenarios = require "jangada.lab.scenario"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.lab.session"

local replay = { name = "replay" }

function replay.define(parser)
  session.describe(parser, "Run what a trace is of again, and compare.",
    "Runs the scenario and the seed that a trace names, and compares event by event. Exit code 0: "
    .. "it is the same run. 1: it is not, and the first step is printed at which they differ.",
    { "replay 7.jsonl", "replay 7.jsonl --scenario moved.lua" })
  parser:argument("trace", "A file that `jangada lab run --trace` wrote.")
  parser:option("--scenario", "Where the scenario is, if not where it was."):argname("FILE")
end

local function read_first(file, path)
  return lines.read_header(file:read("l"), path, "run", recordings.FORMAT, "that of a trace")
end

---@class jangada.cli.Comparison
---@field file file* the trace, of which the first line is read
---@field steps integer that were the same
---@field difference nil|{trace: string|nil, own: string|nil}
---@field is_cut boolean the trace ends before its run does

-- Compares a line of this run with the next one of the trace. Gives whether it goes on.
local function compare(c, own)
  if c.difference or c.is_cut then return false end
  local line = c.file:read("L")
  if not line or line:sub(-1) ~= "\n" then
    c.is_cut = true
  elseif line ~= own .. "\n" then
    c.difference = { trace = line:sub(1, -2), own = own }
  else
    c.steps = c.steps + 1
    return true
  end
  return false
end

-- The names of the fields in which two lines differ.
local function names_of_difference(one, two)
  local names, both = {}, {}
  for i, line in ipairs{ one, two } do
    local ok, value = pcall(json_reader.decode, line, 1)
    both[i] = ok and type(value) == "table" and value or {}
  end
  local all = {}
  for _, value in ipairs(both) do
    for name in pairs(value) do all[name] = true end
  end
  for name in pairs(all) do
    local a, b = both[1][name], both[2][name]
    if json.encode(lines.of(a)) ~= json.encode(lines.of(b)) then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

-- Goes the way that an exploration has found; gives the world at its end.
local function retrace(scenario, first, observe)
  local walk = paths.retrace(session.maker(scenario, math.tointeger(first.seed)), first.bounds,
    first.path, observe)
  return walk.world, walk
end

local function run(c, scenario, case, first)
  local recording
  recording = recordings.new(function(row)
    if row[2] == "run" then return end
    if not compare(c, lines.row(row)) and recording.world then
      recording.world:fail{ kind = "replay_ended", message = "there is nothing more to compare" }
    end
  end)
  local observe = case.options.observe
  case.options.observe = function(event, world)
    recording.world = world
    recording:observe(event, world)
    if observe then observe(event, world) end
  end
  local world, owner
  if first.path then
    world, owner = retrace(scenario, first, case.options.observe)
  else
    world = scenario:world(case)
    owner = world
  end
  local _owner <close> = owner
  if not first.path then scenarios.run(case, world) end
  recording.world = nil
  if not c.difference and not c.is_cut then recording:finish(world) end
  return world:hash()
end

local function explain(c, args, is_same_code, hash)
  local screen = screens.new()
  if c.difference then
    screen:print("NOT the same run: the first %s, then one differs in %s",
      c.steps == 1 and "event is the same" or screens.thousands(c.steps) .. " events are the same",
      names_of_difference(c.difference.trace, c.difference.own))
    screen:print("  the trace  %s", c.difference.trace)
    screen:print("  this run   %s", c.difference.own)
    if not is_same_code then
      screen:print("the scenario, the protocol or the library has changed since")
    end
    return false
  elseif c.is_cut then
    screen:print("%s ends before its run does; the same up to there: %s events", args.trace,
      screens.thousands(c.steps))
  else
    screen:print("the same run: %s events, trace hash %s", screens.thousands(c.steps - 1), hash)
  end
  return true
end

function replay.run(args, cli)
  local file <close>, message = io.open(args.trace, "rb")
  if not file then errors.raise("input_invalid", "%s", message) end
  local first = read_first(file, args.trace)
  local scenario = session.load(args.scenario or first.scenario)
  local case = scenario:case(math.tointeger(first.seed))
  case.duration_ms = first.duration_ms
  if first.changed_plan then case.options.faults = first.plan end
  local c = { file = file, steps = 0, difference = nil, is_cut = false }
  local is_same_code = scenario:digest(case) == first.code
  local hash = run(c, scenario, case, first)
  return explain(c, args, is_same_code, hash) and cli.OK or cli.VIOLATION
end

return { replay }
