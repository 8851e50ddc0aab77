--- `jangada db bench`: how fast this store is on this disk.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local files = require "jangada.files"
local json = require "jangada.cli.json"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.db.session"
local store = require "jangada.store"
local units = require "jangada.cli.units"

local thousands = screens.thousands

local bench = { name = "bench" }

function bench.define(parser)
  session.describe(parser, "Measure writes and reads on this disk.",
    "Writes keys into a new file, reads them back, deletes them, and prints rates. The file is "
    .. "removed at the end. Values do not repeat; random order is the same in each run.",
    { "bench", "bench --batch 1 --count 2000", "bench /mnt/ssd/bench.db --size 1000" })
  parser:argument("file", "Where to make the file; it must not exist (default: a new one in "
    .. "TMPDIR or /tmp)."):args("?")
  arguments.add_integer(parser, "--count", "How many keys",
    { argname = "N", default = 100000, min = 1 })
  arguments.add_integer(parser, "--size", "Bytes of a value",
    { argname = "BYTES", default = 100, min = 0, max = 1 << 30 })
  arguments.add_integer(parser, "--batch", "Keys in one commit",
    { argname = "N", default = 1000, min = 1 })
  parser:option("--durability", "commit (default), journal or none.")
    :choices{ "commit", "journal", "none" }:default("commit"):show_default(false)
  session.json(parser, "Print a JSON object a line.")
end

local function greatest_divisor(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

-- Calls fn(i) once for each i from 1 to n, in an order that looks random.
local function scattered(n)
  local step = n * 618 // 1000 | 1
  while greatest_divisor(step, n) ~= 1 do step = step + 1 end
  return function(i) return (i * step) % n + 1 end
end

-- Values of a size that differ from each other.
local function values_of(size)
  local text = ("0123456789abcdef"):rep(size // 16 + 2)
  return function(i)
    local head = ("%016x"):format(i):sub(-math.min(16, size))
    return size == 0 and "" or head .. text:sub(1, size - #head)
  end
end

-- fn(from, to) over 1..count in pieces of `batch`.
local function in_batches(args, fn)
  local show, done = session.progress(args)
  for from = 1, args.count, args.batch do
    local to = math.min(from + args.batch - 1, args.count)
    fn(from, to)
    show(to, args.count, ("%s of %s"):format(thousands(to), units.count(args.count, "key")))
  end
  done()
end

local function key_of(i)
  return ("%016d"):format(i)
end

-- What is measured: {name, fn(); bytes that it moves of each key}.
local function measures(db, args)
  local order, value = scattered(args.count), values_of(args.size)
  local pair, found = 16 + args.size, 0
  return {
    { "append, in order", 8 + args.size, function()
      in_batches(args, function(from, to)
        local values = {}
        for i = from, to do values[#values + 1] = value(i) end
        db:update(function(tx)
          tx:ensure_bucket("ordered", { keys = "integer" }):append(from, values)
        end)
      end)
    end },
    { "put, random order", pair, function()
      in_batches(args, function(from, to)
        db:update(function(tx)
          local bucket = tx:ensure_bucket("random")
          for i = from, to do bucket:put(key_of(order(i)), value(i)) end
        end)
      end)
    end },
    { "get, random order", pair, function()
      db:view(function(tx)
        local bucket = tx:bucket("random")
        for i = 1, args.count do found = bucket:get(key_of(order(i))) and found + 1 or found end
      end)
      assert(found == args.count)
    end },
    { "scan, forwards", pair, function()
      db:view(function(tx)
        for _ in tx:bucket("random"):each() do found = found - 1 end
      end)
      assert(found == 0)
    end },
    { "scan, backwards", pair, function()
      db:view(function(tx)
        for _ in tx:bucket("random"):each{ reverse = true } do found = found + 1 end
      end)
      assert(found == args.count)
    end },
    { "delete, random order", pair, function()
      in_batches(args, function(from, to)
        db:update(function(tx)
          local bucket = tx:bucket("random")
          for i = from, to do bucket:delete(key_of(order(i))) end
        end)
      end)
    end },
  }
end

local function measure(db, args)
  local results = {}
  for i, case in ipairs(measures(db, args)) do
    collectgarbage()
    local started = screens.wall_clock()
    case[3]()
    local seconds = math.max(screens.wall_clock() - started, 1e-6)
    results[i] = { name = case[1], seconds = seconds, rate = args.count / seconds,
      bytes = args.count * case[2] / seconds }
  end
  return results
end

local function print_results(args, results, path)
  session.print(function(out)
    if args.json then
      for _, result in ipairs(results) do
        out:write(json.encode(json.object("operation", result.name, "count", args.count,
          "size", args.size, "batch", args.batch, "durability", args.durability,
          "seconds", result.seconds, "keys_per_second", result.rate,
          "bytes_per_second", result.bytes)), "\n")
      end
      return
    end
    local rows = {}
    for i, result in ipairs(results) do
      rows[i] = { result.name, ("%.3f"):format(result.seconds), thousands(result.rate),
        ("%.1f"):format(result.bytes / (1 << 20)) }
    end
    out:write(("%s of %s, %s a commit, durability %s, in %s\n\n"):format(
      units.count(args.count, "value"), units.count(args.size, "byte"), thousands(args.batch),
      args.durability, path))
    session.table(out, { "operation", "seconds", "keys/s", "MiB/s" }, rows,
      { [2] = true, [3] = true, [4] = true })
  end)
end

-- The file that is measured on: the one named, or a name in a directory made for it.
local function place(args)
  if args.file then
    local file <close> = io.open(args.file, "rb")
    if file then errors.raise("file_exists", "%s: it exists already", args.file) end
    return args.file, nil
  end
  local directory = files.make_temporary("jangada-bench")
  if not directory then errors.raise("io_error", "no temporary directory can be made") end
  return directory .. "/bench.db", directory
end

function bench.run(args, cli)
  local path, directory = place(args)
  local ok, results = pcall(function()
    local db <close>, message, code = store.open(path, { durability = args.durability })
    if not db then errors.raise(code, "%s", message) end
    return measure(db, args)
  end)
  files.remove_store(path)
  if directory then os.remove(directory) end
  if not ok then error(results, 0) end
  print_results(args, results, path)
  return cli.OK
end

return { bench }
