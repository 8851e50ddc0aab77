--- `jangada log export` and `import`: all of a log as lines of JSON, and back.
--
-- The first line tells what there is besides entries, and the last one how many there were: so a
-- stream that was cut off is found out, and nothing of it stays.
--
--     {"jangada_log":1,"term":5,"vote":"n2","commit":9,"applied":0,"first":3,"base_term":2,
--      "base_position":120}
--     {"index":3,"term":2,"type":0,"data":"..."}            an entry
--     {"snapshot":{"index":8,"term":4,"info":"...","size":70000}}
--     {"chunk":"..."}                                       of its data
--     {"stable":"key","value":"..."}
--     {"sample":"load","time":1700000000,"value":0.5}
--     {"end":true,"entries":7}

local Log = require "jangada.log"
local copying = require "jangada.log.copying"
local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local json_reader = require "jangada.cli.json_reader"
local session = require "jangada.cli.log.session"
local units = require "jangada.cli.units"

local VERSION <const> = 1
local BATCH_COUNT_MAX <const> = 1000
local BATCH_BYTES_MAX <const> = 1 << 20
local MODE <const> = 384 -- 0600

---------------------------------------------------------------------------------------------------
-- export

local export = { name = "export" }

function export.define(parser)
  session.describe(parser, "Print all of a log as JSON, for import.",
    "Prints a log with all that belongs to it, a JSON object a line: entries, hard state, "
    .. "snapshot, stable values, series. Bytes that are no UTF-8 are {\"base64\": \"...\"}. "
    .. "`import` makes the same log of it.",
    { "export my.db > log.jsonl", "export my.db | gzip > log.jsonl.gz",
      "export my.db --log replog | jangada log import other.db --log groups/17" })
  session.file(parser)
  session.log_option(parser)
  session.opening(parser)
end

local function export_snapshot(log, line)
  local snapshot = log:snapshot()
  if not snapshot then return end
  line("snapshot", json.object("index", snapshot.index, "term", snapshot.term,
    "info", snapshot.info, "size", snapshot.size))
  for chunk in log:snapshot_reader():each() do line("chunk", chunk) end
end

local function export_all(log, line)
  local counts = log:stats()
  line("jangada_log", VERSION, "term", counts.term, "vote", counts.vote, "commit", counts.commit,
    "applied", counts.applied, "first", counts.first, "base_term", log:term(counts.first - 1),
    "base_position", counts.position - counts.bytes)
  for index, entry in log:each(counts.first, counts.last) do
    line("index", index, "term", entry.term, "type", entry.type, "data", entry.data)
  end
  export_snapshot(log, line)
  for _, key in ipairs(copying.stable_keys(log)) do
    line("stable", key, "value", log:stable(key))
  end
  for _, name in ipairs(log:series_names()) do
    for _, sample in ipairs(log:series(name)) do
      line("sample", name, "time", json.exact(sample.time), "value", json.exact(sample.value))
    end
  end
  line("end", true, "entries", counts.entries)
end

function export.run(args, cli)
  local db <close> = session.open_to_read(args)
  local log = session.log(db, args)
  session.print(function(out)
    export_all(log, function(...) out:write(json.encode(json.object(...)), "\n") end)
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- import

local import = { name = "import" }

function import.define(parser)
  session.describe(parser, "Make a log of what export has printed.",
    "Reads from standard input what `export` prints, and makes the same log of it. A FILE that "
    .. "does not exist is made; a log of that name must be missing or empty. All of it is there in "
    .. "the end, or nothing.",
    { "import new.db < log.jsonl", "import my.db --log groups/17 < log.jsonl" })
  session.file(parser)
  session.log_option(parser)
  session.json(parser, "Print one JSON object.")
  session.opening(parser)
end

---@class jangada.cli.Importing
---@field log jangada.Log
---@field line integer its number
---@field head table|nil the first line
---@field batch table[] entries to be saved
---@field bytes integer of them
---@field entries integer so far
---@field writer table|nil of the snapshot, once its line was read
---@field snapshot table|nil its line
---@field is_complete boolean the last line was read

local function refuse(im, what, ...)
  errors.raise("input_invalid", "line %d of standard input: " .. what, im.line, ...)
end

-- What the fields of each line must be.
local HEAD <const> = { term = "integer", commit = "integer", applied = "integer",
  first = "integer", base_term = "integer", base_position = "integer" }
local ENTRY <const> = { index = "integer", term = "integer", type = "integer", data = "string" }
local SNAPSHOT <const> = { index = "integer", term = "integer", info = "string", size = "integer" }
local STABLE <const> = { stable = "string", value = "string" }
local SAMPLE <const> = { sample = "string", time = "number", value = "number" }

local function check(im, fields, types)
  for name, kind in pairs(types) do
    local value = fields[name]
    local found = kind == "number" and type(value) or math.type(value) or type(value)
    if found ~= kind then
      refuse(im, '"%s" must be %s %s', name, kind == "integer" and "an" or "a", kind)
    end
  end
end

local function flush(im)
  if #im.batch == 0 then return end
  im.log:save{ entries = im.batch }
  im.batch, im.bytes = {}, 0
end

local function import_head(im, fields)
  if math.type(fields.jangada_log) ~= "integer" then
    refuse(im, "what export prints begins with \"jangada_log\"")
  elseif fields.jangada_log ~= VERSION then
    refuse(im, "the format is %d, not %d", fields.jangada_log, VERSION)
  end
  check(im, fields, HEAD)
  local vote = fields.vote ~= json.null and fields.vote or nil
  if vote ~= nil then check(im, fields, { vote = "string" }) end
  im.head = fields
  im.log:save{ term = fields.term, vote = vote }
  if fields.first > 1 then
    im.log:save{ first = fields.first, commit = fields.first - 1, snapshot = {
      index = fields.first - 1, term = fields.base_term, position = fields.base_position } }
  end
end

local function import_entry(im, fields)
  check(im, fields, ENTRY)
  if fields.index ~= im.head.first + im.entries then
    refuse(im, "entry %d, where entry %d is due", fields.index, im.head.first + im.entries)
  end
  im.batch[#im.batch + 1] = { term = fields.term, type = fields.type, data = fields.data }
  im.entries, im.bytes = im.entries + 1, im.bytes + #fields.data
  if #im.batch >= BATCH_COUNT_MAX or im.bytes >= BATCH_BYTES_MAX then flush(im) end
end

local function import_snapshot(im, fields)
  flush(im)
  check(im, fields, { snapshot = "table" })
  check(im, fields.snapshot, SNAPSHOT)
  im.snapshot = fields.snapshot
end

-- What snapshot_writer and save take.
local function describe_snapshot(snapshot)
  return { index = snapshot.index, term = snapshot.term, info = snapshot.info,
    size = snapshot.size }
end

local function import_chunk(im, fields)
  check(im, fields, { chunk = "string" })
  if not im.snapshot then refuse(im, "a chunk without a snapshot") end
  im.writer = im.writer or im.log:snapshot_writer(describe_snapshot(im.snapshot))
  im.writer:write(fields.chunk)
end

local function import_end(im, fields)
  check(im, fields, { entries = "integer" })
  flush(im)
  local snapshot = im.snapshot
  if snapshot then
    im.log:save{ commit = snapshot.index, snapshot = im.writer or describe_snapshot(snapshot) }
  end
  if fields.entries ~= im.entries then
    refuse(im, "%d entries were to come, and %d did", fields.entries, im.entries)
  end
  im.log:save{ commit = im.head.commit, applied = im.head.applied }
  im.is_complete = true
end

local function import_stable(im, fields)
  check(im, fields, STABLE)
  im.log:save{ stable = { [fields.stable] = fields.value } }
end

local function import_sample(im, fields)
  check(im, fields, SAMPLE)
  im.log:sample(fields.sample, fields.value, fields.time)
end

-- What a line is, is told by a name that no other one has.
local KINDS <const> = {
  { "index", import_entry }, { "snapshot", import_snapshot }, { "chunk", import_chunk },
  { "stable", import_stable }, { "sample", import_sample }, { "end", import_end },
}

local function import_line(im, text)
  local fields = json_reader.decode(text, im.line)
  if type(fields) ~= "table" then refuse(im, "it is no object") end
  if im.is_complete then refuse(im, "it stands behind the end") end
  if not im.head then return import_head(im, fields) end
  for _, kind in ipairs(KINDS) do
    if fields[kind[1]] ~= nil then return kind[2](im, fields) end
  end
  refuse(im, "it is no line of an export")
end

-- What is wrong with a log that the lines tell of is wrong with a line.
local function import_checked(im, text)
  local ok, failure = pcall(import_line, im, text)
  if ok then return end
  if errors.is(failure) and failure.code:find("^log_") then
    refuse(im, "%s", (failure.message:gsub("^save: ", "")))
  end
  error(failure, 0)
end

local function import_all(log)
  local counts = log:stats()
  if counts.last > 0 or counts.term > 0 then
    errors.raise("log_not_empty", "the log has entries up to %d, and term %d", counts.last,
      counts.term)
  end
  local im = { log = log, line = 0, head = nil, batch = {}, bytes = 0, entries = 0, writer = nil,
    snapshot = nil, is_complete = false }
  for text in io.stdin:lines() do
    im.line = im.line + 1
    import_checked(im, text)
  end
  if not im.is_complete then
    errors.raise("input_invalid", "standard input ends after line %d, before the end of the log",
      im.line)
  end
  return log:stats()
end

function import.run(args, cli)
  local names, counts = session.names(args), nil
  session.fill(args, args.file, MODE, function(db) counts = import_all(Log.open(db, names)) end)
  if args.json then
    session.print_json(json.object("file", args.file, "log", names, "entries", counts.entries,
      "bytes", counts.bytes))
    return cli.OK
  end
  session.print(function(out)
    out:write(("%s imported, %s of data\n"):format(units.count(counts.entries, "entry", "entries"),
      units.size(counts.bytes)))
  end)
  return cli.OK
end

return { export, import }
