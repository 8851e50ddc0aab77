--- What the verbs of `jangada log` have in common: their options, and finding the log.

local Log = require "jangada.log"
local arguments = require "jangada.cli.arguments"
local db_session = require "jangada.cli.db.session"
local errors = require "jangada.errors"
local format = require "jangada.cli.db.format"

local new_file = require "jangada.cli.new_file"
local store = require "jangada.store"

local session = setmetatable({}, { __index = db_session })

local LISTED_MAX <const> = 8

--- Describes a verb: its summary, what it does, examples.
---@param parser table
---@param summary string for the list of verbs
---@param description string
---@param examples string[] commands, without "jangada log "
function session.describe(parser, summary, description, examples)
  parser:summary(summary):description(description)
  local lines = { #examples == 1 and "Example:" or "Examples:" }
  for _, example in ipairs(examples) do lines[#lines + 1] = "  jangada log " .. example end
  parser:epilog(table.concat(lines, "\n"))
end

--- The argument `file`.
---@param parser table
function session.file(parser)
  parser:argument("file", "A store.")
end

--- `--log`.
---@param parser table
function session.log_option(parser)
  parser:option("--log", "Which one: a name, or a path of names (default replog).")
    :argname("NAME"):default("replog"):show_default(false)
end

--- `--from` and `--to`.
---@param parser table
function session.range(parser)
  arguments.add_integer(parser, "--from", "The first index; default the first there is",
    { argname = "INDEX", min = 0 })
  arguments.add_integer(parser, "--to", "The last index; default the last there is",
    { argname = "INDEX", min = 0 })
end

--- How entries are printed: `--format`, `--data`, `--binary` and `--json`.
---@param parser table
function session.entries(parser)
  parser:option("--format", "Of data: text, ascii-encoded, hex or bytes (default text).")
    :choices(format.names):default(format.names[1]):show_default(false):argname("FORMAT")
  parser:flag("--data", "Print the data alone, a line for each entry.")
  parser:flag("--binary", "Print the data alone, as append --binary reads it: the length of "
    .. "each (4 bytes, big-endian), then its bytes.")
  session.json(parser, "Print a JSON object a line.")
end

---------------------------------------------------------------------------------------------------
-- Finding a log

local function gather_logs(parent, path, found)
  for name, bucket in parent:buckets() do
    local of = name:match("^(.*)%.meta$")
    local here = table.move(path, 1, #path, 1, {})
    if of and bucket and not session.has_integer_keys(bucket)
      and (bucket:get("format") or ""):find("^jangada%.log ") then
      here[#here + 1] = of
      found[#found + 1] = here
    elseif bucket and not session.has_integer_keys(bucket) then
      here[#here + 1] = name
      gather_logs(bucket, here, found)
    end
  end
end

--- The names of all logs of a file.
---@param db table
---@return string[][] paths
function session.list(db)
  local found = {}
  db:view(gather_logs, {}, found)
  return found
end

local function describe_others(db)
  local names = {}
  for i, path in ipairs(session.list(db)) do
    if i > LISTED_MAX then
      names[i] = "..."
      break
    end
    names[i] = ("'%s'"):format(format.encode_path(path))
  end
  return #names == 0 and "there is no log at all" or "there are " .. table.concat(names, ", ")
end

local function find_meta(tx, names)
  local path = table.move(names, 1, #names, 1, {})
  path[#path] = path[#path] .. ".meta"
  return session.find(tx, path) or session.find(tx, names)
end

--- The names that `--log` leads to.
---@param args table
---@return string[]
function session.names(args)
  return format.decode_path(args.log)
end

--- Raises `bucket_not_found` if there is no log of that name.
---@param db table
---@param args table `log`
---@return string[] names
function session.check_log(db, args)
  local names = session.names(args)
  if not db:view(find_meta, names) then
    errors.raise("bucket_not_found", "%s: there is no log '%s': %s", args.file,
      format.encode_path(names), describe_others(db))
  end
  return names
end

--- Opens the log that the command line names. Raises `bucket_not_found` if it is not there.
---@param db table
---@param args table `log`
---@return jangada.Log
function session.log(db, args)
  return Log.open(db, session.check_log(db, args))
end

---------------------------------------------------------------------------------------------------
-- Filling a file

local function exists(path)
  local file <close> = io.open(path, "rb")
  return file ~= nil
end

local function open(path, args, options)
  options.allow_remote = args.allow_remote or nil
  options.lock_timeout_ms = args.timeout_ms
  local db, message, code = store.open(path, options)
  if not db then errors.raise(code, "%s", message) end
  return db
end

--- Lets `fn(db)` write a log into a file, all of it or nothing: a file that is not there is made
--- whole before it gets its name, in another one it is one transaction.
---@param args table the options of `session.opening`
---@param path string
---@param mode integer access rights of a new file
---@param fn fun(db: table)
function session.fill(args, path, mode, fn)
  if path == "" then errors.raise("input_invalid", "no file is named") end
  if exists(path) then
    local db <close> = open(path, args, {})
    db:update(function() fn(db) end)
    return
  end
  new_file.make(path, function(temporary)
    local db <close> = open(temporary, args, { durability = "none", mode = mode })
    fn(db)
    db:sync()
  end)
end

return session
