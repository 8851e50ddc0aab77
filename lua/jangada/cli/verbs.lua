--- What `jangada db` and `jangada log` have in common: a subcommand with verbs of its own, one file
--- a verb or a small family, each a table of verbs: {name, define(parser), run(args, cli)}.

local errors = require "jangada.errors"

local verbs = {}

-- Failures that lie in what was asked for; all others are the file's or the machine's.
local OF_USE <const> = {
  input_invalid = true, not_found = true, invalid_file = true, version_mismatch = true,
  file_exists = true, remote_filesystem = true, bucket_not_found = true, incompatible = true,
  bucket_name_required = true, key_required = true, key_too_large = true,
  key_out_of_range = true, value_too_large = true, already_open = true, bucket_exists = true,
  journal_pending = true, journal_missing = true, journal_foreign = true,
  log_bad_field = true, log_compact_past_snapshot = true, log_entry_term_ahead = true,
  log_entry_term_fell = true, log_not_empty = true, log_snapshot_past_commit = true,
  log_term_fell = true,
}

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

--- A subcommand with verbs.
---@param name string
---@param families string[] modules in cli/NAME, in the order in which --help lists their verbs
---@param describe fun(parser: table) its summary, description and epilog
---@return {define: fun(parser: table), run: fun(args: table, cli: table): integer}
function verbs.command(name, families, describe)
  local command, known = {}, {}

  function command.define(parser)
    describe(parser)
    parser:help_max_width(80):help_description_margin(24):usage_max_width(78)
    parser:require_command(true):command_target("verb")
    for _, family in ipairs(families) do
      for _, verb in ipairs(require(("jangada.cli.%s.%s"):format(name, family))) do
        known[verb.name] = verb
        verb.define(parser:command(verb.name))
      end
    end
  end

  function command.run(args, cli)
    local ok, result = xpcall(known[args.verb].run, cli.keep, args, cli)
    if ok then return result end
    if not errors.is(result) then error(result, 0) end
    io.stderr:write(("jangada %s %s: %s\n"):format(name, args.verb, message_of(args, result)))
    return OF_USE[result.code] and cli.USAGE or cli.FAILURE
  end

  return command
end

return verbs
