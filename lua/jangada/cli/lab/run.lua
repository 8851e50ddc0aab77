--- `jangada lab run`: runs a scenario once, and says how it went.

local arguments = require "jangada.cli.arguments"
local files = require "jangada.files"
local saving = require "jangada.cli.lab.saving"
local scenarios = require "jangada.lab.scenario"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.lab.session"
local story = require "jangada.cli.lab.story"
local tla = require "jangada.cli.lab.tla"
local traces = require "jangada.cli.lab.traces"
local verdicts = require "jangada.lab.verdict"

local thousands = screens.thousands

local run = { name = "run" }

function run.define(parser)
  session.describe(parser, "Run a scenario once.",
    "Prints elections, crashes and partitions as they happen, then each node's state, the counts "
    .. "and the trace hash.",
    { "run scenario.lua --seed 7", "run by_hand.scenario",
      "run scenario.lua --seed 7 --trace 7.jsonl",
      "run scenario.lua --prove" })
  session.scenario(parser)
  arguments.add_integer(parser, "--seed", "Instead of the scenario's own", { argname = "SEED" })
  traces.options(parser)
  parser:option("--tla", "Write the run of a Raft in the shape of etcd's TLA+ trace validation.")
    :argname("FILE")
  parser:flag("--prove", "Run the seed again in a second process, and compare step by step.")
  parser:option("--save", "Write the run as a scenario of its own, with its plan of faults: to be "
    .. "edited and run again."):argname("FILE")
  parser:flag("--quiet", "Print only the result.")
end

local function print_result(screen, world, clients)
  screen:print("")
  story.nodes(screen, world)
  screen:print("")
  screen:print("%s events, %.3f s of simulated time; %s messages sent, %s delivered, %s lost",
    thousands(world.events), world.time_us / 1e6, thousands(world.sent), thousands(world.delivered),
    thousands(world.lost))
  screen:print("seed %d, trace hash %s", world.seed, world:hash())
  for i, client in ipairs(clients) do
    if type(client) == "table" and client.acknowledged then
      screen:print("client c%d: %s commands acknowledged, %s", i, thousands(client.acknowledged),
        client.done and "which is all" or "NOT all there are")
    end
  end
  if world.verdict then
    screen:print("VERDICT %s", tostring(world.verdict))
    local details = world.verdict.traceback or world.verdict.story
    if details then screen:print("%s", details) end
  else
    screen:print("no violation")
  end
end

-- What is called with each event: what the scenario observes, what is printed, what is recorded.
local function observer(args, screen, observe, file_list)
  return function(event, world)
    if not args.quiet then story.event(screen, event) end
    for _, file in ipairs(file_list) do file:observe(event, world) end
    if observe then observe(event, world) end
  end
end

-- Writes the run down.
local function save(args, screen, scenario, case, world)
  local edit = { seed = case.seed, faults = world.plan, duration_ms = args.duration }
  local is_alone = saving.write(args.save, { scenario = scenario, base_seed = case.seed,
    edit = edit, outcome = { hash = world:hash() } }, case,
    { ("%s, seed %d: to be edited, and run by jangada lab run %s"):format(scenario.path, case.seed,
      files.word(args.save)) })
  screen:print("%s: the run as a scenario%s", args.save, is_alone and ""
    or (", which needs %s"):format(scenario.path))
end

local function perform(args, cli, screen, scenario, case, file_list)
  local observe = case.options.observe
  if not args.quiet or #file_list > 0 then
    case.options.observe = observer(args, screen, observe, file_list)
  end
  if args.save then saving.listen(case) end
  local world <close> = scenario:world(case)
  scenarios.run(case, world)
  for _, file in ipairs(file_list) do file:finish(world) end
  print_result(screen, world, case.options.clients or {})
  if args.save then save(args, screen, scenario, case, world) end
  return session.exit_code({ [verdicts.outcome(world.verdict)] = 1 }, cli)
end

-- In a second process: prints whether it is the same run, and gives the exit code.
local function prove(path, cli, screen)
  screen:print("")
  local pipe <close> = assert(io.popen(session.command("lab", "replay", path)))
  for line in pipe:lines() do screen:print("second process: %s", line) end
  local _, kind, code = pipe:close()
  return kind == "exit" and code or cli.FAILURE
end

function run.run(args, cli)
  local scenario = session.load(args.scenario)
  local case = session.case(scenario, args.seed, args)
  local screen = screens.new(args.trace == "-" and io.stderr or nil)
  local tla_file <close> = args.tla and tla.create(args.tla) or nil
  if not args.trace and not args.prove then
    return perform(args, cli, screen, scenario, case, { tla_file })
  end
  local path = args.trace or files.make_temporary("jangada-trace") .. "/trace.jsonl"
  local _temporary <close> = setmetatable({}, { __close = function()
    if args.trace then return end
    os.remove(path)
    os.remove((path:gsub("/[^/]*$", "")))
  end })
  local code
  do
    local file <close> = traces.create(path, scenario, case, args)
    code = perform(args, cli, screen, scenario, case, { file, tla_file })
  end
  if not args.prove then return code end
  local second = prove(path, cli, screen)
  return second ~= cli.OK and second or code
end

return { run }
