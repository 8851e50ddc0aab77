local bounds = require "jangada.lab.explore.bounds"
local labs = require "spec.support.labs"

local function code_of(given) return (labs.code_of(bounds.read, given)) end

describe("the bounds of an exploration", function()
  it("are the usual ones where none are given", function()
    assert.same(bounds.defaults, bounds.read{})
  end)

  it("are those that are given, zero and false too, and change no others", function()
    local read = bounds.read{timeouts = 0, crashes = 2, sleep = false}
    assert.same({0, 2, false, 100}, {read.timeouts, read.crashes, read.sleep, read.depth})
    assert.same({3, 0, true}, {bounds.defaults.timeouts, bounds.defaults.crashes,
      bounds.defaults.sleep})
  end)

  it("each have a number when something can be used up", function()
    for _, name in ipairs(bounds.budgets) do
      assert.equal("integer", math.type(bounds.defaults[name]), name)
    end
  end)

  it("are refused when they are none", function()
    assert.equal("option_unknown", code_of{timeout = 1})
    assert.equal("option_unknown", code_of{1})
    for name, default in pairs(bounds.defaults) do
      for _, value in ipairs{-1, 1.5, "1", {}} do
        assert.equal("option_invalid", code_of{[name] = value}, name)
      end
      local other = type(default) == "boolean" and 1 or true
      assert.equal("option_invalid", code_of{[name] = other}, name)
    end
  end)
end)
