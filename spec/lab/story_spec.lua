local lab = require "jangada.lab"
local stories = require "jangada.lab.story"

-- n1 asks n2 at 10 ms, n2 asks n3, n3 counts one too many; what n4 and n5 send changes nothing.
local SOURCE <const> = [[return function(node)
  node.state = {count = 0}
  node:on("ask", function(message)
    node.state.count = node.state.count + message.body.n
    if node.id == "n2" then node:send("n3", {type = "ask", n = 2}) end
  end)
  node:on("idle", function() end)
  if node.id == "n1" then node:after(10, function() node:send("n2", {type = "ask", n = 1}) end) end
  if node.id == "n4" then node:every(3, function() node:send("n5", {type = "ask", n = 0}) end) end
  if node.id == "n5" then node:every(4, function() node:send("n3", {type = "idle"}) end) end
end]]

local function story_of(options)
  local story = stories.new()
  local config = {nodes = 5, protocol = {name = "asking", source = SOURCE},
    network = {delay_ms = {"constant", 2}},
    invariants = {{name = "modest", turn = function(_, machine)
      if machine.state.count > 1 then return machine.id .. " counts too far" end
    end}},
    observe = function(event) story:observe(event) end}
  for name, value in pairs(options or {}) do config[name] = value end
  local world <close> = lab.new(config)
  assert(world:run(100))
  return story
end

describe("a story", function()
  it("tells the steps that led to the verdict, and no others", function()
    assert.same({
      "    10.000 ms  n1      a timer: sends ask to n2",
      "    12.000 ms  n2      gets ask from n1 (n 1): count 0 -> 1; sends ask to n3",
      "    14.000 ms  n3      gets ask from n2 (n 2): count 0 -> 2",
    }, (story_of():lines()))
    assert.equal(8, #story_of():messages()) -- with those of n4 and n5, which did nothing
  end)

  it("tells the last steps, and how many were before", function()
    local lines, steps = story_of():lines(1)
    assert.equal(3, steps)
    assert.same({"               ... 2 steps before",
      "    14.000 ms  n3      gets ask from n2 (n 2): count 0 -> 2"}, lines)
  end)

  it("tells of faults, and of messages that were sent in vain", function()
    local lines = table.concat(story_of{faults = {
      {at_ms = 1, kind = "crash", node = "n1", for_ms = 3},
      {at_ms = 5, kind = "pause", node = "n3", for_ms = 1},
      {at_ms = 8, kind = "partial", from = {"n3"}, to = {"n4"}, for_ms = 1},
    }}:lines(), "\n")
    assert.matches("1.000 ms  n1      CRASHES\n", lines, 1, true)
    assert.matches("4.000 ms  n1      BOOTS from its store\n", lines, 1, true)
    assert.matches("5.000 ms  n3      is PAUSED\n", lines, 1, true)
    assert.matches("6.000 ms  n3      goes on\n", lines, 1, true)
    assert.matches("8.000 ms  network CUT partial: n3>n4 n4>n3\n", lines, 1, true)
    assert.matches("9.000 ms  network MENDED partial\n", lines, 1, true)
    local vain = story_of{network = {delay_ms = {"constant", 2}, fates = {
      {from = "n2", to = "n3", lost = {1}}}}, faults = {},
      protocol = {name = "again", source = (SOURCE:gsub('if node.id == "n2" then',
        'if node.id == "n2" then node:send("n3", {type = "idle"})'))}}
    assert.matches("sends idle to n3 in vain; sends ask to n3", table.concat(vain:lines(), "\n"), 1,
      true)
  end)
end)
