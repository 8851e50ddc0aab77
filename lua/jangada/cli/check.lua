--- `jangada check FILE`: whether a history is linearizable.

local arguments = require "jangada.cli.arguments"
local check = require "jangada.check"
local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local json_reader = require "jangada.cli.json_reader"
local reading = require "jangada.cli.check.reading"
local screens = require "jangada.cli.screen"

local command = {}

-- Exit codes: 3 for whatever cannot be used, too, since 2 is a verdict.
local LINEARIZABLE <const>, NOT_LINEARIZABLE <const>, UNKNOWN <const> = 0, 1, 2
command.USAGE = 3

local CODES <const> = { linearizable = LINEARIZABLE, not_linearizable = NOT_LINEARIZABLE,
  unknown = UNKNOWN }

function command.define(parser)
  parser:summary("Tell whether a history is linearizable.")
  parser:description("A history is a file of events, one a line: "
    .. '{"process":0,"type":"invoke","f":"read","key":"x","value":null,"time":12}, type being '
    .. "invoke, ok, fail or info. Jepsen's EDN and its log are read, too. Exit code 0: "
    .. "linearizable. 1: not. 2: not known. 3: the history or the arguments cannot be used.")
  parser:argument("file", "The history; - for standard input.")
  parser:option("--model", "register, cas-register, kv, list, mutex or queue, or a Lua file that "
    .. "returns a model."):argname("NAME"):count(1)
  parser:option("--initial", "What is there at the beginning, in JSON."):argname("VALUE")
  parser:option("--failed-cas", "What a failed cas without an error means: that it did not "
    .. "happen (removed, the default) or that it found another value (mismatch, the default for a "
    .. "log)."):argname("MEANING")
    :choices{ "removed", "mismatch" }
  parser:option("--format", "json, edn or log, instead of what the file looks like.")
    :argname("FORMAT"):choices(reading.formats)
  parser:flag("--independent", "Each value is [key, value], as in Jepsen's independent tests.")
  parser:flag("--by-time", "Order the events by their time first.")
  arguments.add_integer(parser, "--budget", "Steps of the model", { argname = "STEPS",
    default = check.STEPS_MAX, min = 1 })
  arguments.add_integer(parser, "--memory", "MiB that may be remembered", { argname = "MIB",
    default = check.MEMORY_MAX >> 20, min = 1, max = 1 << 20 })
  parser:flag("--json", "Print the result as one JSON object.")
end

local function read_file(path)
  local file, message = io.stdin, nil
  if path ~= "-" then file, message = io.open(path, "rb") end
  if not file then errors.raise("history_invalid", "%s", message) end
  local _guard <close> = file
  local text, failure = file:read("a")
  if not text then errors.raise("history_invalid", "%s: %s", path, failure) end
  return text
end

-- A model's name, or a file that returns one.
local function load_model(name)
  for _, known in ipairs(check.models) do
    if name == known then return name end
  end
  if not name:find("[./]") then return name end -- which check.run refuses, with the names
  local chunk, message = loadfile(name, "t")
  if not chunk then errors.raise("model_invalid", "%s", message) end
  local ok, model = xpcall(chunk, debug.traceback)
  if not ok then errors.raise("model_invalid", "%s: %s", name, tostring(model)) end
  return model
end

local function initial_value(text)
  if not text then return nil end
  local ok, value = pcall(json_reader.decode, text, 1)
  if not ok then errors.raise("history_invalid", "--initial %s: %s", text, value.message) end
  if value == json.null then return nil end
  return value
end

-- A progress line, on a terminal; it comes after a while, and goes at the end.
local SOON_S <const> = 0.5

local function make_progress()
  local screen = screens.new(io.stderr)
  if not screen.is_terminal then return nil, function() end end
  local begin, is_shown = os.clock(), false
  return function(done, total, steps)
    if os.clock() - begin < SOON_S then return end
    is_shown = true
    screen:progress(done, total, ("%d of %d keys, %s steps"):format(done, total,
      screens.thousands(steps)))
  end, function()
    if is_shown then screen:clear() end
  end
end

local function operation_object(result, operation)
  return json.present("index", operation.index, "process", operation.process, "operation",
    result.model.describe(operation), "key", operation.key, "known", operation.known,
    "line", operation.line, "line_returned", operation.line_returned, "time", operation.time,
    "time_returned", operation.time_returned)
end

local function indexes(operations)
  local list = {}
  for i, operation in ipairs(operations) do list[i] = operation.index end
  return list
end

local function failure_object(result)
  local failure = result.failure
  if not failure then return nil end
  local endings, core, sources = {}, {}, {}
  for i, ending in ipairs(failure.endings) do
    endings[i] = json.object("state", result.model.show(ending.state), "order",
      indexes(ending.order))
  end
  for i, operation in ipairs(failure.core) do core[i] = operation_object(result, operation) end
  for operation in pairs(failure.sources) do sources[#sources + 1] = operation end
  table.sort(sources, function(a, b) return a.index < b.index end)
  for i, operation in ipairs(sources) do sources[i] = operation_object(result, operation) end
  return json.present("key", failure.key, "operation", operation_object(result, failure.operation),
    "endings", endings, "core", core, "sources", sources)
end

local function result_object(result)
  local parts = {}
  for i, part in ipairs(result.parts) do
    parts[i] = json.present("key", part.key, "operations", #part.operations, "steps", part.steps,
      "linearizable", part.verdict, "out_of", part.reason, "order",
      part.order and indexes(part.order))
  end
  return json.present("verdict", result.verdict, "model", result.model.name, "operations",
    result.operations, "unknown", result.unknown, "removed", result.removed, "removed_cas",
    result.removed_cas, "steps", result.steps, "failure", failure_object(result), "parts", parts)
end

local function run(args)
  local events, format = reading.events(read_file(args.file), args.format, args.independent)
  local progress, finish = make_progress()
  local result = check.run(events, {
    model = load_model(args.model), initial = initial_value(args.initial),
    failed_cas = args.failed_cas or format == "log" and "mismatch" or nil,
    by_time = args.by_time, steps_max = args.budget, memory_max = args.memory << 20,
    progress = progress,
  })
  finish()
  print(args.json and json.encode(result_object(result)) or check.explain(result))
  return CODES[result.verdict]
end

--- Runs the subcommand.
---@param args table
---@return integer exit code
function command.run(args)
  return run(args)
end

return command
