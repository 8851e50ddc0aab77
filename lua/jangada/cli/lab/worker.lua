--- `jangada lab worker`: runs seeds of a campaign in a process of its own. jangada.cli.lab.pool
--- starts it.
--
-- It tells on descriptor 3, a line each: that it is ready, then what each seed came to, in the
-- order in which they were asked for. What scenario and protocol print goes nowhere.

local arguments = require "jangada.cli.arguments"
local environment = require "jangada.node.environment"
local errors = require "jangada.errors"
local lines = require "jangada.cli.lab.lines"
local scenarios = require "jangada.lab.scenario"
local seeds = require "jangada.lab.campaign.seeds"
local session = require "jangada.cli.lab.session"
local store = require "jangada.store"
local verdicts = require "jangada.lab.verdict"

local streams = store.streams

local worker = { name = "worker" }

local TEXT_MAX <const> = 4000 -- of a message or a traceback: a campaign keeps many

function worker.define(parser)
  parser:hidden(true)
  session.scenario(parser)
  parser:option("--seeds")
  arguments.add_integer(parser, "--seed-time", "", { argname = "SECONDS", min = 1 })
end

local function shorten(text)
  if not text or #text <= TEXT_MAX then return text end
  return text:sub(1, TEXT_MAX) .. "..."
end

-- How often each mark was reached; 0 for those that could have been.
local function count_marks(case, world)
  local counts = {}
  for _, name in ipairs(scenarios.marks(case, world)) do counts[name] = 0 end
  for name, count in pairs(world.marks) do counts[name] = count end
  return counts
end

local function describe(verdict)
  if not verdict then return nil end
  return { kind = verdict.kind, name = verdict.name, node = verdict.node, code = verdict.code,
    time_us = verdict.time_us, message = shorten(verdict.message),
    traceback = shorten(verdict.traceback) }
end

local function run(scenario, seed, args)
  local case = session.case(scenario, seed, args)
  local world <close> = scenario:world(case)
  scenarios.run(case, world)
  return table.pack("seed", seed, "hash", world:hash(), "events", world.events,
    "time_us", world.time_us, "hopeless", world.hopeless or nil,
    "marks", count_marks(case, world),
    "verdict", describe(world.verdict))
end

local function failed(seed, kind, message, traceback)
  return { "seed", seed, "verdict", { kind = kind, message = shorten(message),
    traceback = shorten(traceback) } }
end

-- What a seed came to, and whether this process can go on; nil if a signal came in the middle of
-- it: what it waited for then may have failed for no other reason.
local function result_of(scenario, seed, args)
  local ok, result
  local is_in_time, where = streams.limit(args.seed_time, function()
    ok, result = xpcall(run, function(failure)
      if errors.is(failure) then return failure end
      return { text = tostring(failure), traceback = debug.traceback(tostring(failure), 2) }
    end, scenario, seed, args)
  end)
  if not is_in_time then
    environment.leave() -- it may have been in the middle of a turn
    return failed(seed, "time_exceeded", ("the seed took more than %d s"):format(args.seed_time),
      verdicts.own_part(where)), false
  elseif ok then
    return result, true
  elseif streams.caught() then
    return nil, false
  elseif errors.is(result, "input_invalid") then
    return failed(seed, "scenario_invalid", result.message), true
  elseif errors.is(result) then
    return failed(seed, "scenario_failed", tostring(result)), true
  end
  return failed(seed, "scenario_failed", result.text, result.traceback), true
end

function worker.run(args, cli)
  streams.catch()
  local out <close> = assert(io.open("/dev/fd/3", "w"))
  out:setvbuf("full", 1 << 16)
  local scenario = session.load(args.scenario)
  out:write("ready\n"):flush()
  for seed in seeds.parse(args.seeds):each() do
    if streams.caught() then break end
    local row, goes_on = result_of(scenario, seed, args)
    if not row then break end
    out:write(lines.row(row), "\n")
    if not out:flush() or not goes_on then break end -- nobody listens; it is not to go on
  end
  return cli.OK
end

return { worker }
