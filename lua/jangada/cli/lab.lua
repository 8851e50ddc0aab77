--- `jangada lab VERB ...`: runs consensus logic in a deterministic world, once or seed after seed.
--
-- What a scenario is stands in jangada.lab.scenario.

local verbs = require "jangada.cli.verbs"

local families = { "run", "shell", "replay", "campaign", "merge", "explore", "novelty", "shrink",
  "worker" }

return verbs.command("lab", families, function(parser)
  parser:summary("Run consensus logic in a deterministic world.")
  parser:description("A scenario is a Lua file that returns a table of lab.new's options, or a "
    .. "text of steps, NAME.scenario. Exit codes: 0 nothing wrong; 1 a violation; 2 unknown, or "
    .. "the arguments or the scenario cannot be used; 3 it could not be done; 130 interrupted.")
  parser:epilog("`jangada lab VERB --help` says more, with examples.")
end)
