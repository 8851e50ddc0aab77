--- `jangada log tail` and `dump`: entries, one a line.

local Log = require "jangada.log"
local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local outputs = require "jangada.cli.output"
local session = require "jangada.cli.log.session"
local store = require "jangada.store"

local streams = store.streams

-- What prints an entry on an output, as the options say.
local function printer(args)
  if args.json then
    return function(out, index, entry)
      out:write(json.encode(json.object("index", index, "term", entry.term, "type", entry.type,
        "data", entry.data)), "\n")
    end
  elseif args.binary then
    return function(out, _, entry) out:write(string.pack(">s4", entry.data)) end
  end
  local form = format.named(args.format)
  if args.data then
    return function(out, _, entry) out:write(form.encode(entry.data), "\n") end
  end
  return function(out, index, entry)
    out:write(("%d\t%d\t%d\t"):format(index, entry.term, entry.type), form.encode(entry.data), "\n")
  end
end

local function check_options(args)
  if (args.json and 1 or 0) + (args.binary and 1 or 0) + (args.data and 1 or 0) > 1 then
    errors.raise("input_invalid", "one of --json, --binary and --data, not several")
  end
end

---------------------------------------------------------------------------------------------------
-- dump

local dump = { name = "dump" }

function dump.define(parser)
  session.describe(parser, "Print entries.",
    "Prints every entry, or a range of them: index, a tab, term, a tab, type, a tab, the data. "
    .. "Checksums are checked on the way.",
    { "dump my.db", "dump my.db --from 1000 --to 1999 --json",
      "dump my.db --data --format bytes > lines.txt", "dump my.db --log groups/17 --format hex" })
  session.file(parser)
  session.log_option(parser)
  session.range(parser)
  session.entries(parser)
  session.opening(parser)
end

function dump.run(args, cli)
  check_options(args)
  local db <close> = session.open_to_read(args)
  local log, write = session.log(db, args), printer(args)
  local from = math.max(args.from or 0, log:first_index())
  session.print(function(out)
    for index, entry in log:each(from, args.to) do write(out, index, entry) end
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- tail

local tail = { name = "tail" }

function tail.define(parser)
  session.describe(parser, "Print the last entries, and those that come.",
    "Prints the last entries, as dump does. With --follow it goes on and prints entries as they "
    .. "are written, until it is interrupted or nobody reads any more. A process that writes to "
    .. "the file meanwhile has to share it (append --shared): one that has it alone lets nobody "
    .. "read.",
    { "tail my.db", "tail my.db -n 100 --json", "tail my.db -f --data" })
  session.file(parser)
  session.log_option(parser)
  parser:option("-n --lines", "How many of the last entries (default 10)."):argname("N")
    :default("10"):show_default(false):convert(arguments.integer("--lines", 0))
  parser:flag("-f --follow", "Go on with those that come.")
  arguments.add_integer(parser, "--interval-ms", "How often to look for them",
    { argname = "MS", default = 200, min = 1, max = 3600000 })
  session.entries(parser)
  session.opening(parser)
end

-- Prints what is new; returns the last index that was printed, and its term.
local function print_new(log, last, last_term, out, write)
  local before = log:first_index() - 1
  if last < before then
    session.note("jangada log tail: entries %d to %d were compacted", last + 1, before)
    last = before
  elseif log:term(last) ~= last_term then
    -- What replaces an entry is of a higher term (5.3): the rest is as it was printed.
    last = math.max(before, (log:conflict_hint(last, last_term)))
    session.note("jangada log tail: entries from %d on were replaced or removed", last + 1)
  end
  for index, entry in log:each(last + 1) do
    write(out, index, entry)
    last = index
  end
  out:finish()
  return last, log:term(last)
end

local function follow(args, db, log, last, out, write)
  local names, last_term = session.names(args), log:term(last)
  streams.catch()
  while not streams.caught() do
    if streams.wait(args.interval_ms, io.stdout) then return nil end -- nobody reads any more
    log = Log.open(db, names)
    last, last_term = print_new(log, last, last_term, out, write)
  end
  return streams.caught()
end

function tail.run(args, cli)
  check_options(args)
  local db <close> = session.open_to_read(args)
  local log, write = session.log(db, args), printer(args)
  local last = log:last_index()
  local from = math.max(log:first_index(), last - args.lines + 1)
  local out = outputs.new()
  for index, entry in log:each(from, last) do write(out, index, entry) end
  out:finish()
  if not args.follow then return cli.OK end
  local signal = follow(args, db, log, last, out, write)
  return signal and 128 + signal or cli.OK
end

return { tail, dump }
