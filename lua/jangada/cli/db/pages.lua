--- `jangada db pages` and `page`: the pages of a file, as they are on the disk.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.db.session"
local store = require "jangada.store"
local units = require "jangada.cli.units"

local thousands = screens.thousands

local KINDS <const> = { "meta", "branch", "leaf", "overflow", "free", "leaked" }

---------------------------------------------------------------------------------------------------
-- pages

local pages = { name = "pages" }

function pages.define(parser)
  session.describe(parser, "List the pages of a file, and who uses them.",
    "Lists every page: what kind it is, which tree uses it, how full it is. A value too large for "
    .. "a page lies in a run of overflow pages, which is one line. With --summary, a line for each "
    .. "tree. Damaged files are listed as far as they can be read (exit code 1).",
    { "pages my.db", "pages my.db --kind overflow", "pages my.db --summary" })
  session.place(parser)
  parser:option("--kind", "Only pages of a kind: meta, branch, leaf, overflow, free or leaked.")
    :choices(KINDS):argname("KIND")
  parser:flag("--summary", "Count them by tree.")
  session.timeout(parser)
  session.format(parser)
  session.json(parser, "Print a JSON object a line.")
end

local function owner_of(row, form)
  if row.tree then return form.encode(row.tree) end
  return row.owner and "(" .. row.owner .. ")" or ""
end

local function page_object(row)
  return json.present("page", row.number, "kind", row.kind, "owner", row.owner, "tree", row.tree,
    "pages", row.pages or 1, "items", row.items, "used", row.used)
end

-- Widths are known beforehand, so that a million lines need not be kept.
local function print_rows(args, rows, page_size, out)
  local form = format.named(args.format)
  local width = math.max(4, #tostring(rows[#rows] and rows[#rows].number or 0))
  local line = ("  %%%ds  %%-8s  %%5s  %%5s  %%5s  %%s"):format(width)
  local function write(...)
    out:write((line:format(...):gsub("%s+$", "")), "\n")
  end
  if not args.json then
    write("page", "kind", "pages", "items", "used", "tree")
    write(("-"):rep(width), ("-"):rep(8), "-----", "-----", "-----", "----")
  end
  for _, row in ipairs(rows) do
    local is_wanted = not args.kind or args.kind == row.kind
    if is_wanted and args.json then
      out:write(json.encode(page_object(row)), "\n")
    elseif is_wanted then
      write(row.number, row.kind, row.pages or "", row.items or "",
        row.used and ("%d %%"):format(row.used * 100 // page_size) or "", owner_of(row, form))
    end
  end
end

-- Adds the rows up, by tree and in the order in which trees appear.
local function summarize(rows)
  local sums, order = {}, {}
  for _, row in ipairs(rows) do
    local key = row.tree and "t" .. row.tree or row.owner or row.kind
    local sum = sums[key]
    if not sum then
      sum = { tree = row.tree, owner = row.owner or row.kind, branch = 0, leaf = 0, overflow = 0,
        other = 0, used = 0, filled = 0 }
      sums[key] = sum
      order[#order + 1] = sum
    end
    local field = sum[row.kind] and row.kind or "other"
    sum[field] = sum[field] + (row.pages or 1)
    if row.used then sum.used, sum.filled = sum.used + row.used, sum.filled + 1 end
  end
  return order
end

local function print_summary(args, rows, page_size, out)
  local form, lines = format.named(args.format), {}
  for i, sum in ipairs(summarize(rows)) do
    local total = sum.branch + sum.leaf + sum.overflow + sum.other
    local fill = sum.filled > 0 and sum.used * 100 // (sum.filled * page_size) or nil
    if args.json then
      out:write(json.encode(json.present("owner", sum.owner, "tree", sum.tree, "pages", total,
        "branch_pages", sum.branch, "leaf_pages", sum.leaf, "overflow_pages", sum.overflow,
        "fill_percent", fill)), "\n")
    else
      lines[i] = { owner_of(sum, form), thousands(total), thousands(sum.branch),
        thousands(sum.leaf), thousands(sum.overflow), fill and fill .. " %" or "-",
        units.size(total * page_size) }
    end
  end
  if args.json then return end
  local right = {}
  for i = 2, 7 do right[i] = true end
  session.table(out, { "tree", "pages", "branch", "leaf", "overflow", "full", "size" }, lines,
    right)
end

function pages.run(args, cli)
  if args.file == "" then errors.raise("input_invalid", "no file is named") end
  local rows, findings = store.pages(args.file, { lock_timeout_ms = args.timeout_ms })
  local first = store.page(args.file, 0)
  local page_size = first and first.size or 4096
  session.print(function(out)
    local print_all = args.summary and print_summary or print_rows
    print_all(args, rows, page_size, out)
  end)
  if #findings == 0 then return cli.OK end
  session.note("jangada db pages: %s: damaged: jangada db check says where", args.file)
  return cli.VIOLATION
end

---------------------------------------------------------------------------------------------------
-- page

local page = { name = "page" }

function page.define(parser)
  session.describe(parser, "Show what is in a page.",
    "Shows the head of a page and its items: keys and values as they lie on the disk, long values "
    .. "cut short. In the tree that buckets share, keys begin with the 8 bytes of their bucket.",
    { "page my.db 5", "page my.db 0 1", "page my.db 5 --bytes" })
  parser:argument("file", "A store, or any LMDB file; it need not be whole.")
  parser:argument("number", "The number of a page, from 0."):args("+")
    :convert(arguments.integer("NUMBER", 0))
  parser:flag("--bytes", "All bytes of the page, in hexadecimal.")
  session.format(parser)
  session.json(parser, "Print a JSON object for each page, a line each.")
end

local function tree_object(head)
  if not head then return nil end
  return json.present("entries", head.entries, "depth", head.depth, "branch_pages",
    head.branch_pages, "leaf_pages", head.leaf_pages, "overflow_pages", head.overflow_pages,
    "root", head.root, "flags", head.flags)
end

local function whole_object(p, with_bytes)
  local items
  if p.items then
    items = {}
    for i, item in ipairs(p.items) do
      items[i] = json.present("key", item.key, "size", item.size, "value", item.value, "page",
        item.page, "flags", item.flags, "tree", tree_object(item.tree), "problem", item.problem)
    end
  end
  return json.present("page", p.number, "kind", p.kind, "flags", p.flags, "size", p.size, "used",
    p.used, "pages", p.pages, "problem", p.problem, "tx_id", p.tx_id, "last_page", p.last_page,
    "map_size", p.map_size, "version", p.version, "free_list", tree_object(p.free_list), "main",
    tree_object(p.main), "items", items, "bytes", with_bytes and p.bytes or nil)
end

-- 16 bytes a line; lines that repeat the one before are a star, as od and xxd -a do.
local function print_bytes(bytes, out)
  local previous, is_skipping
  for at = 1, #bytes, 16 do
    local line = bytes:sub(at, at + 15)
    if line == previous and at + 16 <= #bytes then
      if not is_skipping then out:write("  *\n") end
      is_skipping = true
    else
      local hex = line:gsub(".", function(c) return ("%02x "):format(c:byte()) end)
      hex = hex:sub(1, 24) .. " " .. hex:sub(25)
      out:write(("  %04x  %-49s |%s|\n"):format(at - 1, hex, (line:gsub("[^ -~]", "."))))
      previous, is_skipping = line, false
    end
  end
end

local SHOWN_MAX <const> = 60 -- of a key or value, as it is written

local function shorten(bytes, form)
  local text, size = form.encode(bytes:sub(1, SHOWN_MAX)), SHOWN_MAX
  while #text > SHOWN_MAX do
    size = size * 3 // 4
    text = form.encode(bytes:sub(1, size))
  end
  return size < #bytes and text .. " ..." or text
end

-- The record of a bucket in its parent: magic, kind, flags, id, sequence, name of its tree.
local RECORD_MAGIC <const> = "\x8aJangada\r\n\x1a\n\xf3\\\xb9'"
local RECORD <const> = "c1Bi8i8"

local function record_text(value, form)
  if value:sub(1, #RECORD_MAGIC) ~= RECORD_MAGIC or #value < 34 then return nil end
  local kind, _, id, sequence, at = (">" .. RECORD):unpack(value, #RECORD_MAGIC + 1)
  if kind ~= "T" and kind ~= "P" then return nil end
  local tree = kind == "T" and (", tree %s"):format(shorten(value:sub(at), form)) or ""
  return ("(bucket %d%s, sequence %d)"):format(id, tree, sequence)
end

-- What stands behind a key, in a few words.
local function value_text(item, form)
  if item.problem then return "(" .. item.problem .. ")" end
  if item.tree then
    return ("(tree of %s, root page %s)"):format(units.count(item.tree.entries, "entry", "entries"),
      item.tree.root or "none")
  end
  if not item.value then return item.page and ("(page %d)"):format(item.page) or "" end
  return record_text(item.value, form) or shorten(item.value, form)
end

local function print_items(p, form, out)
  local rows = {}
  for i, item in ipairs(p.items) do
    rows[i] = { i - 1, item.key and shorten(item.key, form) or "?", item.size or "-",
      value_text(item, form) }
  end
  if #rows == 0 then return end
  if p.kind == "branch" then
    for _, row in ipairs(rows) do table.remove(row, 3) end
    session.table(out, { "item", "key from", "leads to" }, rows)
  else
    session.table(out, { "item", "key", "size", "value" }, rows, { [3] = true })
  end
end

local function tree_text(head)
  return ("%s; depth %d; pages: %s branch, %s leaf, %s overflow; root %s"):format(
    units.count(head.entries, "entry", "entries"), head.depth, thousands(head.branch_pages),
    thousands(head.leaf_pages), thousands(head.overflow_pages), head.root or "none")
end

local function print_meta(p, out)
  out:write(("  transaction  %s\n  last page    %s\n  map size     %s\n  free list    %s\n"
    .. "  main         %s\n"):format(thousands(p.tx_id), thousands(p.last_page),
    units.size(p.map_size), tree_text(p.free_list), tree_text(p.main)))
end

local function print_page(p, form, args, out)
  local kind = p.kind
  if kind == "unknown" then kind = "of no kind: unused, amid a large value, or damaged" end
  local words = { ("page %d: %s"):format(p.number, kind) }
  if p.items then words[#words + 1] = units.count(#p.items, "item") end
  if p.used then
    words[#words + 1] = ("%s of %s bytes used"):format(thousands(p.used), thousands(p.size))
  end
  if p.pages then words[#words + 1] = "a run of " .. units.count(p.pages, "page") end
  if p.problem then words[#words + 1] = "PROBLEM: " .. p.problem end
  out:write(table.concat(words, ", "), "\n")
  if args.bytes then return print_bytes(p.bytes, out) end
  if p.kind == "meta" then print_meta(p, out) end
  if p.items then print_items(p, form, out) end
end

local function read(args, number)
  local p = store.page(args.file, number)
  if not p then
    errors.raise("input_invalid", "%s: there is no page %d", args.file, number)
  end
  return p
end

function page.run(args, cli)
  if args.file == "" then errors.raise("input_invalid", "no file is named") end
  local form = format.named(args.format)
  session.print(function(out)
    for i, number in ipairs(args.number) do
      local p = read(args, number)
      if args.json then
        out:write(json.encode(whole_object(p, args.bytes)), "\n")
      else
        if i > 1 then out:write("\n") end
        print_page(p, form, args, out)
      end
    end
  end)
  return cli.OK
end

return { pages, page }
