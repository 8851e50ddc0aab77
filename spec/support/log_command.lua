-- Runs `jangada log` as a user does, and makes the logs that it is run on.

local Log = require "jangada.log"
local db_command = require "spec.support.db_command"
local logs = require "spec.support.logs"
local process = require "spec.support.process"
local store = require "jangada.store"

local command = { path = db_command.path, lines = db_command.lines, clean = process.clean,
  read = db_command.read }

local build = os.getenv("BUILD") or "build"

local function as_log(options)
  local all = { subcommand = "log" }
  for name, value in pairs(options or {}) do all[name] = value end
  return all
end

--- Runs `jangada log` with arguments; options as for `jangada db`.
---@return integer exit code
---@return string output
---@return string messages
function command.run(arguments, options)
  return db_command.run(arguments, as_log(options))
end

--- Runs it and expects exit code 0 and no message.
---@return string output
function command.must(arguments, options)
  return db_command.must(arguments, as_log(options))
end

--- Runs a shell script in which `$J` is `jangada log`, `$D` a directory of its own and `$F` a file
--- name in it. What takes longer than a minute has hung.
---@param script string
---@return string output of the script, standard error too
---@return string file what `$F` is
function command.script(script)
  local directory = process.directory()
  local file = directory .. "/x.db"
  process.write(directory .. "/script", ("J='lua5.4 bin/jangada log'\nD=%s\nF=%s\n%s"):format(
    process.quote(directory), process.quote(file), script))
  local pipe <close> = assert(io.popen(("LC_ALL=C.UTF-8 LUA_CPATH='%s/?.so;;' timeout 60 bash "
    .. "%s/script 2>&1"):format(build, directory)))
  return pipe:read("a"), file
end

--- Reads a log of a file, in whatever state a killed process has left it.
---@param path string
---@param fn fun(log: jangada.Log): ...
---@param name? string|string[] default "replog"
---@return any ... what fn returns
function command.with(path, fn, name)
  local db <close> = assert(store.open(path, { durability = "none" }))
  return fn(Log.open(db, name or "replog"))
end

--- A file with a log, and what makes it one of all kinds of things.
---@param fill? fun(log: jangada.Log, db: table)
---@return string path
function command.file(fill)
  local path = command.path()
  local db <close> = assert(store.open(path, { durability = "none" }))
  if fill then fill(Log.open(db, "replog"), db) else logs.example(db) end
  return path
end

--- Fills a log with everything that a log can hold, compacted up to 2.
---@param log jangada.Log
function command.fill(log)
  local entries = {}
  for i = 1, 300 do
    entries[i] = { term = 1 + i // 100, type = i % 256,
      data = string.char(i % 256):rep(i % 40) .. (i % 7 == 0 and "\xff" or "é\n") }
  end
  log:save{ term = 9, vote = "n\xff2", entries = entries, commit = 250, applied = 100,
    stable = { ["k\xff"] = "v\0", plain = "x" } }
  logs.save_snapshot(log, { index = 200, term = 3, info = "i\n" }, ("z\xfe"):rep(100000),
    { compact = 150 })
  log:sample("cpu", 0.1, 1.5)
  log:sample("cpu", 3, 2)
  log:sample("cpu", 3.0, 2.0)
  log:sample("n\xff", 1 << 62, 1e300)
end

return command
