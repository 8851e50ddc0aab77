--- `jangada lab shrink`: makes a run that fails smaller, and writes it down as a scenario.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local files = require "jangada.files"
local results = require "jangada.cli.lab.results"
local saving = require "jangada.cli.lab.saving"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.lab.session"
local shrinking = require "jangada.lab.shrink"
local store = require "jangada.store"
local stories = require "jangada.lab.story"
local units = require "jangada.cli.units"
local verdicts = require "jangada.lab.verdict"

local streams = store.streams

local shrink = { name = "shrink" }

local DRAW_S <const> = 0.1  -- between two drawings of the progress
local STORY_MAX <const> = 30 -- steps in the file

function shrink.define(parser)
  session.describe(parser, "Make a run that fails smaller.",
    "Looks for a run with fewer nodes, shorter, with fewer faults, fewer requests of clients and "
    .. "calmer messages that fails in the same way, and writes it down: a scenario that `jangada "
    .. "lab run` runs, with the last steps that led to the violation in words. Instead of a "
    .. "scenario it takes the results of a campaign: the first seed that violates something. "
    .. "Ctrl-C, or the end of --time, ends it with what it has. Exit code 0: done. 2: there is no "
    .. "violation, or the scenario cannot be used. 3: it could not be done. 130: interrupted.",
    { "shrink scenario.lua --seed 17", "shrink results.jsonl --output small.lua" })
  session.scenario(parser)
  arguments.add_integer(parser, "--seed", "Instead of the scenario's own, or of the first that "
    .. "violates something", { argname = "SEED" })
  parser:option("--output", "Where the smaller run is written; - is standard output "
    .. "(default shrunk.lua)."):argname("FILE"):default("shrunk.lua"):show_default(false)
  arguments.add_integer(parser, "--time", "Seconds that it may take", { argname = "SECONDS",
    default = 9, min = 1, max = 86400 })
end

-- Whether a file is that of a campaign's results.
local function is_results(path)
  local file <close> = io.open(path, "rb")
  return file ~= nil and file:read(1) == "{"
end

-- The scenario and the seed that the results of a campaign name.
local function choose(args)
  if not is_results(args.scenario) then return args.scenario, args.seed, args.duration end
  local header, by_seed = results.read(args.scenario)
  if not header then errors.raise("input_invalid", "%s: there are no results", args.scenario) end
  local seed = args.seed
  for number, entry in pairs(seed and {} or by_seed) do
    if verdicts.outcome(entry.result.verdict) == "violation" and (not seed or number < seed) then
      seed = number
    end
  end
  if not seed then
    errors.raise("input_invalid", "%s: no seed in it violates anything", args.scenario)
  end
  return header.scenario, seed, args.duration or header.duration_ms
end

-- Messages are those that arrived, of all that were sent.
local function facts(edit, outcome)
  return ("%s, %.0f ms, %s, %s, %s of %d"):format(units.count(outcome.nodes, "node"),
    outcome.time_us / 1000, units.count(#edit.faults, "fault"),
    units.count(outcome.requests, "request"), units.count(outcome.delivered, "message"),
    outcome.sent)
end

-- Draws what is being tried, and how small it has become.
local function progress(screen)
  local drawn_s = 0
  return function(shrinker)
    local now_s = streams.clock()
    if now_s < drawn_s + DRAW_S then return end
    drawn_s = now_s
    screen:status(("  %d tries, %s: %s"):format(shrinker.tries, shrinker.step or "",
      facts(shrinker.edit, shrinker.outcome)), shrinker.step)
  end
end

local ENDED <const> = { time = "; the time is up", tries = "; it has tried enough",
  stopped = "; INTERRUPTED" }

local function head_of(shrunk, story, path)
  local lines = { tostring(shrunk.outcome.verdict), "",
    ("Made from %s, seed %d, which fails in the same way:"):format(shrunk.scenario.path,
      shrunk.base_seed),
    "  before  " .. facts({ faults = shrunk.first.plan }, shrunk.first),
    "  now     " .. facts(shrunk.edit, shrunk.outcome), "",
    ("Run it: jangada lab run %s"):format(path == "-" and "FILE" or files.word(path)), "",
    "How it came to this:" }
  return table.move(story:lines(STORY_MAX), 1, STORY_MAX + 1, #lines + 1, lines)
end

local function tell(screen, shrunk, story)
  screen:clear()
  screen:print("before  %s", facts({ faults = shrunk.first.plan }, shrunk.first))
  screen:print("now     %s", facts(shrunk.edit, shrunk.outcome))
  screen:print("%s in %.1f s%s", units.count(shrunk.tries, "try", "tries"), shrunk.seconds,
    ENDED[shrunk.ended] or "")
  screen:print("")
  for _, line in ipairs(story:lines(STORY_MAX)) do screen:print("%s", line) end
  screen:print("")
  screen:print("VERDICT %s", tostring(shrunk.outcome.verdict))
end

function shrink.run(args, cli)
  local path, seed, duration_ms = choose(args)
  local scenario = session.load(path)
  local screen = screens.new(args.output == "-" and io.stderr or nil)
  streams.catch()
  local shrunk = shrinking.run(scenario, seed, { time_s = args.time, duration_ms = duration_ms,
    progress = progress(screen), stop = streams.caught })
  local story = stories.new()
  local _, case = shrunk:observe(function(event) story:observe(event) end)
  local is_alone = saving.write(args.output, shrunk, case, head_of(shrunk, story, args.output))
  tell(screen, shrunk, story)
  if args.output ~= "-" then
    screen:print("%s: jangada lab run %s%s", args.output, files.word(args.output),
      is_alone and "" or (", which needs %s"):format(scenario.path))
  end
  return shrunk.ended == "stopped" and cli.INTERRUPTED or cli.OK
end

return { shrink }
