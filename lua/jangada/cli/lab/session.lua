--- What the verbs of `jangada lab` have in common: their options, and their exit codes.

local arguments = require "jangada.cli.arguments"
local files = require "jangada.files"
local scenarios = require "jangada.lab.scenario"

local session = {}

--- Describes a verb: its summary, what it does, examples.
---@param parser table
---@param summary string for the list of verbs
---@param description string
---@param examples string[] commands, without "jangada lab "
function session.describe(parser, summary, description, examples)
  parser:summary(summary):description(description)
  local lines = { #examples == 1 and "Example:" or "Examples:" }
  for _, example in ipairs(examples) do lines[#lines + 1] = "  jangada lab " .. example end
  parser:epilog(table.concat(lines, "\n"))
end

--- The argument `scenario`, and `--duration`.
---@param parser table
function session.scenario(parser)
  parser:argument("scenario", "A Lua file, or a text: NAME.scenario.")
  arguments.add_integer(parser, "--duration",
    "Milliseconds of simulated time, instead of the scenario's own", { argname = "MS", min = 0 })
end

--- What a seed of a scenario is to run, with the options of the command line.
---@param scenario jangada.Scenario
---@param seed? integer
---@param args table `duration`
---@return jangada.Case
function session.case(scenario, seed, args)
  local case = scenario:case(seed)
  case.duration_ms = args.duration or case.duration_ms
  return case
end

session.load = scenarios.load

--- What makes the options of a scenario's world afresh, again and again: for explorations.
---@param scenario jangada.Scenario
---@param seed? integer
---@return fun(): table
function session.maker(scenario, seed)
  return function() return scenario:case(seed).options end
end

--- The exit code for what some runs came to.
---@param counts table<string, integer> outcome -> how many
---@param cli table the exit codes
---@return integer
function session.exit_code(counts, cli)
  if (counts.violation or 0) > 0 then return cli.VIOLATION end
  if (counts.error or 0) > 0 then return cli.FAILURE end
  return (counts.unknown or 0) > 0 and cli.USAGE or cli.OK
end

--- The words of a shell that run this very command: its interpreter, with the options that it was
--- given, and its script.
---@param ... string further arguments
---@return string
function session.command(...)
  local first = 0
  while arg[first - 1] do first = first - 1 end
  local words = {}
  for i = first, 0 do words[#words + 1] = files.quote(arg[i]) end
  for i = 1, select("#", ...) do words[#words + 1] = files.quote((select(i, ...))) end
  return table.concat(words, " ")
end

return session
