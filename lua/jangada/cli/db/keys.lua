--- `jangada db keys`, `get`, `put` and `delete`: what is in a bucket, key by key.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local session = require "jangada.cli.db.session"
local units = require "jangada.cli.units"

---------------------------------------------------------------------------------------------------
-- keys

local keys = { name = "keys" }

function keys.define(parser)
  session.describe(parser, "List the keys of a bucket, or a range of them.",
    "Lists the keys of a bucket in their order, one a line; with --values each with its value "
    .. "behind a tab. Buckets in it are not listed: `buckets` does that.",
    { "keys my.db accounts", "keys my.db accounts --prefix ann --values",
      "keys my.db replog --from 1000 --limit 20", "keys my.db replog --reverse --limit 1" })
  session.place(parser, 1)
  parser:option("--from", "The first key."):argname("KEY")
  parser:option("--to", "The last key; it is listed too."):argname("KEY")
  parser:option("--prefix", "Only keys that begin with it."):argname("BYTES")
  parser:flag("--reverse", "Downwards.")
  arguments.add_integer(parser, "--limit", "At most so many", { argname = "N", min = 0 })
  parser:flag("--values", "Their values too.")
  session.format(parser)
  session.json(parser, "Print a JSON object a line.")
  session.opening(parser)
end

local function range_of(args, form, is_integer)
  local range = { reverse = args.reverse or nil }
  if args.from then range.from = format.decode_key(form, args.from, is_integer) end
  if args.to then range.to = format.decode_key(form, args.to, is_integer) end
  if args.prefix then
    if is_integer then errors.raise("input_invalid", "integer keys have no prefix") end
    range.prefix = form.decode(args.prefix)
  end
  return range
end

local function print_keys(args, bucket, out)
  local form = format.named(args.format)
  local left = args.limit or math.maxinteger
  if left == 0 then return end
  for key, value in bucket:each(range_of(args, form, session.has_integer_keys(bucket))) do
    if value then -- else it is a bucket
      if args.json then
        local object = args.values and json.object("key", key, "value", value)
          or json.object("key", key)
        out:write(json.encode(object), "\n")
      elseif args.values then
        out:write(format.encode_key(form, key), "\t", form.encode(value), "\n")
      else
        out:write(format.encode_key(form, key), "\n")
      end
      left = left - 1
      if left == 0 then return end
    end
  end
end

function keys.run(args, cli)
  local db <close> = session.open_to_read(args)
  session.print(function(out)
    db:view(function(tx) print_keys(args, session.bucket(tx, args), out) end)
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- get

local get = { name = "get" }

function get.define(parser)
  session.describe(parser, "Print the value of a key.",
    "Prints the value of a key, and a newline behind it unless --format is bytes. Exit code 1: "
    .. "there is no such key.",
    { "get my.db accounts ann", "get my.db accounts/notes ann --format bytes > note.txt",
      "get my.db replog 17 --format hex" })
  session.place(parser, 1)
  parser:argument("key", "A key; in a bucket of integer keys, an integer.")
  session.format(parser)
  session.json(parser, "Print one JSON object.")
  session.opening(parser)
end

local function report_missing(args, key, names)
  local form = format.named("text")
  session.note("jangada db %s: %s: no key '%s' in bucket '%s'", args.verb, args.file,
    format.encode_key(form, key), format.encode_path(names))
end

function get.run(args, cli)
  local db <close> = session.open_to_read(args)
  local form = format.named(args.format)
  local key, value, names
  db:view(function(tx)
    local bucket
    bucket, names = session.bucket(tx, args)
    key = format.decode_key(form, args.key, session.has_integer_keys(bucket))
    value = bucket:get(key)
  end)
  if args.json then
    session.print_json(json.object("bucket", names, "key", key, "value", value))
  elseif value then
    session.print(function(out)
      out:write(form.encode(value), form.name == "bytes" and "" or "\n")
    end)
  else
    report_missing(args, key, names)
  end
  return value and cli.OK or cli.VIOLATION
end

---------------------------------------------------------------------------------------------------
-- put

local put = { name = "put" }

function put.define(parser)
  session.describe(parser, "Store a value under a key, or many from standard input.",
    "Stores VALUE under KEY. A VALUE of - is read from standard input: all of it if --format is "
    .. "bytes, else without the newline at its end. With KEY - and no VALUE, every line of "
    .. "standard input is a key, a tab and a value, as `keys --values` prints them; all are stored "
    .. "or none.",
    { "put my.db accounts ann engineer", "put my.db files logo - --format bytes < logo.png",
      "put new.db replog 1 'first entry' --create --integer-keys",
      "keys old.db accounts --values | jangada db put my.db accounts -" })
  session.place(parser, 1)
  parser:argument("key", "A key; - and no VALUE: read lines.")
  parser:argument("value", "A value; -: read it."):args("?")
  parser:flag("--create", "Make the file and the buckets of the path that are missing.")
  parser:flag("--integer-keys", "With --create: a new bucket's keys are integers.")
  session.format(parser)
  session.opening(parser, true)
end

local function read_input()
  local text, message = io.stdin:read("a")
  if not text then errors.raise("io_error", "standard input: %s", message) end
  return text
end

-- The bucket to write to.
local function target(tx, args)
  if not args.create then return (session.bucket(tx, args)) end
  local names = format.decode_path(args.bucket)
  local at = tx
  for i, name in ipairs(names) do
    local keys_of = i == #names and args.integer_keys and "integer" or nil
    at = at:ensure_bucket(name, { keys = keys_of })
  end
  return at
end

local function put_line(bucket, form, is_integer, line, number)
  local key, value = line:match("^([^\t]*)\t(.*)$")
  if not key then
    errors.raise("input_invalid", "line %d of standard input has no tab: it is a key, a tab, a "
      .. "value", number)
  end
  bucket:put(format.decode_key(form, key, is_integer), form.decode(value))
end

-- Stores the lines of a text, empty ones passed over; returns how many.
local function put_lines(bucket, form, text)
  local is_integer, number, count = session.has_integer_keys(bucket), 0, 0
  for line in text:gsub("\n$", ""):gmatch("[^\n]*") do
    number = number + 1
    if line ~= "" then
      put_line(bucket, form, is_integer, line, number)
      count = count + 1
    end
  end
  return count
end

-- What the command line asks for that cannot be.
local function check_put(args, form, reads_lines)
  if reads_lines and form.name == "bytes" then
    errors.raise("input_invalid", "lines of bytes do not say where a key ends: use text or hex")
  elseif not args.value and not reads_lines then
    errors.raise("input_invalid", "a VALUE is missing; - reads it from standard input")
  elseif args.integer_keys and not args.create then
    errors.raise("input_invalid", "--integer-keys is for a bucket that --create makes")
  end
end

function put.run(args, cli)
  local form = format.named(args.format)
  local reads_lines = args.key == "-" and not args.value
  check_put(args, form, reads_lines)
  local value = args.value
  if reads_lines or value == "-" then value = read_input() end
  if args.value == "-" and form.name ~= "bytes" then value = value:gsub("\r?\n$", "") end
  if not reads_lines then value = form.decode(value) end
  local db <close> = session.open_to_write(args, args.create)
  local count = db:update(function(tx)
    local bucket = target(tx, args)
    if reads_lines then return put_lines(bucket, form, value) end
    bucket:put(format.decode_key(form, args.key, session.has_integer_keys(bucket)), value)
  end)
  if count then session.note("%s: %s stored", args.file, units.count(count, "key")) end
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- delete

local delete = { name = "delete" }

function delete.define(parser)
  session.describe(parser, "Delete a key, or a bucket with all in it.",
    "Deletes a key. With --bucket and no KEY, deletes the bucket itself and all that is in it. "
    .. "Exit code 1: there is no such key.",
    { "delete my.db accounts ann", "delete my.db accounts/notes --bucket" })
  session.place(parser, 1)
  parser:argument("key", "A key; in a bucket of integer keys, an integer."):args("?")
  parser:flag("--bucket", "Delete the bucket."):target("whole_bucket")
  session.format(parser)
  session.opening(parser, true)
end

local function delete_bucket(tx, args)
  local _, names = session.bucket(tx, args)
  local name = table.remove(names)
  session.find(tx, names):delete_bucket(name)
end

function delete.run(args, cli)
  if args.key and args.whole_bucket then
    errors.raise("input_invalid", "either a KEY or --bucket, not both")
  elseif not args.key and not args.whole_bucket then
    errors.raise("input_invalid", "a KEY is missing; --bucket deletes the bucket itself")
  end
  local db <close> = session.open_to_write(args)
  local form = format.named(args.format)
  local deleted, key, names = true, nil, nil
  db:update(function(tx)
    if args.whole_bucket then return delete_bucket(tx, args) end
    local bucket
    bucket, names = session.bucket(tx, args)
    key = format.decode_key(form, args.key, session.has_integer_keys(bucket))
    deleted = bucket:delete(key)
  end)
  if not deleted then report_missing(args, key, names) end
  return deleted and cli.OK or cli.VIOLATION
end

return { keys, get, put, delete }
