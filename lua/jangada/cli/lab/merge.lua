--- `jangada lab merge`: several files of a campaign's results become one.

local errors = require "jangada.errors"
local report = require "jangada.cli.lab.report"
local results = require "jangada.cli.lab.results"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.lab.session"
local tallies = require "jangada.lab.campaign.tally"
local verdicts = require "jangada.lab.verdict"

local merge = { name = "merge" }

function merge.define(parser)
  session.describe(parser, "Bring the results of several campaigns together.",
    "Reads files that `jangada lab campaign --json` wrote, of the same scenario and the same code, "
    .. "and says what they came to as one campaign would. Where a seed is in several files its "
    .. "results must be the same. Exit codes are those of campaign; 3 too when a seed came out "
    .. "differently.",
    { "merge 1.jsonl 2.jsonl 3.jsonl --json all.jsonl --junit junit.xml" })
  parser:argument("files", "Files of results."):args("+")
  parser:option("--json", "Write all results into one file."):argname("FILE")
  parser:option("--junit", "Write a JUnit file."):argname("FILE")
end

local function check_one(first, header, first_path, path)
  if results.are_one(first, header) then return end
  errors.raise("input_invalid", "%s is not of the same campaign as %s: %s", path, first_path,
    first.duration_ms ~= header.duration_ms and "another --duration was asked for"
    or first.versions ~= header.versions and ("%s, and %s there"):format(header.versions,
      first.versions) or "the code was another")
end

-- A result that says more stands in for one that says nothing of the seed.
local function is_transient(result)
  return result.verdict ~= nil and verdicts.outcome(result.verdict) == "unknown"
    and result.hash == nil
end

-- Adds the results of a file. What came out differently is kept as the first file has it.
local function add(all, by_seed, path, differing)
  for seed, entry in pairs(by_seed) do
    local known = all[seed]
    if not known or is_transient(known.result) then
      all[seed] = { line = entry.line, result = entry.result, path = path }
    elseif known.line ~= entry.line and not is_transient(entry.result) then
      differing[#differing + 1] = { seed = seed, paths = { known.path, path } }
    end
  end
end

function merge.run(args, cli)
  local header, all, differing = nil, {}, {}
  for _, path in ipairs(args.files) do
    local its, by_seed = results.read(path)
    if not its then errors.raise("input_invalid", "%s: there are no results in it", path) end
    header = header or its
    check_one(header, its, args.files[1], path)
    add(all, by_seed, path, differing)
  end
  local tally, screen = tallies.new(), screens.new()
  for _, entry in pairs(all) do tally:add(entry.result) end
  local meta = { scenario = header.scenario }
  report.summary(screen, tally, meta)
  header.first = {}
  if args.json then results.write(args.json, header, all) end
  if args.junit then report.write_junit(args.junit, tally, meta) end
  table.sort(differing, function(a, b) return a.seed < b.seed end)
  for _, case in ipairs(differing) do
    screen:print("seed %d came out differently in %s and %s", case.seed, case.paths[1],
      case.paths[2])
  end
  if #differing > 0 then return cli.FAILURE end
  return session.exit_code(tally.counts, cli)
end

return { merge }
