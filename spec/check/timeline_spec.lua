local timeline = require "jangada.check.timeline"

local function operation(process, text, invoked, returned)
  return { process = process, text = text, invoked = invoked, returned = returned }
end

local function draw(operations, marked, beside)
  return table.concat(timeline.draw(operations, function(one) return one.text end,
    marked and operations[marked], beside or {}), "\n")
end

describe("a timeline", function()
  it("draws one after another beside each other, and what overlaps above each other", function()
    assert.equal([[
process 0   ├─ write 1 ──┤
process 1     ├─ write 2 ─────────────┤
process 12                ├─ read ──┤ ✗]], draw({ operation(0, "write 1", 1, 3),
      operation(1, "write 2", 2, 6), operation(12, "read", 4, 5) }, 3))
  end)

  it("lets an operation of unknown outcome go on to the end", function()
    local text = draw({ operation("a", "write 1", 1), operation("b", "read", 2, 3) })
    assert.truthy(text:find("process a  ├─ write 1 ─", 1, true))
    local first, second = text:match("^([^\n]*)\n(.*)$")
    assert.is_true(utf8.len(first) >= utf8.len(second))
    assert.is_nil(first:find("┤", 1, true))
  end)

  it("draws what is beside with a broken line", function()
    local one = operation(1, "write é", 1, 2)
    assert.equal("process 1  ├╌ write é ╌╌┤", draw({ one }, nil, { [one] = true }))
  end)

  it("keeps the operations of a process apart, with a mark between them", function()
    local text = draw({ operation(1, "a", 1, 2), operation(1, "b", 3, 4) }, 1)
    assert.equal("process 1  ├─ a ──┤ ✗ ├─ b ──┤", text)
  end)

  it("never draws over, or out of order, whatever the operations are", function()
    math.randomseed(3)
    for _ = 1, 300 do
      local events, open, operations = 0, {}, {}
      for _ = 1, 12 do
        events = events + 1
        local process = math.random(3)
        if open[process] then
          open[process].returned = events
          open[process] = nil
        else
          open[process] = operation(process, ("x"):rep(math.random(9)), events)
          operations[#operations + 1] = open[process]
        end
      end
      local calls = 0
      for line in draw(operations, math.random(#operations)):gmatch("[^\n]+") do
        calls = calls + select(2, line:gsub("├", ""))
        assert.is_nil(line:find("┤├", 1, true))
      end
      assert.equal(#operations, calls)
    end
  end)
end)
