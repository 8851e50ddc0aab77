--- `jangada db VERB FILE ...`: looks into a store, and changes it, from the command line.
--
-- One file a verb or a small family in db/, each a table of verbs: name -> {define(parser),
-- run(args, cli)}. What they share is in db/session.lua.

local errors = require "jangada.errors"

local command = {}

-- Families in the order in which --help lists their verbs.
local families = { "buckets", "keys", "facts", "pages", "dump", "copies", "recovery", "bench" }

-- Failures that lie in what was asked for; all others are the file's or the machine's.
local OF_USE <const> = {
  input_invalid = true, not_found = true, invalid_file = true, version_mismatch = true,
  file_exists = true, remote_filesystem = true, bucket_not_found = true, incompatible = true,
  bucket_name_required = true, key_required = true, key_too_large = true,
  key_out_of_range = true, value_too_large = true, already_open = true, bucket_exists = true,
  journal_pending = true, journal_missing = true, journal_foreign = true,
}

local verbs = {}

function command.define(parser)
  parser:summary("Look into a store's file, and change it.")
  parser:description("Exit codes: 0 done; 1 the key is not there, or check has found damage; 2 the "
    .. "arguments or the file cannot be used; 3 it could not be done.")
  parser:epilog("`jangada db VERB --help` says more, with examples. BUCKET is a name, or a path of "
    .. "names: a/b/c. A slash in a name is \\/, any byte \\xHH.")
  parser:help_max_width(80):help_description_margin(24):usage_max_width(78)
  parser:require_command(true):command_target("verb")
  for _, family in ipairs(families) do
    for _, verb in ipairs(require("jangada.cli.db." .. family)) do
      verbs[verb.name] = verb
      verb.define(parser:command(verb.name))
    end
  end
end

-- Every message names the file, whoever raised it.
local function message_of(args, failure)
  local message = failure.message
  if failure.code == "journal_pending" then
    message = ("%s (jangada db recover %s)"):format(message, args.file)
  end
  for _, file in ipairs{ args.file or "", args.destination } do
    if file == "" or message:find(file, 1, true) then return message end
  end
  return ("%s: %s"):format(args.file, message)
end

--- Runs a verb.
---@param args table
---@param cli table the exit codes
---@return integer exit code
function command.run(args, cli)
  local ok, result = xpcall(verbs[args.verb].run, cli.keep, args, cli)
  if ok then return result end
  if not errors.is(result) then error(result, 0) end
  io.stderr:write(("jangada db %s: %s\n"):format(args.verb, message_of(args, result)))
  return OF_USE[result.code] and cli.USAGE or cli.FAILURE
end

return command
