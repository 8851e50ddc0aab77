-- The proofs of crash_spec.lua, held against stores that are wrong: each mistake is found.
local broken = require "spec.support.crash.broken"
local mistakes = require "spec.support.crash.mistakes"
local prove = require "spec.support.crash.prove"

describe("a store that", function()
  for _, mistake in ipairs(mistakes) do
    it(mistake.name .. " is found out #slow", function()
      prove.finds(mistake.program, mistake.arguments, broken.build(mistake.directory,
        mistake.changes), mistake.verdict)
    end)
  end
end)
