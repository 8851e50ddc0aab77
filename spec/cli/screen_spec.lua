local screens = require "jangada.cli.screen"

-- What a screen writes, taken down.
local function capture(fn)
  local written, write = {}, io.write
  io.write = function(...) -- luacheck: ignore 122
    for _, text in ipairs{ ... } do written[#written + 1] = text end
  end
  local ok, failure = pcall(fn)
  io.write = write -- luacheck: ignore 122
  assert(ok, failure)
  return table.concat(written)
end

describe("a screen", function()
  it("aligns numbers to the right and text to the left", function()
    local screen = screens.new()
    screen.is_terminal = false
    assert.equal([[
  name   count
  -----  -----
  a          1
  three     22
]], capture(function() screen:table({ "name", "count" }, { { "a", 1 }, { "three", 22 } }) end))
  end)

  it("prints a line above the progress line of a terminal, which is drawn over", function()
    local screen = screens.new()
    screen.is_terminal = true
    local text = capture(function()
      screen:progress(1, 2, "half")
      screen:print("something happened")
      screen:clear()
    end)
    assert.equal(3, select(2, text:gsub("half", "half")) + select(2, text:gsub("\r\27%[K", "")) - 1)
    assert.truthy(text:find("\r\27[Ksomething happened\n", 1, true))
  end)

  it("prints progress in few lines where nothing can be drawn over", function()
    local screen = screens.new()
    screen.is_terminal = false
    local text = capture(function()
      for i = 0, 1000 do screen:progress(i, 1000, "working") end
    end)
    assert.equal(6, select(2, text:gsub("\n", "")))
  end)

  it("groups digits by thousands", function()
    assert.equal("0", screens.thousands(0))
    assert.equal("999", screens.thousands(999))
    assert.equal("1,000", screens.thousands(1000))
    assert.equal("12,345,678", screens.thousands(12345678.9))
  end)
end)
