local lab = require "jangada.lab"
local labs = require "spec.support.labs"

-- What the nodes of a world draw of 150..300, three at their boot and one after a crash of n1.
local function drawn(draws)
  local list = {n1 = {}, n2 = {}}
  local world <close> = lab.new{nodes = 2, seed = 3, draws = draws, invariants = {},
    protocol = {name = "draws", source = [[return function(node)
      node.state = {}
      for _ = 1, node.options and 3 do
        node:trace("drawn", {n = node:random(150, 300)})
      end
    end]]},
    observe = function(event)
      if event.kind == "trace" then table.insert(list[event.node], event.fields.n) end
    end}
  world:crash(1)
  world:restart(1)
  return list
end

describe("draws", function()
  it("stand in the place of what the seed says, over crashes, and leave the others", function()
    local free, some = drawn(nil), drawn{n1 = {81, [4] = 0, [5] = 1000}}
    assert.equal(231, some.n1[1])
    assert.equal(150, some.n1[4])
    assert.equal(300, some.n1[5])
    for _, i in ipairs{2, 3, 6} do assert.equal(free.n1[i], some.n1[i]) end
    assert.same(free.n2, some.n2)
  end)

  it("are all the usual one but for those that are named", function()
    local some = drawn{usual = 1, n2 = {[2] = 7}}
    assert.same({300, 300, 300, 300, 300, 300}, some.n1)
    assert.same({300, 157, 300}, some.n2)
    assert.same({225, 225, 225}, drawn{usual = 0.5}.n2)
  end)

  it("are refused where they are none", function()
    for _, draws in ipairs{{n1 = 7}, {n1 = {-1}}, {n1 = {1.5}}, {n1 = {[0] = 1}}, {n1 = {x = 1}},
      {usual = 2}, {usual = "most"}} do
      assert.equal("option_invalid", (labs.code_of(drawn, draws)))
    end
    assert.equal("unknown_node", (labs.code_of(drawn, {n3 = {1}})))
  end)
end)
