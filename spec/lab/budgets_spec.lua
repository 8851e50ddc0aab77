-- What a run may use of messages and memory.
local labs = require "spec.support.labs"
local verdicts = require "jangada.lab.verdict"

local STORM <const> = [[
  node.state = {}
  node:on("echo", function(message) node:reply(message, {type = "echo"}) end)
  node:on("storm", function() node:broadcast{type = "storm"} node:broadcast{type = "storm"} end)
  if node.id == "n1" then
    node:broadcast{type = "echo"}
    node:after(20, function() node:broadcast{type = "storm"} end)
  end
]]

describe("a budget", function()
  it("of messages ends a storm, and says which there are most of", function()
    local world <close> = labs.world(STORM, {nodes = 3, messages_max = 500})
    local verdict = world:run(10000)
    assert.equal("message_storm", verdict.kind)
    assert.equal("unknown", verdicts.outcome(verdict))
    local count, id = verdict.message:match(
      "^more than 500 messages are on their way, (%d+) of them storm from (n%d)$")
    assert.is_true(tonumber(count) > 150, verdict.message)
    assert.is_not_nil(id)
    assert.is_true(world.heap.size < 520)
  end)

  it("of messages counts those that a clog or a pause holds", function()
    for _, how in ipairs{"clog", "pause"} do
      local world <close> = labs.world([[
        node.state = {}
        node:on("x", function() end)
        if node.id == "n1" then node:every(1, function() node:send("n2", {type = "x"}) end) end
      ]], {nodes = 2, messages_max = 100})
      if how == "clog" then world:clog(1, 2) else world:pause(2) end
      local verdict = world:run(1000)
      assert.equal("message_storm", verdict.kind)
      assert.matches("101 of them x from n1$", verdict.message)
    end
  end)

  it("of messages is not used up by those that arrived, were lost or came to nobody", function()
    local world <close> = labs.world([[
      node.state = {}
      node:on("x", function() end)
      node:every(1, function() node:broadcast{type = "x"} end)
    ]], {nodes = 3, messages_max = 200, network = {loss = 0.2,
      duplication = 0.2, corruption = 0.1}})
    for _ = 1, 5 do
      world:run(100)
      world:pause(2)
      world:partition({1}, {2, 3})
      world:run(20)
      world:crash(2)
      world:run(100)
      world:restart(2)
      world:heal()
    end
    assert.is_nil(world.verdict)
    assert.is_true(world.sent > 2000)
    local waiting = 0
    for _, pending in ipairs(world:pending()) do
      if pending.kind == "message" then waiting = waiting + 1 end
    end
    assert.equal(waiting, world.sent + world.duplicated - world.delivered - world.lost)
  end)

  it("of memory ends a run that takes more", function()
    local body = [[
      node.state = {}
      local kept = {}
      node:every(1, function()
        local junk = ("x"):rep(20000) .. node:now()
        if options.keep then kept[#kept + 1] = junk end
      end)
    ]]
    local mib = collectgarbage("count") / 1024 + 30
    local world <close> = labs.world(body, {memory_max = mib, options = {keep = true}})
    local verdict = world:run(20000)
    assert.equal("memory_exceeded", verdict.kind)
    assert.equal("unknown", verdicts.outcome(verdict))
    local modest <close> = labs.world(body, {memory_max = mib + 60})
    assert.is_nil(modest:run(8000)) -- what it lets go of does not count
  end)
end)
