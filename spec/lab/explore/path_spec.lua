local explore = require("jangada.lab").explore
local labs = require "spec.support.labs"
local paths = require "jangada.lab.explore.path"

-- Two clients' messages that set a mark each; both marks together are wrong. A third does nothing.
local function make()
  return {nodes = 1, invariants = {{name = "apart", turn = function(_, machine)
    if machine.state.a and machine.state.b then return "both" end
  end}}, protocol = {name = "toy", source = [[
    return function(node)
      node.state = {}
      for _, kind in ipairs{"a", "b"} do
        node:on(kind, function(message) node.state[kind] = message.body.n end)
      end
      node:on("idle", function() end)
    end
  ]]}, clients = {function(client)
    client:send("n1", {type = "idle"})
    client:send("n1", {type = "a", n = 7})
    client:send("n1", {type = "b", n = 8})
  end}}
end

describe("the path to a violation", function()
  local found = explore(make)

  it("has no step that it does not need", function()
    assert.equal("apart", found.verdict.name)
    assert.equal(1 + 2, #found.path)
  end)

  it("can be gone again, to the same verdict", function()
    local walk <close> = paths.retrace(make, {}, found.path)
    assert.equal("apart", walk.world.verdict.name)
    assert.same({a = 7, b = 8}, walk.world.nodes[1].state)
  end)

  it("can be gone in part: there is no verdict before its end", function()
    local walk <close> = paths.retrace(make, {}, {found.path[1], found.path[2]})
    assert.is_nil(walk.world.verdict)
  end)

  it("is told, a line for each step, with what the message says", function()
    local lines = paths.describe(make, {}, found.path)
    assert.equal(2, #lines)
    table.sort(lines)
    assert.matches("{n = 7}", table.concat(lines, "\n"), 1, true)
    assert.matches("{n = 8}", table.concat(lines, "\n"), 1, true)
  end)

  it("is lost where a step is not possible", function()
    local path = {found.path[1]}
    for i = 2, 5 do path[i] = found.path[2] end -- three messages are all there are
    assert.equal("path_lost", (labs.code_of(paths.retrace, make, {}, path)))
  end)
end)
