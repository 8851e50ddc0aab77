--- `jangada lab run SCENARIO`: runs a scenario, and says how it went.
--
-- A scenario is a Lua file that returns the options of lab.new, and besides:
--
--     duration_ms   how long to run, in simulated time (10000)
--     script        function(world): runs the world itself, instead of duration_ms

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local lab = require "jangada.lab"
local screens = require "jangada.cli.screen"

local thousands = screens.thousands

local command = {}

local DURATION_MS <const> = 10000

function command.define(parser)
  parser:summary("Run consensus logic in a deterministic world.")
  parser:require_command(true):command_target("lab_command")
  local run = parser:command("run", "Run a scenario once.")
  run:description("A scenario is a Lua file that returns a table of lab.new's options, with "
    .. "duration_ms (10000) or script = function(world). Exit code 0: nothing wrong. 1: a verdict. "
    .. "2: the scenario cannot be used.")
  run:argument("scenario", "A Lua file.")
  run:option("--seed", "Instead of the scenario's own."):convert(arguments.integer("--seed"))
  run:option("--duration", "Milliseconds of simulated time, instead of the scenario's own.")
    :convert(arguments.integer("--duration"))
  run:flag("--quiet", "Print only the result.")
end

local function load_scenario(path)
  local chunk, message = loadfile(path, "t")
  if not chunk then errors.raise("input_invalid", "%s", message) end
  local ok, scenario = xpcall(chunk, debug.traceback)
  if not ok then errors.raise("input_invalid", "%s: %s", path, tostring(scenario)) end
  if type(scenario) ~= "table" then
    errors.raise("input_invalid", "%s: a scenario returns a table, not a %s", path, type(scenario))
  end
  return scenario
end

-- One line for what a person wants to see of a run; nil for all that only fills it.
local function describe(event)
  if event.kind == "trace" then
    local fields = {}
    for name, value in pairs(event.fields or {}) do
      fields[#fields + 1] = ("%s=%s"):format(name, tostring(value))
    end
    table.sort(fields)
    return ("%-9s %s %s"):format(event.node, event.name, table.concat(fields, " "))
  elseif event.kind == "print" then
    return ("%-9s prints: %s"):format(event.node, event.text)
  elseif event.kind == "crash" or event.kind == "boot" or event.kind == "pause"
    or event.kind == "resume" then
    return ("%-9s %s"):format(event.node, event.kind:upper())
  elseif event.kind == "partition" then
    local groups = {}
    for i, group in ipairs(event.groups) do groups[i] = table.concat(group, " ") end
    return "network   PARTITION " .. table.concat(groups, " | ")
  elseif event.kind == "heal" then
    return "network   HEAL"
  end
  return nil
end

local function print_result(screen, world, clients)
  local rows = {}
  for i, machine in ipairs(world.nodes) do
    local fields = {}
    if type(machine.state) == "table" then
      for name, value in pairs(machine.state) do
        if type(value) ~= "table" then fields[#fields + 1] = ("%s=%s"):format(name, value) end
      end
    end
    table.sort(fields)
    rows[i] = { machine.id, machine.up and "up" or "down", machine.boots,
      table.concat(fields, " ") }
  end
  screen:print("")
  screen:table({ "node", "is", "boots", "state" }, rows)
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
    if world.verdict.traceback then screen:print("%s", world.verdict.traceback) end
  else
    screen:print("no violation")
  end
end

local function run(args, cli)
  local scenario = load_scenario(args.scenario)
  local duration_ms = args.duration or scenario.duration_ms or DURATION_MS
  local script = scenario.script
  if script ~= nil and type(script) ~= "function" then
    errors.raise("input_invalid", "%s: script is a function, not a %s", args.scenario, type(script))
  end
  local screen = screens.new()
  scenario.duration_ms, scenario.script = nil, nil
  scenario.seed = args.seed or scenario.seed
  local observe = scenario.observe
  if not args.quiet then
    scenario.observe = function(event)
      local text = describe(event)
      if text then screen:print("%10.3f s  %s", event.time_us / 1e6, text) end
      if observe then observe(event) end
    end
  end
  local ok, made = pcall(lab.new, scenario)
  if not ok then
    if not errors.is(made) then error(made, 0) end
    errors.raise("input_invalid", "%s: %s", args.scenario, made.message)
  end
  local world <close> = made
  if script then script(world) else world:run(duration_ms) end
  print_result(screen, world, scenario.clients or {})
  return world.verdict and cli.VIOLATION or cli.OK
end

--- Runs the subcommand.
---@param args table
---@param cli table the exit codes
---@return integer exit code
function command.run(args, cli)
  return run(args, cli)
end

return command
