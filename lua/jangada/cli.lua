--- The command `jangada`: its parser, and who does what.
--
-- One file a subcommand in cli/: each has `define(parser)`, which describes its arguments, and
-- `run(args)`, which returns the exit code.

local errors = require "jangada.errors"
local store = require "jangada.store"

local cli = {}

--- Exit codes, of all subcommands.
cli.OK = 0       -- done, and all is well
cli.VIOLATION = 1 -- done, and something is not as it should be
cli.USAGE = 2    -- the arguments or the input cannot be used; nothing was done
cli.FAILURE = 3  -- it could not be done

local subcommands = { "db", "demo", "lab" }

-- What the command needs beyond the library, with the package to get it from.
local function need(module, debian, rock)
  local ok, loaded = pcall(require, module)
  if ok then return loaded end
  io.stderr:write(("jangada: the Lua module %s is missing: apt-get install %s, or luarocks install "
    .. "%s\n"):format(module, debian, rock))
  return nil
end

local function version_text()
  return ("jangada %s, LMDB %s, %s"):format(store.version, store.lmdb_version, _VERSION)
end

local function make_parser(argparse)
  local parser = argparse("jangada",
    "BoltDB's storage model on LMDB, a Raft log on top, and a lab for consensus logic.")
    :require_command(true)
    :command_target("command")
  parser:flag("--version", "Print the versions of jangada, LMDB and Lua."):action(function()
    print(version_text())
    os.exit(cli.OK, true)
  end)
  local modules = {}
  for _, name in ipairs(subcommands) do
    modules[name] = require("jangada.cli." .. name)
    modules[name].define(parser:command(name))
  end
  return parser, modules
end

--- Runs the command line.
---@param arguments string[] without the program's name
---@return integer exit code, see above
function cli.main(arguments)
  local argparse = need("argparse", "lua-argparse", "argparse")
  if not argparse then return cli.FAILURE end
  local parser, modules = make_parser(argparse)
  local understood, args = parser:pparse(arguments)
  if not understood then
    io.stderr:write(("jangada: %s\n%s\n"):format(args, parser:get_usage()))
    return cli.USAGE
  end
  local ok, result = xpcall(modules[args.command].run, function(failure)
    if errors.is(failure) then return failure end
    return debug.traceback(tostring(failure), 2) -- a fault of ours: say where
  end, args, cli)
  if ok then return result end
  local message = errors.is(result) and result.message or result
  io.stderr:write(("jangada %s: %s\n"):format(args.command, message))
  return errors.is(result, "input_invalid") and cli.USAGE or cli.FAILURE
end

return cli
