--- `jangada lab novelty`: run after run, of new seeds and of changed plans of those that have shown
--- something new.

local arguments = require "jangada.cli.arguments"
local faults = require "jangada.lab.faults"
local novelties = require "jangada.lab.novelty"
local scenarios = require "jangada.lab.scenario"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.lab.session"
local traces = require "jangada.cli.lab.traces"
local verdicts = require "jangada.lab.verdict"

local thousands = screens.thousands

local novelty = { name = "novelty" }

local RUNS <const> = 1000
local MARKS <const> = 10 -- lines on the way, where none can be drawn over

function novelty.define(parser)
  session.describe(parser, "Run after run, going on from what has shown something new.",
    "Half of the runs are of new seeds, half of seeds that have shown an abstract state for the "
    .. "first time, with their faults changed a little. Ends with the first violation. Exit code "
    .. "0: none was found. 1: a violation, with the faults that have led to it.",
    { "novelty scenario.lua --runs 5000", "novelty scenario.lua --seed 7 --trace found.jsonl" })
  session.scenario(parser)
  arguments.add_integer(parser, "--runs", "How many", { argname = "N", default = RUNS, min = 1 })
  arguments.add_integer(parser, "--seed", "What all is drawn from, and the first run's",
    { argname = "SEED", default = 1 })
  arguments.add_integer(parser, "--time", "Seconds to be spent at most",
    { argname = "SECONDS", min = 1 })
  traces.options(parser)
end

local function tell(found)
  return ("%s runs, %s abstract states; kept %s, %s of them of changed plans"):format(
    thousands(found.runs), thousands(found.states), thousands(#found.corpus),
    thousands(found.changed))
end

-- Runs what was found once more, and writes it down.
local function write_trace(args, scenario, case)
  local file <close> = traces.create(args.trace, scenario, case, args, { "changed_plan", true })
  local observe = case.options.observe
  case.options.observe = function(event, world)
    file:observe(event, world)
    if observe then observe(event, world) end
  end
  local world <close> = scenario:world(case)
  scenarios.run(case, world)
  file:finish(world)
end

local function report(args, screen, scenario, found)
  screen:print("VERDICT %s", tostring(found.verdict))
  local details = found.verdict.traceback or found.verdict.story
  if details then screen:print("%s", details) end
  screen:print("")
  screen:print("seed = %d, faults = %s", found.seed, faults.format(found.plan))
  if not args.trace then return end
  local case = session.case(scenario, found.seed, args)
  case.options.faults = found.plan
  write_trace(args, scenario, case)
  if args.trace ~= "-" then screen:print("again: jangada lab replay %s", args.trace) end
end

function novelty.run(args, cli)
  local scenario = session.load(args.scenario)
  local screen = screens.new(args.trace == "-" and io.stderr or nil)
  scenario:world(session.case(scenario, args.seed, args)):close()
  local began = os.clock()
  local found = novelties.search(function(seed) return session.case(scenario, seed, args) end,
    { seed = args.seed, runs = args.runs }, function(so_far)
      screen:status("  " .. tell(so_far), so_far.runs * MARKS // args.runs)
      return not (args.time and os.clock() - began >= args.time)
    end)
  screen:clear()
  screen:print("%s", tell(found))
  if not found.verdict then
    screen:print("no violation")
    return cli.OK
  end
  report(args, screen, scenario, found)
  return session.exit_code({ [verdicts.outcome(found.verdict)] = 1 }, cli)
end

return { novelty }
