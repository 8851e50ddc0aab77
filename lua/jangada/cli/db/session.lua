--- What the verbs have in common: their options, opening the file, finding the bucket, printing.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local format = require "jangada.cli.db.format"
local json = require "jangada.cli.json"
local outputs = require "jangada.cli.output"
local screens = require "jangada.cli.screen"
local store = require "jangada.store"
local units = require "jangada.cli.units"

local thousands = screens.thousands

local session = {}

-- A file up to this size is checked before it is read: that takes a few hundredths of a second, and
-- LMDB would follow a damaged page to wherever it leads, out of the process perhaps.
local VERIFY_SIZE_MAX <const> = 64 << 20

-- Findings that do not endanger who reads: they are about what the store keeps, not about pages.
local HARMLESS <const> = { leaked = true, bad_record = true, missing_tree = true,
  duplicate_id = true, duplicate_tree = true, bad_id = true, orphan = true,
  bad_integer_key = true, bad_flags = true, bad_mark = true, bad_field = true }

---------------------------------------------------------------------------------------------------
-- Options

--- Describes a verb: its summary, what it does, examples.
---@param parser table
---@param summary string for the list of verbs
---@param description string
---@param examples string[] commands, without "jangada db "
function session.describe(parser, summary, description, examples)
  parser:summary(summary):description(description)
  local lines = { #examples == 1 and "Example:" or "Examples:" }
  for _, example in ipairs(examples) do lines[#lines + 1] = "  jangada db " .. example end
  parser:epilog(table.concat(lines, "\n"))
end

--- The argument `file`, and the optional or needed argument `bucket`.
---@param parser table
---@param bucket? "?"|1 how many
function session.place(parser, bucket)
  parser:argument("file", "A store, or any LMDB file.")
  if bucket then parser:argument("bucket", "A name, or a path of names: a/b/c."):args(bucket) end
end

--- `--timeout-ms`.
---@param parser table
function session.timeout(parser)
  arguments.add_integer(parser, "--timeout-ms", "How long to wait for a file that is in use",
    { argname = "MS", default = 1000, min = 0, max = 86400000 })
end

--- The options of how a file is opened.
---@param parser table
---@param writes? boolean
function session.opening(parser, writes)
  session.timeout(parser)
  parser:flag("--allow-remote", "Open the file on a network filesystem too.")
  parser:flag("--verify", "Check the file first, also one over 64 MiB.")
  parser:flag("--no-verify", "Do not: read a damaged file as far as it goes, at your risk.")
  if writes then
    parser:flag("--shared", "Write beside other processes that opened the file as shared.")
  end
end

--- `--format`, of a verb that shows or reads keys or values.
---@param parser table
function session.format(parser)
  parser:option("--format", "Of keys and values: text, ascii-encoded, hex or bytes "
    .. "(default text)."):choices(format.names):default(format.names[1]):show_default(false)
    :argname("FORMAT")
end

--- `--json`.
---@param parser table
---@param what? string
function session.json(parser, what)
  parser:flag("--json", what or "Print JSON, for programs.")
end

---------------------------------------------------------------------------------------------------
-- Opening

-- The bytes that the file's meta pages say are in use; nil when they cannot be read.
local function used_size(path)
  local size
  for number = 0, 1 do
    local ok, page = pcall(store.page, path, number)
    if ok and page and page.last_page and not page.problem then
      size = math.max(size or 0, (page.last_page + 1) * page.size)
    end
  end
  return size
end

local function refuse_damage(path, findings)
  for _, finding in ipairs(findings or {}) do
    if finding.page and not HARMLESS[finding.code] then
      local where = ("page %d"):format(finding.page)
      local message = finding.message
      if not message:find(where, 1, true) then message = ("%s: %s"):format(where, message) end
      errors.raise("corrupted", "%s: damaged: %s (jangada db check lists all)", path, message)
    end
  end
end

-- Raises `corrupted` for a file that LMDB had better not see. True: somebody writes to it now, so
-- it has to be checked once it is open.
local function verify(args)
  local path = args.file
  local show, done = session.progress(args)
  local ok, result, findings = pcall(store.check, path, { lock_timeout_ms = 0,
    progress = function(at, total)
      show(at, total, ("%s of %s checked"):format(thousands(at), units.count(total, "page")))
    end })
  done()
  if ok then
    if not result then refuse_damage(path, findings) end
    return false
  end
  if errors.is(result, "in_use") then return true end
  error(result, 0)
end

--- Opens a file, or raises what store.open returned.
---@param args table the options of `session.opening`
---@param options table of store.open
---@return table db
function session.open(args, options)
  local path = args.file
  if path == "" then errors.raise("input_invalid", "no file is named") end
  local size = not args.no_verify and used_size(path)
  local is_verified = size and (args.verify or size <= VERIFY_SIZE_MAX)
  local is_busy = is_verified and verify(args)
  options.lock_timeout_ms = args.timeout_ms
  options.allow_remote = args.allow_remote or nil
  local db, message, code = store.open(path, options)
  if not db then errors.raise(code, "%s", message) end
  if is_busy then refuse_damage(path, select(2, db:check())) end
  return db
end

--- Opens a file for reading.
---@param args table
---@return table db
function session.open_to_read(args)
  return session.open(args, { read_only = true })
end

--- Opens a file for writing; one that does not exist only if `may_create`.
---@param args table
---@param may_create? boolean
---@param options? table of store.open
---@return table db
function session.open_to_write(args, may_create, options)
  if not may_create and args.file ~= "" then
    local ok, failure = pcall(store.page, args.file, 0)
    if not ok and errors.is(failure, "not_found") then error(failure, 0) end
  end
  options = options or {}
  options.shared = args.shared or nil
  return session.open(args, options)
end

--- Whether the keys of a bucket are integers.
---@param bucket table
---@return boolean
function session.has_integer_keys(bucket)
  local ok, failure = pcall(bucket.get, bucket, 0) -- the store refuses a key of the other type
  if not ok and tostring(failure):find("interrupted!$") then error(failure, 0) end
  return ok
end

--- The bucket at a path, or the transaction for the path of no names.
---@param tx table
---@param names string[]
---@return table|nil
function session.find(tx, names)
  local at = tx
  for _, name in ipairs(names) do
    at = at:bucket(name)
    if not at then return nil end
  end
  return at
end

--- The bucket that the command line names.
---@param tx table
---@param args table `bucket`
---@return table bucket
---@return string[] names
---Raises `input_invalid` or `bucket_not_found`.
function session.bucket(tx, args)
  local names = format.decode_path(args.bucket)
  local bucket = session.find(tx, names)
  if not bucket then
    errors.raise("bucket_not_found", "%s: there is no bucket '%s'", args.file,
      format.encode_path(names))
  end
  return bucket, names
end

---------------------------------------------------------------------------------------------------
-- Printing

--- Runs `fn(out)` and hands what it wrote to the system, also when it raised.
---@param fn fun(out: jangada.cli.Output): ...
---@return any what fn returned
function session.print(fn)
  local out = outputs.new()
  local ok, result = pcall(fn, out)
  if ok or result ~= outputs.CLOSED then
    local flushed, failure = pcall(out.finish, out)
    if ok and not flushed then ok, result = false, failure end
  end
  if not ok then error(result, 0) end
  return result
end

--- Prints one object as JSON.
---@param object any
function session.print_json(object)
  session.print(function(out) out:write(json.encode(object), "\n") end)
end

--- Prints a table on an output.
---@param out jangada.cli.Output
---@param header string[]
---@param rows any[][]
---@param right? table<integer, boolean>
function session.table(out, header, rows, right)
  screens.new(out):table(header, rows, right)
end

--- A line to standard error, for a person.
---@param form string
---@param ... any
function session.note(form, ...)
  io.stderr:write(form:format(...), "\n")
end

--- What shows progress of work that takes longer than a moment, on standard error.
---@param args table `json`: then nothing is shown
---@return fun(done: integer, total: integer, text: string)
---@return fun() to be called at the end
function session.progress(args)
  if args.json then return function() end, function() end end
  local screen -- made when there is something to show
  local clock_at, time_at = os.clock() + 0.3, os.time() + 2
  local function show(done, total, text)
    local is_due = os.clock() >= clock_at or os.time() >= time_at -- busy, or waiting for the disk
    if not is_due and not (screen and done == total) then return end
    clock_at, time_at = os.clock() + 0.1, os.time() + 1
    screen = screen or screens.new(io.stderr)
    screen:progress(done, total, text)
  end
  return show, function() if screen then screen:clear() end end
end

return session
