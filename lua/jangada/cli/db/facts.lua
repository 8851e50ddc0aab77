--- `jangada db info` and `check`: what a file is, and whether it is whole.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.db.session"
local store = require "jangada.store"
local units = require "jangada.cli.units"

local thousands = screens.thousands

---------------------------------------------------------------------------------------------------
-- info

local info = { name = "info" }

function info.define(parser)
  session.describe(parser, "Say what a file is: sizes, pages, trees, readers.",
    "Says how large the file is, how much of it is in use, how many trees it has, and which "
    .. "processes hold old snapshots that keep pages from being used again.",
    { "info my.db", "info my.db --json" })
  session.place(parser)
  session.json(parser, "Print one JSON object, sizes in bytes.")
  session.opening(parser)
end

local function gather(db)
  local facts, counts, readers = db:info(), db:stats(), db:readers()
  facts.pages, facts.free_pages = counts.pages, counts.free_pages
  facts.snapshots = readers
  facts.buckets = 0
  db:view(function(tx)
    for _ in tx:buckets() do facts.buckets = facts.buckets + 1 end
  end)
  return facts
end

local function info_object(args, facts)
  local snapshots = {}
  for i, reader in ipairs(facts.snapshots) do
    snapshots[i] = json.object("pid", reader.pid, "tx_id", reader.tx_id, "age", reader.age)
  end
  return json.object("file", args.file, "file_size", facts.file_size, "disk_size",
    facts.disk_size, "size_max", facts.size_max, "page_size", facts.page_size, "pages", facts.pages,
    "free_pages", facts.free_pages, "last_tx_id", facts.last_tx_id, "buckets", facts.buckets,
    "trees", facts.trees, "trees_max", facts.trees_max, "reader_age", facts.reader_age,
    "snapshots", snapshots)
end

local function exact_size(bytes)
  if bytes < 1024 then return units.size(bytes) end
  return ("%s (%s bytes)"):format(units.size(bytes), thousands(bytes))
end

local function snapshot_lines(facts)
  local lines = {}
  for i, reader in ipairs(facts.snapshots) do
    lines[i] = ("process %d holds one %s old"):format(reader.pid, units.count(reader.age, "commit"))
  end
  if #lines == 0 then lines[1] = "none: every free page can be used again" end
  return lines
end

local function info_lines(args, facts)
  local page = units.size(facts.page_size)
  local used = facts.pages - facts.free_pages
  local lines = {
    { "file", args.file },
    { "size", exact_size(facts.file_size) },
    { "on disk", exact_size(facts.disk_size) },
    { "can grow to", units.size(facts.size_max) .. ", as opened here" },
    { "pages", ("%s of %s"):format(thousands(facts.pages), page) },
    { "  used", ("%s (%s)"):format(thousands(used), units.size(used * facts.page_size)) },
    { "  free", ("%s (%s)"):format(thousands(facts.free_pages),
      units.size(facts.free_pages * facts.page_size)) },
    { "buckets", thousands(facts.buckets) .. " at the top level" },
    { "trees", ("%s of at most %s, as opened here"):format(thousands(facts.trees),
      thousands(facts.trees_max)) },
    { "last commit", "transaction " .. thousands(facts.last_tx_id) },
  }
  for i, line in ipairs(snapshot_lines(facts)) do
    lines[#lines + 1] = { i == 1 and "snapshots" or "", line }
  end
  return lines
end

function info.run(args, cli)
  local db <close> = session.open_to_read(args)
  local facts = gather(db)
  if args.json then
    session.print_json(info_object(args, facts))
    return cli.OK
  end
  session.print(function(out)
    for _, line in ipairs(info_lines(args, facts)) do
      out:write(("%-12s  %s\n"):format(line[1], line[2]))
    end
  end)
  return cli.OK
end

---------------------------------------------------------------------------------------------------
-- check

local check = { name = "check" }

function check.define(parser)
  session.describe(parser, "Look for damage, page by page.",
    "Reads every page, without LMDB, and tells of pages that are lost, used twice or out of range, "
    .. "keys out of order, wrong counts and records of buckets that do not fit. Exit code 0: "
    .. "nothing is wrong. 1: the file is damaged.",
    { "check my.db", "check my.db --json", "check my.db --codes" })
  parser:argument("file", "A store, or any LMDB file."):args("?")
  arguments.add_integer(parser, "--findings-max", "Tell at most so many findings",
    { argname = "N", default = 100, min = 1, max = 1000000 })
  parser:flag("--codes", "Say what each code means; no file is read.")
  session.timeout(parser)
  session.json(parser, "Print one JSON object.")
end

local function print_codes(args)
  local codes, rows = {}, {}
  for code in pairs(store.finding_codes) do codes[#codes + 1] = code end
  table.sort(codes)
  for i, code in ipairs(codes) do
    rows[i] = args.json and json.object("code", code, "means", store.finding_codes[code])
      or { code, store.finding_codes[code] }
  end
  if args.json then return session.print_json(rows) end
  session.print(function(out) session.table(out, { "code", "means" }, rows) end)
end

-- Prints the findings; `more` is how many others there are.
local function print_findings(args, findings)
  local rows, more = {}, 0
  for _, finding in ipairs(findings) do
    if finding.code == "more" then
      more = finding.count
    else
      rows[#rows + 1] = { finding.page, finding.code, finding.message }
    end
  end
  session.print(function(out)
    session.table(out, { "page", "code", "message" }, rows)
    out:write(("\n%s: damaged: %s\n"):format(args.file, units.count(#rows + more, "finding")))
    if more > 0 then
      out:write(("The first %s are shown; --findings-max shows more.\n"):format(thousands(#rows)))
    end
  end)
end

local function print_check_json(args, is_clean, findings, pages)
  local objects, more = {}, 0
  for _, finding in ipairs(findings) do
    if finding.code == "more" then
      more = finding.count
    else
      objects[#objects + 1] = json.object("page", finding.page, "code", finding.code,
        "message", finding.message)
    end
  end
  session.print_json(json.object("file", args.file, "clean", is_clean, "pages", pages,
    "findings", objects, "more", more))
end

local function check_file(args)
  local show, done = session.progress(args)
  local pages = 0
  local function progress(at, total)
    pages = total
    show(at, total, ("%s of %s checked"):format(thousands(at), units.count(total, "page")))
  end
  local ok, is_clean, findings = pcall(store.check, args.file,
    { findings_max = args.findings_max, lock_timeout_ms = args.timeout_ms, progress = progress })
  done()
  if not ok then error(is_clean, 0) end
  return is_clean, findings or {}, pages
end

function check.run(args, cli)
  if args.codes then
    print_codes(args)
    return cli.OK
  end
  if not args.file or args.file == "" then errors.raise("input_invalid", "no file is named") end
  local is_clean, findings, pages = check_file(args)
  if args.json then
    print_check_json(args, is_clean, findings, pages)
  elseif is_clean then
    session.print(function(out)
      out:write(("%s: clean%s\n"):format(args.file,
        pages > 0 and (" (%s)"):format(units.count(pages, "page")) or ""))
    end)
  else
    print_findings(args, findings)
  end
  return is_clean and cli.OK or cli.VIOLATION
end

return { info, check }
