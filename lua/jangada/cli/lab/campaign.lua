--- `jangada lab campaign`: runs a scenario under many seeds, in several processes, and says which
--- seeds find something.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local pools = require "jangada.cli.lab.pool"
local queues = require "jangada.lab.campaign.queue"
local report = require "jangada.cli.lab.report"
local results = require "jangada.cli.lab.results"
local screens = require "jangada.cli.screen"
local seeds_of = require "jangada.lab.campaign.seeds"
local session = require "jangada.cli.lab.session"
local store = require "jangada.store"
local tallies = require "jangada.lab.campaign.tally"
local units = require "jangada.cli.units"
local whole_file = require "jangada.cli.whole_file"

local streams = store.streams

local campaign = { name = "campaign" }

local DRAW_S <const> = 0.1 -- between two drawings of the progress
local LINE_S <const> = 10  -- between two lines of it, where it cannot be drawn over

local function read_time(text)
  local number, unit = text:match("^(%d+%.?%d*)([smh]?)$")
  number = tonumber(number)
  if not number or number <= 0 then
    return nil, ("--time takes seconds, or minutes as 10m, hours as 2h, not '%s'"):format(text)
  end
  return number * (unit == "h" and 3600 or unit == "m" and 60 or 1)
end

function campaign.define(parser)
  session.describe(parser, "Run a scenario under many seeds, in several processes.",
    "Runs each seed once, in worker processes, and groups what fails by its kind. With --json the "
    .. "results are kept, a line for each seed that is finished: the same campaign goes on where "
    .. "it ended, and one of changed code begins with the seeds that failed. Ctrl-C, or the end of "
    .. "--time, ends it with what it has. Exit code 0: all seeds passed. 1: a violation. 2: none, "
    .. "but for some it is unknown (time, budgets, a worker that died). 3: the harness failed.",
    { "campaign scenario.lua --seeds 1-10000",
      "campaign scenario.lua --seeds 1-10000 --time 10m --json results.jsonl --junit junit.xml",
      "campaign scenario.lua --seeds 1-10000 --shard 3/8 --json 3.jsonl" })
  session.scenario(parser)
  parser:option("--seeds", "A-B, or several of those with commas between (default 1-100).")
    :argname("SEEDS"):default("1-100"):show_default(false)
  parser:option("--shard", "Of the seeds in their order only the I-th and every N-th after it.")
    :argname("I/N")
  arguments.add_integer(parser, "--jobs", "Worker processes; default one for each processor",
    { argname = "N", min = 1, max = 512 })
  parser:option("--time", "Begin no seed after so many seconds; 10m are minutes, 2h hours.")
    :argname("LIMIT"):convert(read_time)
  arguments.add_integer(parser, "--seed-time", "Seconds that one seed may take, by the clock",
    { argname = "SECONDS", default = 60, min = 1, max = 86400 })
  parser:flag("--until-failure", "Begin no seed after the first violation.")
  parser:option("--json", "Keep the results here, and go on from what is there."):argname("FILE")
  parser:flag("--again", "Run seeds again whose results are there; those that failed first.")
  parser:option("--junit", "Write a JUnit file."):argname("FILE")
end

local function processors()
  local pipe <close> = assert(io.popen("nproc 2>/dev/null || getconf _NPROCESSORS_ONLN"))
  return math.tointeger(tonumber(pipe:read("l") or "")) or 1
end

---@class jangada.cli.Campaign
---@field args table
---@field screen jangada.Screen
---@field tally table
---@field known integer seeds whose results were there
---@field total integer seeds in all
---@field file table|nil where results go
---@field pool table
---@field stopped nil|"interrupted"|"time"|"failure"
---@field started_s number
---@field drawn_s number

local function check_result(result)
  if result.verdict and result.verdict.kind == "scenario_invalid" then
    errors.raise("input_invalid", "seed %d: %s", result.seed, result.verdict.message)
  end
end

-- Takes a result of a worker.
local function take(c, told)
  local line = results.line(told)
  local result = results.decode(line, 1)
  check_result(result)
  if c.file then c.file:add(line) end
  local group = c.tally:add(result)
  if group and #group.results == 1 then report.failure(c.screen, group, result) end
  if c.args.until_failure and group and group.outcome == "violation" then
    c.stopped = c.stopped or "failure"
  end
end

local function draw(c, now_s)
  c.drawn_s = now_s
  local took_s = now_s - c.started_s
  local rate = (c.tally.total - c.known) / math.max(took_s, 0.001)
  c.screen:status(report.progress(c.tally, c.total, rate), took_s // LINE_S)
end

local function tick(c)
  local now_s = streams.clock()
  if now_s >= c.drawn_s + DRAW_S then draw(c, now_s) end
  if streams.caught() then
    c.stopped = c.stopped or "interrupted"
  elseif c.args.time and now_s > c.started_s + c.args.time then
    c.stopped = c.stopped or "time"
  end
  if c.stopped then c.pool:stop() end
end

-- What is there of earlier runs: results that need not be made again, and seeds to begin with.
---@return table<integer, boolean> done
---@return integer[] first
---@return boolean|nil is_other results of other code are there
local function resume(args, header, seeds, tally)
  local done, first = {}, {}
  if not args.json then return done, first end
  local before, by_seed, is_whole = results.read(args.json)
  local is_other = before and not results.are_one(header, before)
  local kept
  kept, first = results.plan(header, before, by_seed, args.again)
  -- A file that can be gone on with is left in its place: another campaign may add to it, too.
  if not is_whole or is_other or args.again then
    header.first = first
    results.write(args.json, header, kept)
  end
  for seed, entry in pairs(kept) do
    done[seed] = true
    if seeds:has(seed) then tally:add(entry.result) end
  end
  return done, first, is_other
end

local function announce(screen, args, c, first, is_other)
  screen:print("%s: %s, %s%s", args.scenario, units.count(c.total, "seed"),
    units.count(args.jobs, "worker"), args.shard and ", shard " .. args.shard or "")
  if c.known > 0 then
    screen:print("%s: %s finished before", args.json, units.count(c.known, "seed"))
  end
  if #first > 0 then
    screen:print("%s%s first that did not pass before", is_other and "the code has changed: "
      or "", units.count(#first, "seed"))
  end
end

local WHY <const> = { interrupted = "INTERRUPTED", time = "the time is up",
  failure = "stopped at the first violation" }

local function finish(c, cli)
  c.screen:clear()
  local meta = { scenario = c.args.scenario, seconds = streams.clock() - c.started_s,
    run = c.tally.total - c.known, left = c.total - c.tally.total, why = WHY[c.stopped] }
  report.summary(c.screen, c.tally, meta)
  if c.args.junit then report.write_junit(c.args.junit, c.tally, meta) end
  local code = session.exit_code(c.tally.counts, cli)
  return c.stopped == "interrupted" and code ~= cli.VIOLATION and cli.INTERRUPTED or code
end

function campaign.run(args, cli)
  args.jobs = args.jobs or processors()
  local seeds = seeds_of.parse(args.seeds, args.shard)
  if seeds.count == 0 then errors.raise("input_invalid", "the shard has no seeds") end
  local scenario = session.load(args.scenario)
  local code = scenario:digest(scenario:case(seeds:each()()))
  local header = results.header(args.scenario, code, args.duration)
  if args.junit then whole_file.check(args.junit) end
  local tally, screen = tallies.new(), screens.new()
  streams.catch()
  local done, first, is_other = resume(args, header, seeds, tally)
  local file <close> = args.json and results.append(args.json) or nil
  local now_s = streams.clock()
  local c = { args = args, screen = screen, tally = tally, known = tally.total,
    total = seeds.count, file = file, stopped = nil, started_s = now_s, drawn_s = now_s }
  announce(screen, args, c, first, is_other)
  local pool <close> = pools.new(queues.new(seeds, done, first), args)
  c.pool = pool
  pool:run(function(told) take(c, told) end, function() tick(c) end)
  return finish(c, cli)
end

return { campaign }
