-- The log in a protocol: what a node is given has no clock, no weak tables, and transactions that
-- join the turn's.
local Log = require "jangada.log"
local lab = require "jangada.lab"

local protocol = [[
  local Log = require "jangada.log"
  return function(node)
    local log = Log.open(node.db, {"groups", "1"})
    node.state = {first = log:first_index(), last = log:last_index()}

    local steps = {}

    function steps.fill()
      local entries = {}
      for i = 1, 50 do entries[i] = {term = 1, data = "entry " .. i} end
      log:save{term = 2, vote = node.id, entries = entries, commit = 40, applied = 30,
        stable = {key = "value"}}
      log:sample("load", 0.5, node:now() / 1000)
      return log:stats().entries
    end

    function steps.snapshot()
      local writer <close> = log:snapshot_writer{index = 40, term = 1, info = "members"}
      writer:write(("x"):rep(3 << 20))
      log:save{snapshot = writer, compact = 30}
      return log:snapshot().size
    end

    function steps.fail()
      node.db:update(function()
        log:save{entries = {{term = 2, data = "undone"}}}
        error("no", 0)
      end)
    end

    function steps.look()
      local bytes = 0
      for chunk in log:snapshot_reader():each() do bytes = bytes + #chunk end
      local copy = Log.memory()
      log:copy_to(copy)
      return table.concat({log:first_index(), log:last_index(), log:term(30), log:applied(),
        bytes, log:stable("key"), #log:series("load"), #log:verify(), copy:last_index(),
        tostring(Log.open(node.db, {"groups", "1"}) == log), log:sweep()}, " ")
    end

    function steps.clock()
      log:sample("load", 1)
    end

    node:on("step", function(message)
      local ok, result = pcall(steps[message.body.step])
      node:reply(message, {type = "step_ok", ok = ok,
        result = type(result) == "table" and result.code or result})
    end)
  end
]]

describe("the log in a protocol", function()
  it("has all its verbs, in turns, and after a crash what they have saved", function()
    local world <close> = lab.new{ seed = 1, nodes = 1,
      protocol = { source = protocol, name = "protocol" }, invariants = {} }
    local function step(name)
      local reply = world:request(1, { type = "step", step = name })
      return { reply.ok, reply.result }
    end
    assert.same({ true, 50 }, step("fill"))
    assert.same({ true, 3 << 20 }, step("snapshot"))
    assert.same({ false, "no" }, step("fail"))
    local expected = ("31 50 1 30 %d value 1 0 50 true 0"):format(3 << 20)
    assert.same({ true, expected }, step("look"))
    assert.same({ false, "not_deterministic" }, step("clock"))
    world:crash(1)
    world:restart(1)
    assert.same({ first = 31, last = 50 }, world:node(1).state)
    assert.same({ true, expected }, step("look"))
  end)

  it("can be looked at from outside, with every opening anew", function()
    local world <close> = lab.new{ seed = 1, nodes = 1,
      protocol = { source = protocol, name = "protocol" }, invariants = {} }
    local db = world:node(1).db
    local name = { "groups", "1" }
    assert.equal(0, Log.open(db, name):last_index())
    world:request(1, { type = "step", step = "fill" })
    assert.equal(50, Log.open(db, name):last_index())
    world:request(1, { type = "step", step = "snapshot" })
    assert.equal(31, Log.open(db, name):first_index())
  end)
end)
