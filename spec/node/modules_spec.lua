local lab = require "jangada.lab"

local function new_world(lines, nodes)
  return lab.new{nodes = nodes or 1, invariants = {},
    protocol = {name = "toy", source = table.concat(lines, "\n")}}
end

describe("a protocol's source", function()
  it("is compiled once, and each boot of a node has locals and globals of its own", function()
    local world <close> = new_world({
      "local boots = 0",
      "boots_too = boots_too or 0",
      "return function(node)",
      "  boots, boots_too = boots + 1, boots_too + 1",
      "  node.state = {boots = boots, boots_too = boots_too}",
      "end",
    }, 3)
    world:run(1)
    world:crash(2)
    world:restart(2)
    for _, machine in ipairs(world.nodes) do
      assert.same({boots = 1, boots_too = 1}, machine.state)
    end
  end)

  it("keeps the numbers of its lines", function()
    local world <close> = new_world{"-- one", "return function()", "  error('here')", "end"}
    assert.matches("^toy:3: here", world.verdict.message)
    local ok, why = pcall(new_world, {"return function()", "  local = 5", "end"})
    assert.is_false(ok)
    assert.matches("toy:2:", tostring(why), 1, true)
  end)

  it("may end with a comment, and is a chunk by itself", function()
    local world <close> = new_world{"return function(node) node.state = {} end -- the end"}
    assert.is_nil(world.verdict)
    local ok, why = pcall(new_world, {"end local function f()"})
    assert.is_false(ok)
    assert.equal("protocol_invalid", why.code)
  end)
end)
