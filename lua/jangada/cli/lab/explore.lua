--- `jangada lab explore`: all that can happen in a small world, up to a bound; or, with --novelty,
--- seeds and plans that are kept when they show something new.

local arguments = require "jangada.cli.arguments"
local bounds_of = require "jangada.lab.explore.bounds"
local errors = require "jangada.errors"
local explorations = require "jangada.lab.explore"
local paths = require "jangada.lab.explore.path"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.lab.session"
local traces = require "jangada.cli.lab.traces"
local verdicts = require "jangada.lab.verdict"

local thousands = screens.thousands

local explore = { name = "explore" }

local DRAW_S <const> = 0.2

-- The bounds, as options: in the order of --help.
local OPTIONS <const> = {
  { "messages", "Messages that may arrive on one way" },
  { "timeouts", "Timers that may fire" },
  { "crashes", "Nodes that may crash; each may boot again" },
  { "drops", "Messages that may get lost" },
  { "duplicates", "Messages that may arrive twice" },
  { "maybes", "How often node:maybe may be true" },
  { "depth", "All of these together" },
  { "choices", "Decisions of up to so many ways are taken in each" },
  { "states", "States to be met at most" },
}

function explore.define(parser)
  session.describe(parser, "Try all that can happen in a small world.",
    "Takes each order of messages, timers, crashes and losses within bounds, and tells how many "
    .. "states there are. Bounds that are not given are those of the scenario's `explore`. Exit "
    .. "code 0: all is explored, and nothing wrong. 1: a violation, printed step by step. 2: "
    .. "there is more than --states or --time allow.",
    { "explore scenario.lua --timeouts 2", "explore scenario.lua --crashes 1 --trace found.jsonl" })
  parser:argument("scenario", "A Lua file.")
  arguments.add_integer(parser, "--seed", "Instead of the scenario's own", { argname = "SEED" })
  for _, option in ipairs(OPTIONS) do
    local name, what = table.unpack(option)
    local default = bounds_of.defaults[name]
    local told = default == bounds_of.UNBOUNDED and "no bound" or default
    what = ("%s (default %s)"):format(what, told)
    arguments.add_integer(parser, "--" .. name, what, { argname = "N", min = 0 })
  end
  parser:flag("--no-sleep", "Do without sleep sets: the same states, in more steps.")
  arguments.add_integer(parser, "--time", "Seconds to be spent at most",
    { argname = "SECONDS", min = 1 })
  traces.options(parser)
end

-- The bounds of the scenario, with those of the command line.
local function read_bounds(args, case)
  local given = {}
  for name, value in pairs(case.explore or {}) do given[name] = value end
  for _, option in ipairs(OPTIONS) do
    local name = option[1]
    given[name] = args[name] or given[name]
  end
  if args.no_sleep then given.sleep = false end
  local ok, bounds = pcall(bounds_of.read, given)
  if ok then return bounds end
  if not errors.is(bounds) then error(bounds, 0) end
  errors.raise("input_invalid", "%s: %s", args.scenario, bounds.message)
end

-- Called after each step: draws the line, and ends it when time is up.
local function watcher(args, screen)
  local began, drawn = os.clock(), 0
  return function(found)
    local now = os.clock() - began
    if now - drawn >= DRAW_S then
      drawn = now
      screen:status(("  %s states, %s steps, at most %d in a row; %s states a second"):format(
        thousands(found.states), thousands(found.transitions), found.deepest,
        thousands(math.floor(found.states / now))), now // 10)
    end
    return not (args.time and now >= args.time)
  end
end

local function print_bounds(screen, bounds)
  local texts = {}
  for _, option in ipairs(OPTIONS) do
    local name = option[1]
    if bounds[name] < bounds_of.UNBOUNDED then
      texts[#texts + 1] = ("%s %s"):format(thousands(bounds[name]), name)
    end
  end
  screen:print("up to %s", table.concat(texts, ", "))
end

local function print_found(screen, found, seconds)
  screen:print("%s states in %s steps, %s more that only change places; at most %d in a row",
    thousands(found.states), thousands(found.transitions), thousands(found.slept), found.deepest)
  screen:print("%s states at which nothing more is left, %s at which the depth is used up",
    thousands(found.ends), thousands(found.cut))
  screen:print("%.1f s, %s states a second", seconds,
    thousands(math.floor(found.states / math.max(seconds, 0.001))))
end

-- The path as it stands in the first line of a trace.
local function plain_path(path)
  local steps = {}
  for i, step in ipairs(path) do
    local action = step.action
    steps[i] = { ways = step.ways, action = action and { kind = action.kind, owner = action.owner,
      nth = action.nth, text = action.text } }
  end
  return steps
end

local function write_trace(args, scenario, case, make, bounds, path)
  local file <close> = traces.create(args.trace, scenario, case, args,
    { "bounds", bounds, "path", plain_path(path) })
  local _walk <close> = paths.retrace(make, bounds, path, function(event, world)
    file:observe(event, world)
  end)
  file:finish(_walk.world)
end

local function report(args, screen, scenario, case, make, bounds, found)
  screen:print("")
  for i, line in ipairs(paths.describe(make, bounds, found.path)) do
    screen:print("%3d  %s", i, line)
  end
  screen:print("")
  screen:print("VERDICT %s", tostring(found.verdict))
  local details = found.verdict.traceback or found.verdict.story
  if details then screen:print("%s", details) end
  if not args.trace then return end
  write_trace(args, scenario, case, make, bounds, found.path)
  if args.trace ~= "-" then screen:print("again: jangada lab replay %s", args.trace) end
end

function explore.run(args, cli)
  local scenario = session.load(args.scenario)
  local case = scenario:case(args.seed)
  local bounds, make = read_bounds(args, case), session.maker(scenario, args.seed)
  scenario:world(case):close() -- what is wrong with the scenario is told as for `run`
  local screen = screens.new(args.trace == "-" and io.stderr or nil)
  print_bounds(screen, bounds)
  local began = os.clock()
  local found = explorations.explore(make, bounds, watcher(args, screen))
  screen:clear()
  print_found(screen, found, os.clock() - began)
  if found.verdict then
    report(args, screen, scenario, case, make, bounds, found)
    return session.exit_code({ [verdicts.outcome(found.verdict)] = 1 }, cli)
  elseif not found.is_exhausted then
    screen:print("NOT exhausted: there is more")
    return cli.USAGE
  end
  screen:print("exhausted, no violation")
  return cli.OK
end

return { explore }
