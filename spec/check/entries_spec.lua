local entries = require "jangada.check.entries"

-- The list as text: operations at their calls, less than 0 at their returns.
local function shown(list)
  local parts, e = {}, list.following[0]
  while e ~= 0 do
    parts[#parts + 1] = list.what[e]
    e = list.following[e]
  end
  return table.concat(parts, " ")
end

describe("the list of calls and returns", function()
  local function make()
    return entries.new{ { invoked = 1, returned = 4 }, { invoked = 2, returned = 3 },
      { invoked = 7, returned = 9 } }
  end

  it("is in the order of time", function()
    local list = make()
    assert.equal("1 2 -2 -1 3 -3", shown(list))
    assert.equal(3, list.remaining)
    assert.equal(3, list.at[list:first_return()])
  end)

  it("lets operations out, and back in reverse order", function()
    local list = make()
    list:lift(2)
    assert.equal("1 -1 3 -3", shown(list))
    list:lift(3)
    list:lift(1)
    assert.equal("", shown(list))
    assert.equal(0, list.remaining)
    assert.equal(0, list:first_return())
    list:put_back(1)
    list:put_back(3)
    list:put_back(2)
    assert.equal("1 2 -2 -1 3 -3", shown(list))
  end)

  it("may be empty", function()
    assert.equal(0, entries.new{}:first_return())
  end)
end)
