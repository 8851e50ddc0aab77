--- `jangada db buckets`, `inspect` and `stats`: which buckets there are, and how large.

local arguments = require "jangada.cli.arguments"
local description = require "jangada.cli.db.description"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local printable = require "jangada.cli.printable"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.db.session"
local units = require "jangada.cli.units"

local thousands = screens.thousands

-- A description as an object for programs.
local function object_of(node)
  if node.is_foreign then return json.object("bucket", node.path, "readable", false) end
  return json.object("bucket", node.path, "keys", node.keys, "buckets", #node.children,
    "key_type", node.is_integer and "integer" or "string", "tree", node.is_tree,
    "sequence", node.sequence)
end

---------------------------------------------------------------------------------------------------
-- buckets

local buckets = { name = "buckets" }

function buckets.define(parser)
  session.describe(parser, "List the buckets of a file, or of a bucket.",
    "Lists the top-level buckets, or those in BUCKET, with their numbers of keys and of buckets.",
    { "buckets my.db", "buckets my.db accounts --recursive", "buckets my.db --names | wc -l" })
  session.place(parser, "?")
  parser:flag("--recursive", "Also the buckets in them, to any depth.")
  parser:flag("--names", "Print only the paths, one a line.")
  session.json(parser, "Print a JSON object a line.")
  session.opening(parser)
end

-- Those that are asked for, as an iterator.
local function chosen(args, nodes)
  if args.bucket then nodes = nodes[1].children end
  if args.recursive then return description.each(nodes) end
  local at = 0
  return function()
    at = at + 1
    return nodes[at]
  end
end

local function print_buckets(args, nodes, out)
  local rows = {}
  for node in chosen(args, nodes) do
    local path = format.encode_path(node.path)
    if args.json then
      out:write(json.encode(object_of(node)), "\n")
    elseif args.names then
      out:write(path, "\n")
    elseif node.is_foreign then
      rows[#rows + 1] = { path, "-", "-", description.kind(node) }
    else
      rows[#rows + 1] = { path, thousands(node.keys), thousands(#node.children),
        description.kind(node) }
    end
  end
  if args.json or args.names then return end
  if #rows == 0 then
    session.note("%s: no buckets%s", args.file, args.bucket and " in " .. args.bucket or "")
  else
    session.table(out, { "bucket", "keys", "buckets", "kind" }, rows, { [2] = true, [3] = true })
  end
end

function buckets.run(args, cli)
  local db <close> = session.open_to_read(args)
  session.print(function(out)
    db:view(function(tx) print_buckets(args, description.of(tx, args), out) end)
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- inspect

local inspect = { name = "inspect" }

function inspect.define(parser)
  session.describe(parser, "Draw the tree of buckets.",
    "Draws all buckets as a tree, with their numbers of keys. In a UTF-8 locale the branches are "
    .. "lines, else ASCII.", { "inspect my.db", "inspect my.db accounts --depth 2" })
  session.place(parser)
  parser:argument("bucket", "Only this one, and what is in it."):args("?")
  arguments.add_integer(parser, "--depth", "How many levels to draw (default: all)",
    { argname = "N", min = 1 })
  session.json(parser, "Print one JSON object, buckets in buckets.")
  session.opening(parser)
end

local LINES <const> = { branch = "├── ", last = "└── ", down = "│   ", none = "    " }
local ASCII <const> = { branch = "|-- ", last = "`-- ", down = "|   ", none = "    " }

-- The rows of a picture: {what stands at the left, keys, kind}.
local function draw(nodes, glyphs, indent, depth, rows)
  for i, node in ipairs(nodes) do
    local is_last = i == #nodes
    local name = format.encode_path{ description.name(node) }
    rows[#rows + 1] = { indent .. (is_last and glyphs.last or glyphs.branch) .. name,
      node.keys, description.kind(node) }
    local below = indent .. (is_last and glyphs.none or glyphs.down)
    if depth > 1 then
      draw(node.children, glyphs, below, depth - 1, rows)
    elseif #node.children > 0 then
      rows[#rows + 1] = { below .. glyphs.last .. units.count(#node.children, "bucket"), nil, "" }
    end
  end
  return rows
end

local function width_of(text)
  return utf8.len(text) or #text
end

local function print_picture(out, title, rows)
  local label_width, number_width = 0, 0
  for _, row in ipairs(rows) do
    row.number = row[2] and thousands(row[2]) or ""
    label_width = math.max(label_width, width_of(row[1]))
    number_width = math.max(number_width, #row.number)
  end
  out:write(title, "\n")
  for _, row in ipairs(rows) do
    local line = row[1] .. (" "):rep(label_width - width_of(row[1]) + 2)
      .. (" "):rep(number_width - #row.number) .. row.number
      .. (not row[2] and "       " or row[2] == 1 and " key   " or " keys  ") .. row[3]
    out:write((line:gsub("%s+$", "")), "\n")
  end
end

-- An object with the buckets in it.
local function nested_object(node, depth)
  local object = object_of(node)
  if node.is_foreign or depth <= 1 then return object end
  local children = {}
  for i, child in ipairs(node.children) do children[i] = nested_object(child, depth - 1) end
  for i = 1, object.n, 2 do
    if object[i] == "buckets" then object[i + 1] = children end
  end
  return object
end

local function totals(nodes)
  local count, keys = 0, 0
  for node in description.each(nodes) do
    count = count + 1
    keys = keys + (node.keys or 0)
  end
  return count, keys
end

function inspect.run(args, cli)
  local db <close> = session.open_to_read(args)
  local depth = args.depth or math.maxinteger
  local nodes = db:view(function(tx) return description.of(tx, args) end)
  if args.json then
    local objects = {}
    for i, node in ipairs(nodes) do objects[i] = nested_object(node, depth) end
    session.print_json(json.object("file", args.file, "buckets", objects))
    return cli.OK
  end
  local count, keys = totals(nodes)
  local title = ("%s  (%s, %s)"):format(args.file, units.count(count, "bucket"),
    units.count(keys, "key"))
  local rows = draw(nodes, printable.is_utf8() and LINES or ASCII, "", depth, {})
  session.print(function(out) print_picture(out, title, rows) end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- stats

local stats = { name = "stats" }

function stats.define(parser)
  session.describe(parser, "Count keys and pages, bucket by bucket.",
    "Counts the keys and pages of each top-level bucket, or of BUCKET and each bucket in it; every "
    .. "line counts the buckets in a bucket too. A bucket that shares a tree with others has no "
    .. "pages of its own.", { "stats my.db", "stats my.db accounts --json" })
  session.place(parser, "?")
  session.json(parser, "Print one JSON object.")
  session.opening(parser)
end

local function stats_object(node)
  if node.is_foreign then return object_of(node) end
  local s = node.stats
  return json.object("bucket", node.path, "keys", description.keys_below(node), "buckets",
    s.buckets - 1, "trees", s.trees, "depth", s.depth, "branch_pages", s.branch_pages,
    "leaf_pages", s.leaf_pages, "overflow_pages", s.overflow_pages)
end

local function stats_row(node, page_size)
  local path = format.encode_path(node.path)
  if node.is_foreign then return { path, "-", "-", "-", "-", "-", "-", "-" } end
  local s = node.stats
  local row = { path, thousands(description.keys_below(node)), thousands(s.buckets - 1) }
  local pages = { s.depth, s.branch_pages, s.leaf_pages, s.overflow_pages }
  for i, n in ipairs(pages) do row[3 + i] = s.trees > 0 and thousands(n) or "-" end
  row[8] = s.trees > 0 and units.size((pages[2] + pages[3] + pages[4]) * page_size) or "-"
  return row
end

function stats.run(args, cli)
  local db <close> = session.open_to_read(args)
  local nodes = db:view(function(tx) return description.of(tx, args) end)
  if args.bucket then table.move(nodes[1].children, 1, #nodes[1].children, 2, nodes) end
  local file, page_size = db:stats(), db:info().page_size
  local used = file.pages - file.free_pages
  if args.json then
    local objects = {}
    for i, node in ipairs(nodes) do objects[i] = stats_object(node) end
    session.print_json(json.object("file", args.file, "page_size", page_size, "pages", file.pages,
      "free_pages", file.free_pages, "buckets", objects))
    return cli.OK
  end
  local rows = {}
  for i, node in ipairs(nodes) do rows[i] = stats_row(node, page_size) end
  session.print(function(out)
    if #rows > 0 then
      local right = {}
      for i = 2, 8 do right[i] = true end
      session.table(out, { "bucket", "keys", "buckets", "depth", "branch", "leaf", "overflow",
        "size" }, rows, right)
      out:write("\n")
    end
    out:write(("  %s of %s: %s used, %s free\n"):format(units.count(file.pages, "page"),
      units.size(page_size), thousands(used), thousands(file.free_pages)))
  end)
  return cli.OK
end

return { buckets, inspect, stats }
