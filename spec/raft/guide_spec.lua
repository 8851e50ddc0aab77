-- docs/figure2.md walks the code along the paper: what it names is there, and no rule is left out.
local rules = require "jangada.raft.rules"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

describe("the walk along Figure 2", function()
  local text = read("docs/figure2.md"):gsub("```.-```", "")

  it("names functions that there are, in the files where they are", function()
    local count = 0
    for file, name in text:gmatch("`([%l_]+)%.([%l_]+)`") do
      if not ({ file = true, state = true, raft = true })[file] then
        local source = read(("lua/jangada/raft/%s.lua"):format(file))
        local is_there = source:find(("function %s.%s("):format(file, name), 1, true)
          or source:find(("local function %s("):format(name), 1, true)
        assert.is_truthy(is_there, ("%s.%s"):format(file, name))
        count = count + 1
      end
    end
    assert.is_true(count > 50, count)
  end)

  it("leaves no rule out", function()
    for name in pairs(rules) do
      assert.is_truthy(text:find(("`rules.%s`"):format(name), 1, true), name)
    end
  end)
end)
