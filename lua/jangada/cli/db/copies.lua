--- `jangada db compact` and `backup`: another file with the same content.

local arguments = require "jangada.cli.arguments"
local copying = require "jangada.cli.db.copying"
local description = require "jangada.cli.db.description"
local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local new_file = require "jangada.cli.new_file"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.db.session"
local store = require "jangada.store"
local units = require "jangada.cli.units"

local thousands = screens.thousands

local function define_files(parser)
  parser:argument("file", "The file that is copied; it is not changed."):argname("SOURCE")
  parser:argument("destination", "The new file; it must not exist."):argname("DEST")
end

-- Sizes before and after; what else is to be said comes behind.
local function print_result(args, before, after, counts)
  if args.json then
    return session.print_json(json.present("source", args.file, "destination", args.destination,
      "size_before", before, "size_after", after, "keys", counts and counts.keys,
      "buckets", counts and counts.buckets))
  end
  local share = before > 0 and (", %d %%"):format(after * 100 // before) or ""
  session.print(function(out)
    out:write(("%s  %s\n%s  %s%s\n"):format(args.file, units.size(before), args.destination,
      units.size(after), share))
    if counts then
      out:write(("%s in %s copied\n"):format(units.count(counts.keys, "key"),
        units.count(counts.buckets, "bucket")))
    end
  end)
end

---------------------------------------------------------------------------------------------------
-- compact

local compact = { name = "compact" }

function compact.define(parser)
  session.describe(parser, "Copy a file, key by key, into a smaller one.",
    "Copies all buckets with their keys, sequences and kinds into a new file whose pages are full "
    .. "and in order. The copy is checked, and gets its name when it is whole and on the disk. "
    .. "What is no bucket, keys in LMDB's main database, would be lost: such a file is refused, "
    .. "and backup copies it.",
    { "compact my.db small.db", "compact my.db small.db && mv small.db my.db" })
  define_files(parser)
  arguments.add_integer(parser, "--tx-size", "MiB of keys and values in one transaction",
    { argname = "MIB", default = 16, min = 1 })
  session.json(parser, "Print one JSON object, sizes in bytes; no progress.")
  session.opening(parser)
end

-- The newer of the two meta pages says what is in the main database: trees, and perhaps keys.
local function check_main(args, info)
  local newest
  for number = 0, 1 do
    local page = store.page(args.file, number)
    if page and page.tx_id and not page.problem and (not newest or page.tx_id > newest.tx_id) then
      newest = page
    end
  end
  local others = newest and newest.main.entries - info.trees or 0
  if others > 0 then
    errors.raise("incompatible", "%s: LMDB's main database holds %s outside of any bucket, which "
      .. "compact would lose; backup copies all", args.file, units.count(others, "key"))
  end
end

local function copy_into(args, source, nodes, path)
  local total, buckets = 0, 0
  for node in description.each(nodes) do
    total, buckets = total + (node.keys or 0), buckets + 1
  end
  local info = source:db():info()
  local db <close>, message, code = store.open(path, { durability = "none",
    mode = new_file.mode_of(args.file), trees_max = math.min(65536, math.max(128, info.trees + 16)),
    allow_remote = args.allow_remote or nil })
  if not db then errors.raise(code, "%s", message) end
  local show, done = session.progress(args)
  local ok, copied = pcall(copying.copy, source, nodes, db, args.tx_size << 20, function(count)
    show(count, total, ("%s of %s copied"):format(thousands(count), units.count(total, "key")))
  end)
  done()
  if not ok then error(copied, 0) end
  if copied ~= total then
    errors.raise("corrupted", "%s: %d keys were copied where %d were counted", args.file, copied,
      total)
  end
  db:sync()
  return { keys = copied, buckets = buckets }, db:info().file_size
end

function compact.run(args, cli)
  new_file.check_free(args.destination)
  args.verify = true -- it reads all of the file anyway
  local db <close> = session.open_to_read(args)
  local before = db:info().file_size
  check_main(args, db:info())
  local counts, after = new_file.make(args.destination, function(path)
    local tx <close> = db:begin("read")
    return copy_into(args, tx, description.all(tx), path)
  end)
  print_result(args, before, after, counts)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- backup

local backup = { name = "backup" }

function backup.define(parser)
  session.describe(parser, "Copy a file as it is at its last commit, without its free pages.",
    "Copies all pages in use, whatever they hold, while processes that share the file go on. The "
    .. "copy gets its name when it is whole and on the disk. A file that one process owns alone is "
    .. "in use: there, that process calls db:backup.",
    { "backup my.db /backups/my.db" })
  define_files(parser)
  session.json(parser, "Print one JSON object, sizes in bytes.")
  session.opening(parser)
end

local function file_size(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:seek("end")
end

function backup.run(args, cli)
  new_file.check_free(args.destination)
  local db <close> = session.open_to_read(args)
  local before = db:info().file_size
  db:backup(args.destination)
  print_result(args, before, file_size(args.destination))
  return cli.OK
end

return { compact, backup }
