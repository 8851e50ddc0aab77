--- `jangada db dump`: all that is in a file or a bucket, a line for each key.

local description = require "jangada.cli.db.description"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local session = require "jangada.cli.db.session"

local dump = { name = "dump" }

function dump.define(parser)
  session.describe(parser, "Print all keys and values, of all buckets.",
    "Prints every key and value of the file, or of BUCKET and the buckets in it: the path of the "
    .. "bucket, a tab, the key, a tab, the value. With --json a line is an object; one that says "
    .. "what a bucket is comes before those of its keys.",
    { "dump my.db", "dump my.db accounts --json | gzip > accounts.json.gz",
      "dump my.db replog --format hex" })
  session.place(parser, "?")
  session.format(parser)
  session.json(parser, "Print a JSON object a line.")
  session.opening(parser)
end

local function print_bucket(bucket, node, form, out)
  local path = format.encode_path(node.path, form)
  for key, value in bucket:each() do
    if value then
      out:write(path, "\t", format.encode_key(form, key), "\t", form.encode(value), "\n")
    end
  end
end

local function print_bucket_json(bucket, node, out)
  out:write(json.encode(json.object("bucket", node.path, "key_type",
    node.is_integer and "integer" or "string", "tree", node.is_tree, "sequence", node.sequence)),
    "\n")
  for key, value in bucket:each() do
    if value then
      out:write(json.encode(json.object("bucket", node.path, "key", key, "value", value)), "\n")
    end
  end
end

local function print_all(args, tx, out)
  local form = format.named(args.format)
  for node in description.each(description.of(tx, args)) do
    if node.is_foreign then
      session.note("jangada db dump: %s: the database '%s' cannot be read here: mdb_dump can",
        args.file, format.encode_path(node.path, form))
    elseif args.json then
      print_bucket_json(session.find(tx, node.path), node, out)
    else
      print_bucket(session.find(tx, node.path), node, form, out)
    end
  end
end

function dump.run(args, cli)
  local db <close> = session.open_to_read(args)
  session.print(function(out)
    db:view(function(tx) print_all(args, tx, out) end)
  end)
  return cli.OK
end

return { dump }
