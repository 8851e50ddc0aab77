--- `jangada log compact` and `copy`: a shorter log, and another one like it.

local Log = require "jangada.log"
local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local new_file = require "jangada.cli.new_file"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.log.session"
local units = require "jangada.cli.units"

local thousands = screens.thousands

---------------------------------------------------------------------------------------------------
-- compact

local compact = { name = "compact" }

function compact.define(parser)
  session.describe(parser, "Remove entries that a snapshot covers.",
    "Removes the entries up to an index; the log keeps the term of the last of them. Only what a "
    .. "snapshot covers can be removed: without options, all that the log's own does. --snapshot "
    .. "says that the state up to INDEX is kept elsewhere, and where. The file does not become "
    .. "smaller, it fills the room again; `jangada db compact` makes a smaller one.",
    { "compact my.db", "compact my.db --up-to 900",
      "compact my.db --up-to 900 --snapshot /backups/state-900" })
  session.file(parser)
  session.log_option(parser)
  arguments.add_integer(parser, "--up-to", "The last index to remove",
    { argname = "INDEX", min = 1 })
  arguments.add_integer(parser, "--keep", "Keep so many of those that could go",
    { argname = "N", min = 0 })
  parser:option("--snapshot", "What the log is to say of a snapshot up to INDEX that is kept "
    .. "elsewhere."):argname("TEXT")
  session.json(parser, "Print one JSON object.")
  session.opening(parser, true)
end

-- The last index to remove.
local function find_last(args, log)
  local snapshot = log:snapshot()
  local last = args.up_to or snapshot and snapshot.index
  if not last then
    errors.raise("input_invalid", "the log has no snapshot: --up-to and --snapshot say what can go")
  end
  if args.snapshot and not args.up_to then
    errors.raise("input_invalid", "--snapshot needs --up-to: the index that it covers")
  end
  last = math.max(last - (args.keep or 0), 0)
  local covered = snapshot and snapshot.index or 0
  if last > covered and not args.snapshot then
    errors.raise("input_invalid", "entries up to %d cannot be removed: the log's snapshot covers "
      .. "those up to %d; --snapshot TEXT says where another one is kept", last, covered)
  end
  return last
end

local function save(args, log, last)
  local fields = { compact = last }
  if args.snapshot then
    local term = log:term(args.up_to)
    if not term then
      errors.raise("input_invalid", "there is no entry %d: the log has %d to %d", args.up_to,
        log:first_index(), log:last_index())
    end
    fields.snapshot = { index = args.up_to, term = term, info = args.snapshot }
  end
  log:save(fields)
end

local function sweep(args, log, total)
  local show, done = session.progress(args)
  local swept = 0
  repeat
    local count = log:sweep()
    swept = swept + count
    show(math.min(swept, total), total, ("%s removed"):format(thousands(swept)))
  until count == 0
  done()
end

function compact.run(args, cli)
  local db <close> = session.open_to_write(args)
  local log = session.log(db, args)
  local first, bytes = log:first_index(), log:stats().bytes
  save(args, log, find_last(args, log))
  local removed = log:first_index() - first
  sweep(args, log, removed)
  local counts = log:stats()
  if args.json then
    session.print_json(json.object("log", session.names(args), "removed", removed,
      "bytes_removed", bytes - counts.bytes, "first", counts.first, "last", counts.last))
    return cli.OK
  end
  session.print(function(out)
    out:write(("%s removed, %s of data; the log begins with entry %s\n"):format(
      units.count(removed, "entry", "entries"), units.size(bytes - counts.bytes),
      thousands(counts.first)))
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- copy

local copy = { name = "copy" }

function copy.define(parser)
  session.describe(parser, "Copy a log into another file, or under another name.",
    "Copies a log with all that belongs to it: entries, hard state, snapshot, stable values, "
    .. "series. Every checksum is checked on the way. A DEST that does not exist is made, and gets "
    .. "its name when it is whole and on the disk; in one that does, the log is there as a whole "
    .. "or not at all.",
    { "copy my.db other.db", "copy my.db groups.db --log replog --as groups/17",
      "copy my.db my.db --as before" })
  parser:argument("file", "The store that is copied from."):argname("SOURCE")
  parser:argument("destination", "The store that is copied to; the same one needs --as.")
    :argname("DEST")
  session.log_option(parser)
  parser:option("--as", "The name of the copy (default the same)."):argname("NAME")
  session.json(parser, "Print one JSON object.")
  session.opening(parser)
end

local function copy_to(args, log, copied)
  local show, done = session.progress(args)
  local ok, failure = pcall(log.copy_to, log, copied, { progress = function(at, total)
    show(at, total, ("%s of %s copied"):format(thousands(at),
      units.count(total, "entry", "entries")))
  end })
  done()
  if not ok then error(failure, 0) end
end

local function copy_between(args, names)
  local db <close> = session.open_to_read(args)
  local log = session.log(db, args)
  session.fill(args, args.destination, new_file.mode_of(args.file), function(other)
    copy_to(args, log, Log.open(other, names))
  end)
  return log:stats()
end

local function copy_within(args, names)
  local db <close> = session.open_to_write(args)
  local log = session.log(db, args)
  db:update(function() copy_to(args, log, Log.open(db, names)) end)
  return log:stats()
end

function copy.run(args, cli)
  local names = args.as and format.decode_path(args.as) or session.names(args)
  local copies = args.file == args.destination and copy_within or copy_between
  local counts = copies(args, names)
  if args.json then
    session.print_json(json.object("source", args.file, "log", session.names(args),
      "destination", args.destination, "as", names, "entries", counts.entries,
      "bytes", counts.bytes))
    return cli.OK
  end
  session.print(function(out)
    out:write(("%s copied, %s of data\n"):format(units.count(counts.entries, "entry", "entries"),
      units.size(counts.bytes)))
  end)
  return cli.OK
end

return { compact, copy }
