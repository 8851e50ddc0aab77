-- docs/scenarios.md tells of all there is, and its texts run.

local by_hand = require "spec.support.by_hand"
local db_command = require "spec.support.db_command"
local expectations = require "jangada.lab.hand.expectations"
local forms = require "jangada.lab.hand.file"
local hands = require "jangada.lab.hand"

describe("docs/scenarios.md", function()
  local text = db_command.read("docs/scenarios.md")

  local function tells(name, entry)
    local usage = entry.takes == "" and name or name .. " " .. entry.takes
    local row = ("\n| `%s` | %s |\n"):format(usage:gsub("|", "\\|"), entry.does)
    assert(text:find(row, 1, true), "it lacks" .. row)
  end

  it("tells of each verb, of each line of a header and of each expectation", function()
    for _, entries in ipairs{ hands.verbs, forms.headers, expectations } do
      for name, entry in pairs(entries) do tells(name, entry) end
    end
  end)

  it("has texts that run, and end well", function()
    local count = 0
    for block in text:gmatch("\n```scenario\n(.-)```\n") do
      count = count + 1
      local verdict = by_hand.run(block)
      assert.is_nil(verdict, tostring(verdict))
    end
    assert.equal(2, count)
  end)
end)
