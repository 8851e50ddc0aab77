--- The command `jangada`: its parser, and who does what.
--
-- One file a subcommand in cli/: each has `define(parser)`, which describes its arguments, and
-- `run(args)`, which returns the exit code.

local errors = require "jangada.errors"
local output = require "jangada.cli.output"
local store = require "jangada.store"

local cli = {}

--- Exit codes, of all subcommands; one to which 2 means something else has a USAGE of its own.
cli.OK = 0       -- done, and all is well
cli.VIOLATION = 1 -- done, and something is not as it should be
cli.USAGE = 2    -- the arguments or the input cannot be used; nothing was done
cli.FAILURE = 3  -- it could not be done
cli.INTERRUPTED = 130 -- by Ctrl-C, as a shell says it

local subcommands = { "check", "db", "demo", "lab", "log" }

-- What the command needs beyond the library, with the package to get it from.
local function need(module, debian, rock)
  local ok, loaded = pcall(require, module)
  if ok then return loaded end
  if not tostring(loaded):find(("module '%s' not found"):format(module), 1, true) then
    error(loaded, 0)
  end
  io.stderr:write(("jangada: the Lua module %s is missing: apt-get install %s, or luarocks install "
    .. "%s\n"):format(module, debian, rock))
  return nil
end

local function version_text()
  return ("jangada %s, LMDB %s, %s"):format(store.version, store.lmdb_version, _VERSION)
end

-- Whoever names a subcommand need not wait for the others to be loaded.
local function make_parser(argparse, first)
  local parser = argparse("jangada",
    "BoltDB's storage model on LMDB, a Raft log on top, and a lab for consensus logic.")
    :require_command(true)
    :command_target("command")
  parser:flag("--version", "Print the versions of jangada, LMDB and Lua."):action(function()
    print(version_text())
    os.exit(cli.OK, true)
  end)
  local modules, names = {}, subcommands
  for _, name in ipairs(subcommands) do
    if name == first then names = { name } end
  end
  for _, name in ipairs(names) do
    modules[name] = require("jangada.cli." .. name)
    modules[name].define(parser:command(name))
  end
  return parser, modules
end

-- Ctrl-C ends a Lua program with this error, wherever it is: in a protocol's handler, too.
local function is_interruption(failure)
  local text = errors.is(failure) and failure.message or failure
  return type(text) == "string" and text:find("interrupted!", 1, true) ~= nil
end

--- What a failure is passed on as: with a traceback, if it is a fault of ours.
function cli.keep(failure)
  if errors.is(failure) or failure == output.CLOSED or is_interruption(failure)
    or tostring(failure):find("\nstack traceback:", 1, true) then
    return failure
  end
  return debug.traceback(tostring(failure), 2) -- a fault of ours: say where
end

-- What the command line says of itself, and the exit code, when a subcommand has failed.
local function explain(args, failure, usage)
  if failure == output.CLOSED then return cli.OK end -- who reads has seen enough
  local name = table.concat({ "jangada", args.command, args.verb or args.lab_command }, " ")
  if is_interruption(failure) then
    io.stderr:write(("\n%s: interrupted\n"):format(name))
    return cli.INTERRUPTED
  end
  io.stderr:write(("%s: %s\n"):format(name, errors.is(failure) and failure.message or failure))
  return errors.is(failure, "input_invalid") and usage or cli.FAILURE
end

-- The arguments, or nil and what is wrong with them, told by the subcommand that it concerns.
local function parse(parser, arguments)
  function parser.error(concerned, message)
    error({ text = ("jangada: %s\n%s\n"):format(message, concerned:get_usage()) }, 0)
  end
  local ok, args = pcall(parser.parse, parser, arguments)
  if ok then return args end
  if type(args) ~= "table" or not args.text then error(args, 0) end
  return nil, args.text
end

--- Runs the command line.
---@param arguments string[] without the program's name
---@return integer exit code, see above
function cli.main(arguments)
  local argparse = need("argparse", "lua-argparse", "argparse")
  if not argparse then return cli.FAILURE end
  local parser, modules = make_parser(argparse, arguments[1])
  local args, message = parse(parser, arguments)
  local module = modules[args and args.command or arguments[1]]
  local usage = module and module.USAGE or cli.USAGE
  if not args then
    io.stderr:write(message)
    return usage
  end
  local ok, result = xpcall(function()
    local code = module.run(args, cli)
    output.check(io.stdout:flush())
    return code
  end, cli.keep)
  return ok and result or explain(args, result, usage)
end

return cli
