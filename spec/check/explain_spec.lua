local check = require "jangada.check"
local histories = require "spec.support.histories"

local function explain(text, options)
  local events = histories.parse(text)
  if options.lines then
    for i, event in ipairs(events) do event.line = i * 10 end
    options.lines = nil
  end
  return check.explain(check.run(events, options))
end

describe("the explanation", function()
  it("of a good history is one line", function()
    assert.equal("linearizable: 2 operations, 2 keys, 1 of unknown outcome (kv), 1 step",
      explain("0 invoke put a @x; 0 ok put a; 1 invoke put b @y", { model = "kv" }))
  end)

  it("of a bad one says what, why, and draws the fewest operations that are bad", function()
    assert.equal([[
NOT linearizable: 4 operations (register), 6 steps
no order explains read → 1 of process 2 (lines 70 and 80).
By its return the value was 2, whatever the order.

These 2 have no order already, whatever the other 2 did:

  process 0  ├╌ write 1 ╌╌┤
  process 1                ├─ write 2 ──┤
  process 2                              ├─ read → 1 ──┤ ✗

  lines 10 and 20, process 0: write 1 (what was seen comes from here)
  lines 30 and 40, process 1: write 2
  lines 70 and 80, process 2: read → 1]], explain([[
      0 invoke write 1
      0 ok write 1
      1 invoke write 2
      1 ok write 2
      3 invoke read
      3 ok read 2
      2 invoke read
      2 ok read 1]], { model = "register", lines = true }):gsub(", %d+ steps", ", 6 steps"))
  end)

  it("draws no picture of many", function()
    local function of(count)
      local events = histories.parse("0 invoke read; 0 ok read 1")
      local result = check.run(events, { model = "register" })
      for i = 2, count do
        local other = {}
        for name, value in pairs(result.failure.core[1]) do other[name] = value end
        other.invoked, other.returned = 2 * i - 1, 2 * i
        result.failure.core[i] = other
      end
      return check.explain(result)
    end
    assert.truthy(of(24):find("├─ read → 1", 1, true))
    assert.is_nil(of(25):find("├─", 1, true))
    assert.truthy(of(25):find("events 49 and 50, process 0: read → 1", 1, true))
  end)

  it("names the key, and events where there are no lines", function()
    local text = explain("0 invoke get @k; 0 ok get a", { model = "kv" })
    assert.truthy(text:find('key "k": no order explains get → "a" of process 0 (events 1 and 2).\n',
      1, true), text)
    assert.truthy(text:find("the value was absent, whatever", 1, true), text)
    assert.truthy(text:find("All of them are needed for that:", 1, true), text)
  end)

  it("shortens long values in the picture, not in the list", function()
    local long = ("é"):rep(30) .. ("x"):rep(60) .. "end"
    local text = explain("0 invoke read; 0 ok read " .. long, { model = "register" })
    assert.truthy(text:find("…x+end\" ──┤ ✗"), text)
    assert.truthy(text:find(": read → \"" .. long .. "\"", 1, true), text)
    for line in text:gmatch("[^\n]+") do assert.truthy(utf8.len(line)) end
  end)

  it("names all that could be the case", function()
    local text = explain("0 invoke write 1; 1 invoke write 2; 0 ok write 1; 1 ok write 2; "
      .. "0 invoke read; 0 ok read 3", { model = "register" })
    assert.truthy(text:find("the value was 1 or 2, whatever", 1, true), text)
    local lines = {}
    for i = 1, 20 do lines[i] = ("%d invoke write %d"):format(i, i) end
    text = explain(table.concat(lines, ";") .. "; 0 invoke read; 0 ok read 99",
      { model = "register" })
    assert.truthy(text:find(" or something else, whatever", 1, true), text)
  end)

  it("of an unknown one says how far it came", function()
    local lines = {}
    for i = 1, 9 do lines[i] = ("%d invoke enqueue %d"):format(i, i) end
    for i = 1, 9 do lines[9 + i] = ("%d ok enqueue %d"):format(i, i) end
    local text = explain(table.concat(lines, ";") .. ";1 invoke dequeue; 1 ok dequeue 11",
      { model = "queue", steps_max = 500 })
    assert.truthy(text:find("^UNKNOWN: 10 operations %(queue%), 5%d%d steps\n10 operations, no "
      .. "order found after 5%d%d steps: out of steps$"), text)
  end)

  it("mentions failed cas operations that it has left out", function()
    local text = explain("0 invoke cas 1,2; 0 fail cas 1,2", { model = "cas-register" })
    assert.truthy(text:find("1 failed cas is counted as not having happened", 1, true), text)
  end)
end)
