local labs = require "spec.support.labs"

local fails_with, world_of = labs.fails_with, labs.world

describe("a timer", function()
  it("fires once with after, again and again with every", function()
    local world <close> = world_of[[
      node.state = {once = {}, often = {}}
      node:after(10, function(...)
        assert(select("#", ...) <= 1 and ... == nil)
        table.insert(node.state.once, node:now())
      end)
      node:every(20, function() table.insert(node.state.often, node:now()) end)
    ]]
    world:run(85)
    assert.same({10}, world.nodes[1].state.once)
    assert.same({20, 40, 60, 80}, world.nodes[1].state.often)
  end)

  it("can be cancelled, put off, brought forward and started again", function()
    local world <close> = world_of[[
      node.state = {}
      local function note(name) return function() node.state[name] = node:now() end end
      local a, b, c, d = node:after(10, note"a"), node:after(10, note"b"), node:after(50, note"c"),
        node:after(5, note"d")
      assert(a:is_running())
      a:cancel()
      assert(not a:is_running())
      for i = 1, 9 do node:after(i, function() b:reset(10) end) end
      c:reset(3)
      node:after(30, function()
        assert(not d:is_running())
        d:reset(5)
        assert(d:is_running())
      end)
      local n = 0
      local e
      e = node:every(10, function()
        n = n + 1
        node.state.e = n
        if n == 2 then e:reset(25) elseif n == 3 then e:cancel() end
      end)
      node:after(40, function() node.state.e_then = n end)
    ]]
    assert.is_nil(world:run(200))
    assert.same({b = 19, c = 3, d = 35, e = 3, e_then = 2}, world.nodes[1].state)
  end)

  it("that is put off a thousand times keeps one place in the queue", function()
    local world <close> = world_of[[
      local timer = node:after(1000, function() end)
      for _ = 1, 1000 do timer:reset(2000) end
    ]]
    assert.equal(1, world.heap.size)
  end)

  it("leaves nothing in the queue of the times it was moved from", function()
    local world <close> = world_of[[
      local timer = node:every(500, function() end)
      for i = 1, 200 do timer:reset(500 - i) end
    ]]
    world:run(5000)
    assert.equal(1, world.heap.size)
  end)

  it("refuses delays that make no sense", function()
    for _, delay in ipairs{"-1", "0/0", "math.huge", "'5'", "nil", "1e18"} do
      fails_with("delay_invalid", ("node:after(%s, function() end)"):format(delay))
    end
    fails_with("argument_invalid", "node:after(5)")
  end)

  it("of no delay fires in a turn of its own, at the same time", function()
    local world <close> = world_of[[
      node.state = {}
      node:after(0, function() node.state.now = node:now() end)
      node.state.before = node.state.now == nil
    ]]
    world:run(1)
    assert.same({now = 0, before = true}, world.nodes[1].state)
  end)
end)
