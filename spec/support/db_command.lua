-- Runs `jangada db`, or `jangada log`, as a user does, with bytes of any kind on standard input, in
-- a locale, and with standard output and standard error apart; and makes the files it is run on.

local process = require "spec.support.process"
local store = require "jangada.store"

local command = {}

local build = os.getenv("BUILD") or "build"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

command.read = read

--- Runs `jangada db` with arguments.
---@param arguments string[]
---@param options? table input: bytes; locale: default C.UTF-8; shell: what follows the command;
---  subcommand: default "db"
---@return integer exit code
---@return string output
---@return string messages
function command.run(arguments, options)
  options = options or {}
  local directory = process.directory()
  process.write(directory .. "/in", options.input or "")
  local words = {}
  for i, word in ipairs(arguments) do words[i] = process.quote(word) end
  local _, _, code = os.execute(("{ LC_ALL=%s LUA_CPATH='%s/?.so;;' lua5.4 bin/jangada %s %s "
    .. "< %s/in %s; } > %s/out 2> %s/err"):format(options.locale or "C.UTF-8", build,
    options.subcommand or "db", table.concat(words, " "), directory, options.shell or "",
    directory, directory))
  return code, read(directory .. "/out"), read(directory .. "/err")
end

--- Runs it and expects exit code 0 and no message.
---@param arguments string[]
---@param options? table
---@return string output
function command.must(arguments, options)
  local code, output, messages = command.run(arguments, options)
  assert(code == 0 and messages == "", ("exit code %s of %s\n%s%s"):format(code,
    table.concat(arguments, " "), output, messages))
  return output
end

--- A new file with what `fn(tx)` puts into it.
---@param fn? fun(tx: table)
---@return string path
function command.file(fn)
  local path = process.directory() .. "/x.db"
  local db <close> = assert(store.open(path, { durability = "none" }))
  if fn then db:update(fn) end
  return path
end

--- A path in a new directory at which there is nothing.
---@return string
function command.path()
  return process.directory() .. "/new.db"
end

--- A file made by mdb_load.
---@param text string what mdb_dump -p would print
---@return string path
function command.foreign(text)
  local path = process.directory() .. "/foreign.db"
  process.write(path .. ".txt", text)
  assert(os.execute(("mdb_load -n -f %s.txt %s"):format(path, path)))
  return path
end

--- Overwrites bytes of a file.
---@param path string
---@param at integer offset from 0
---@param bytes string
function command.scribble(path, at, bytes)
  local file <close> = assert(io.open(path, "r+b"))
  file:seek("set", at)
  file:write(bytes)
end

--- Lines of a text.
---@param text string
---@return string[]
function command.lines(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

return command
