--- `jangada log list`, `stats` and `verify`: what logs there are, what is in them, and whether all
--- of it is right.

local Log = require "jangada.log"
local arguments = require "jangada.cli.arguments"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.log.session"
local units = require "jangada.cli.units"

local thousands = screens.thousands

---------------------------------------------------------------------------------------------------
-- list

local list = { name = "list" }

function list.define(parser)
  session.describe(parser, "List the logs of a file.",
    "Lists all logs of a file, with their bounds and sizes.",
    { "list my.db", "list my.db --json" })
  session.file(parser)
  session.json(parser, "Print a JSON object a line.")
  session.opening(parser)
end

function list.run(args, cli)
  local db <close> = session.open_to_read(args)
  local rows = {}
  session.print(function(out)
    for _, names in ipairs(session.list(db)) do
      local stats = Log.open(db, names):stats()
      if args.json then
        out:write(json.encode(json.object("log", names, "first", stats.first, "last", stats.last,
          "entries", stats.entries, "bytes", stats.bytes, "term", stats.term,
          "commit", stats.commit)), "\n")
      else
        rows[#rows + 1] = { format.encode_path(names), thousands(stats.first),
          thousands(stats.last), thousands(stats.entries), units.size(stats.bytes),
          thousands(stats.term), thousands(stats.commit) }
      end
    end
    if #rows > 0 then
      session.table(out, { "log", "first", "last", "entries", "data", "term", "commit" }, rows,
        { [2] = true, [3] = true, [4] = true, [5] = true, [6] = true, [7] = true })
    elseif not args.json then
      out:write(("%s: there is no log\n"):format(args.file))
    end
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- stats

local stats = { name = "stats" }

function stats.define(parser)
  session.describe(parser, "Tell what is in a log.",
    "Tells bounds, sizes, hard state and snapshot of a log. Nothing is counted for it, however "
    .. "long the log is.",
    { "stats my.db", "stats my.db --log groups/17 --json" })
  session.file(parser)
  session.log_option(parser)
  session.json(parser, "Print one JSON object.")
  session.opening(parser)
end

local function stats_object(names, counts, snapshot, series)
  return json.present("log", names, "first", counts.first, "last", counts.last,
    "entries", counts.entries, "bytes", counts.bytes, "position", counts.position,
    "terms", counts.terms, "term", counts.term, "vote", counts.vote, "commit", counts.commit,
    "applied", counts.applied, "compactions", counts.compactions,
    "snapshot", snapshot and json.object("index", snapshot.index, "term", snapshot.term,
      "size", snapshot.size, "info", snapshot.info), "series", series)
end

local function snapshot_text(snapshot, form)
  if not snapshot then return "none" end
  local text = ("up to entry %s of term %s, %s"):format(thousands(snapshot.index),
    thousands(snapshot.term),
    snapshot.size > 0 and units.size(snapshot.size) .. " of data" or "without data")
  return text, snapshot.info ~= "" and form.encode(snapshot.info) or nil
end

local function stats_lines(names, counts, snapshot, series)
  local form = format.named("text")
  local range = counts.entries == 0 and "none; the next index is " .. thousands(counts.last + 1)
    or ("%s: %s to %s, of %s"):format(thousands(counts.entries), thousands(counts.first),
      thousands(counts.last), units.count(counts.terms, "term"))
  local vote = counts.vote and ("%s, voted for %s"):format(thousands(counts.term),
    form.encode(counts.vote)) or thousands(counts.term)
  local covers, info = snapshot_text(snapshot, form)
  local lines = {
    { "log", format.encode_path(names) }, { "entries", range },
    { "data", units.size(counts.bytes) }, { "term", vote },
    { "commit", thousands(counts.commit) }, { "applied", thousands(counts.applied) },
    { "snapshot", covers },
  }
  if info then lines[#lines + 1] = { "", info } end
  if counts.compactions > 0 then
    lines[#lines + 1] = { "compacted", ("%s, up to entry %s"):format(
      units.count(counts.compactions, "time"), thousands(counts.first - 1)) }
  end
  for i, name in ipairs(series) do
    lines[#lines + 1] = { i == 1 and "series" or "", form.encode(name) }
  end
  return lines
end

function stats.run(args, cli)
  local db <close> = session.open_to_read(args)
  local log, names = session.log(db, args), session.names(args)
  local counts, snapshot, series = log:stats(), log:snapshot(), log:series_names()
  if args.json then
    session.print_json(stats_object(names, counts, snapshot, series))
    return cli.OK
  end
  session.print(function(out)
    for _, line in ipairs(stats_lines(names, counts, snapshot, series)) do
      out:write(("%-9s  %s\n"):format(line[1], line[2]))
    end
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- verify

local verify = { name = "verify" }

function verify.define(parser)
  session.describe(parser, "Look for damage, entry by entry.",
    "Reads every entry and every record of a log: checksums, terms, indices, positions, chunks of "
    .. "the snapshot, and whether all of it fits together. Exit code 0: nothing is wrong. 1: the "
    .. "log is damaged.",
    { "verify my.db", "verify my.db --all", "verify my.db --json" })
  session.file(parser)
  session.log_option(parser)
  parser:flag("--all", "All logs of the file.")
  arguments.add_integer(parser, "--findings-max", "Stop after so many findings in a log",
    { argname = "N", default = 100, min = 1, max = 1000000 })
  session.json(parser, "Print a JSON object for each log.")
  session.opening(parser)
end

-- The findings of one log, and how many entries it has.
local function examine(args, db, names)
  local show, done = session.progress(args)
  local entries = 0
  local ok, findings = pcall(Log.verify_in, db, names, { findings_max = args.findings_max,
    progress = function(at, total)
      entries = total
      show(at, total, ("%s of %s read"):format(thousands(at),
        units.count(total, "entry", "entries")))
    end })
  done()
  if not ok then error(findings, 0) end
  return findings, entries
end

local function print_findings(args, out, names, findings)
  local form, rows = format.named("text"), {}
  for i, finding in ipairs(findings) do
    local key = finding.key and #finding.key > 20 and finding.key:sub(1, 18) .. ".." or finding.key
    rows[i] = { finding.index or key and form.encode(key) or "-", finding.code, finding.message }
  end
  session.table(out, { "entry or record", "code", "message" }, rows)
  out:write(("\n%s: log %s: damaged: %s%s\n"):format(args.file, format.encode_path(names),
    units.count(#findings, "finding"),
    #findings >= args.findings_max and ", and perhaps more (--findings-max)" or ""))
end

local function print_object(out, names, findings, entries)
  local objects = {}
  for i, finding in ipairs(findings) do
    objects[i] = json.present("code", finding.code, "index", finding.index, "key", finding.key,
      "message", finding.message)
  end
  out:write(json.encode(json.object("log", names, "clean", #findings == 0, "entries", entries,
    "findings", objects)), "\n")
end

function verify.run(args, cli)
  local db <close> = session.open_to_read(args)
  local all = args.all and session.list(db) or { session.check_log(db, args) }
  local is_clean = true
  session.print(function(out)
    for _, names in ipairs(all) do
      local findings, entries = examine(args, db, names)
      is_clean = is_clean and #findings == 0
      if args.json then
        print_object(out, names, findings, entries)
      elseif #findings > 0 then
        print_findings(args, out, names, findings)
      else
        out:write(("%s: log %s: clean (%s)\n"):format(args.file, format.encode_path(names),
          units.count(entries, "entry", "entries")))
      end
    end
  end)
  return is_clean and cli.OK or cli.VIOLATION
end

return { list, stats, verify }
