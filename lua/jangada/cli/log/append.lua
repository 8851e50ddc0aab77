--- `jangada log append`: what comes in on standard input goes into the log, and what is durable is
--- told as it is.
--
-- What has come in when a commit is done makes up the next one: a slow writer has each line
-- committed at once, a fast one fills batches. A line on standard output says up to which index
-- everything is on the disk. So who writes into the pipe can trust what it reads from it, whatever
-- ends this process.

local Log = require "jangada.log"
local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local outputs = require "jangada.cli.output"
local records = require "jangada.cli.log.records"
local session = require "jangada.cli.log.session"
local store = require "jangada.store"
local units = require "jangada.cli.units"

local streams = store.streams

local append = { name = "append" }

local READ_SIZE <const> = 1 << 16
local READ_MS <const> = 200 -- how long a signal may wait that comes just before a read
local BATCH_BYTES_MAX <const> = 1 << 20

function append.define(parser)
  session.describe(parser, "Append what is read from standard input.",
    "Each line of standard input becomes an entry. Whenever entries are on the disk, the index of "
    .. "the last of them is printed: up to there nothing can be lost. A commit takes what has "
    .. "come in meanwhile. Ctrl-C, SIGTERM, a failure or a reader that goes away end it between "
    .. "two commits, and it says what is durable.",
    { "append my.db < lines.txt", "append my.db --create --commit | tee durable.txt",
      "append my.db --log groups/17 --term 3 --type 1 --binary < records" })
  session.file(parser)
  session.log_option(parser)
  arguments.add_integer(parser, "--term", "Of the entries; default the log's current term, or 1",
    { argname = "TERM", min = 1 })
  arguments.add_integer(parser, "--type", "Of the entries", { argname = "TYPE", default = 0,
    min = 0, max = 255 })
  parser:flag("--commit", "Save them as committed, too.")
  parser:flag("--binary", "Not lines: each entry is its length (4 bytes, big-endian), then its "
    .. "bytes.")
  arguments.add_integer(parser, "--batch", "Entries in one commit at most",
    { argname = "N", default = 1000, min = 1, max = 100000 })
  arguments.add_integer(parser, "--size-max", "MiB that one entry may have",
    { argname = "MIB", default = 64, min = 1, max = 1024 })
  parser:flag("--create", "Make the file and the log if they are missing.")
  parser:option("--durability", "commit, or journal: one flush a commit instead of two (default "
    .. "commit)."):choices{ "commit", "journal" }:default("commit"):show_default(false)
    :argname("KIND")
  session.json(parser, "Print {\"last\":INDEX,\"entries\":N} for each commit.")
  session.opening(parser, true)
end

---@class jangada.cli.Appending
---@field args table
---@field db table
---@field log jangada.Log
---@field term integer
---@field batch table[] entries to be committed
---@field bytes integer of them
---@field appended integer entries that are durable
---@field last integer the last index that is durable

local function save(_, a)
  local last = a.log:last_index() + #a.batch
  a.log:save_fields(a.term, nil, a.args.commit and last or nil, a.batch)
  return last
end

-- Commits the batch and tells.
local function commit(a)
  local count = #a.batch
  if count == 0 then return end
  local last = a.db:update(save, a)
  a.batch, a.bytes, a.appended, a.last = {}, 0, a.appended + count, last
  local line = a.args.json and json.encode(json.object("last", last, "entries", count))
    or tostring(last)
  outputs.check(io.stdout:write(line, "\n"))
  outputs.check(io.stdout:flush())
end

local function add(a, list)
  for _, data in ipairs(list) do
    a.batch[#a.batch + 1] = { term = a.term, type = a.args.type, data = data }
    a.bytes = a.bytes + #data
    if #a.batch >= a.args.batch or a.bytes >= BATCH_BYTES_MAX then commit(a) end
  end
end

-- Reads until the end, or a signal: returns its number. Raises what is wrong with the input when
-- all before it is durable.
local function read_all(a)
  local source = a.args.binary and records.lengths or records.lines
  local cut = source(a.args.size_max << 20)
  while not streams.caught() do
    local bytes = streams.read(io.stdin, READ_SIZE, #a.batch > 0 and 0 or READ_MS)
    if bytes == nil then
      commit(a) -- nothing more has come in
    else
      add(a, bytes == "" and cut:finish() or cut:feed(bytes))
    end
    if bytes == "" or cut.fault then
      commit(a)
      if cut.fault then error(cut.fault, 0) end
      return nil
    end
  end
  return streams.caught()
end

local function durable_text(a)
  local through = a.last == 0 and "the log is empty"
    or ("the log is durable up to entry %d"):format(a.last)
  return ("%s appended; %s"):format(units.count(a.appended, "entry", "entries"), through)
end

-- What is said when it did not come to the end of the input, and the exit code.
local function explain(a, cli, signal, failure)
  local verb = "jangada log append: " .. a.args.file
  if signal then
    session.note("%s: interrupted: %s", verb, durable_text(a))
    return 128 + signal
  elseif failure == outputs.CLOSED then
    session.note("%s: nobody reads what is durable: %s", verb, durable_text(a))
    return cli.FAILURE
  end
  session.note("%s: %s", verb, durable_text(a))
  error(failure, 0)
end

function append.run(args, cli)
  if args.shared and args.durability == "journal" then
    errors.raise("input_invalid", "a file with a journal cannot be shared")
  end
  streams.catch()
  local db <close> = session.open_to_write(args, args.create,
    { durability = not args.shared and args.durability or nil })
  local log = args.create and Log.open(db, session.names(args)) or session.log(db, args)
  local current = log:hard_state()
  local term = args.term or math.max(1, current)
  if term < current then
    errors.raise("log_term_fell", "--term %d is below the log's current term %d", term, current)
  end
  local a = { args = args, db = db, log = log, term = term, batch = {}, bytes = 0, appended = 0,
    last = log:last_index() }
  local ok, result = pcall(read_all, a)
  if ok and not result then
    session.note("%s: %s", args.file, durable_text(a))
    return cli.OK
  end
  return explain(a, cli, ok and result, not ok and result)
end

return { append }
