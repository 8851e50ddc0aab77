local labs = require "spec.support.labs"

local fails_with, succeeds, verdict_of = labs.fails_with, labs.succeeds, labs.verdict_of
local stored, world_of = labs.stored, labs.world

describe("a turn", function()
  it("that raises writes nothing, sends nothing, and stops the node with a traceback", function()
    local world <close> = world_of([[
      node.state = {count = 0}
      node:on("note", function() node.state.count = node.state.count + 1 end)
      node:on("go", function(message)
        node.db:update(function(tx) tx:ensure_bucket("b"):put("k", "v") end)
        node:send("n2", {type = "note"})
        node:reply(message, {type = "ok"})
        node:reached("half way")
        local function deeper() error("the reason") end
        deeper()
      end)
    ]], {nodes = 2})
    assert.is_nil(world:request(1, {type = "go"}))
    local verdict = world.verdict
    assert.equal("handler_error", verdict.kind)
    assert.equal("n1", verdict.node)
    assert.matches("the reason", verdict.message)
    assert.matches("toy:%d+: in .*deeper", verdict.traceback)
    assert.is_nil(stored(world, 1, "b", "k"))
    assert.equal(0, world.nodes[2].state.count)
    assert.equal(1, world.sent) -- by the client
    assert.same({}, world.marks)
  end)

  it("that raises an error object keeps its code", function()
    fails_with("log_bad_field", "require('jangada.errors').raise('log_bad_field', 'x')")
  end)

  it("that raises something odd is told as well as can be", function()
    local verdict = verdict_of("error({})")
    assert.equal("handler_error", verdict.kind)
    verdict = verdict_of("error(setmetatable({}, {__tostring = function() error('no') end}))")
    assert.matches("without a text", verdict.message)
    verdict = verdict_of("error(nil)")
    assert.equal("handler_error", verdict.kind)
  end)

  it("commits before anything it sends leaves", function()
    local sends = 0
    local world
    world = world_of([[
      node:on("put", function(message)
        node:reply(message, {type = "put_ok", value = message.body.value})
        node:broadcast{type = "told", value = message.body.value}
        node:trace("told", {value = message.body.value})
        node.db:update(function(tx) tx:ensure_bucket("b"):put("k", message.body.value) end)
      end)
      node:on("told", function() end)
    ]], {nodes = 3, observe = function(event)
      local value = event.kind == "send" and event.src == "n1" and event.body.value
        or event.kind == "trace" and event.fields.value
      if value then
        sends = sends + 1
        assert.equal(value, stored(world, 1, "b", "k"))
      end
    end})
    for i = 1, 5 do world:request(1, {type = "put", value = "v" .. i}) end
    assert.is_nil(world.verdict)
    assert.equal(5 * 4, sends)
    world:close()
  end)

  it("lets a message leave earlier that asks for it, when the handler has returned", function()
    local before, after
    local world
    world = world_of([[
      node:on("put", function(message)
        node:send(message.src, {type = "early"}, {before_durable = true})
        node:reply(message, {type = "put_ok"})
        node.db:update(function(tx) tx:ensure_bucket("b"):put("k", "v") end)
      end)
    ]], {durability = "none", observe = function(event) -- without a journal one may read meanwhile
      if event.kind == "send" and event.src == "n1" then
        local value = stored(world, 1, "b", "k")
        if event.body.type == "early" then before = value or "nothing" else after = value end
      end
    end})
    world:request(1, {type = "put"})
    assert.is_nil(world.verdict)
    assert.equal("nothing", before)
    assert.equal("v", after)
    world:close()
  end)

  it("that raises keeps even its early messages back", function()
    local world <close> = world_of([[
      node:on("go", function(message)
        node:send(message.src, {type = "early"}, {before_durable = true})
        error("late")
      end)
    ]])
    world:request(1, {type = "go"})
    assert.equal(1, world.sent)
  end)

  it("sees its own writes, and the writes of one update are one", function()
    succeeds[[
      local db = node.db
      assert(db:write_tx() == nil)
      local a, b = db:update(function(tx, x, y)
        assert(db:write_tx() == tx)
        tx:ensure_bucket("b"):put("k", "1")
        return x, y
      end, 10, 20)
      assert(a == 10 and b == 20)
      assert(db:view(function(tx) return tx:bucket("b"):get("k") end) == "1")
      db:update(function(tx)
        tx:bucket("b"):put("k", "2")
        db:update(function(inner) inner:bucket("b"):put("l", "3") end)
        assert(tx:bucket("b"):get("l") == "3")
      end)
      db:view(function(tx)
        assert(tx:bucket("b"):get("k") == "2" and tx:bucket("b"):get("l") == "3")
      end)
    ]]
  end)

  -- Which update of a turn raises and is caught: the first (which undoes the transaction), a later
  -- one or a nested one (savepoints).
  it("undoes only the writes of an update that raises", function()
    local world <close> = world_of[[
      local db = node.db
      local function put(key, fails)
        return pcall(db.update, db, function(tx)
          tx:ensure_bucket("b"):put(key, key)
          if fails then error("undo " .. key) end
        end)
      end
      local ok, message = put("first", true)
      assert(not ok and message:find("undo first"))
      assert(db:write_tx() == nil)
      assert(put("second"))
      assert(not put("third", true))
      assert(put("fourth"))
      db:update(function(tx)
        tx:bucket("b"):put("fifth", "fifth")
        assert(not put("sixth", true))
        assert(put("seventh"))
      end)
    ]]
    assert.is_nil(world.verdict, world.verdict and world.verdict.traceback)
    for _, key in ipairs{"second", "fourth", "fifth", "seventh"} do
      assert.equal(key, stored(world, 1, "b", key))
    end
    for _, key in ipairs{"first", "third", "sixth"} do
      assert.is_nil(stored(world, 1, "b", key))
    end
  end)

  it("may raise errors of its own through an update", function()
    succeeds[[
      local reason = {}
      local ok, why = pcall(node.db.update, node.db, function() error(reason) end)
      assert(not ok and why == reason)
    ]]
  end)

  it("is the only one to begin, commit or close", function()
    for _, call in ipairs{"node.db:begin('write')", "node.db:close()",
      "node.db:close{force = true}", "node.db:backup('x')",
      "node.db:update(function(tx) tx:commit() end)",
      "node.db:update(function(tx) tx:rollback() end)"} do
      fails_with("turn_owns_db", call)
    end
    fails_with("turn_owns_db", "local t node.db:update(function(tx) t = tx end) t:commit()")
  end)

  it("lets no transaction reach into the next", function()
    local verdict = verdict_of[[
      local kept
      node.db:update(function(tx) kept = tx:ensure_bucket("b") end)
      node:after(1, function() kept:put("k", "v") end)
    ]]
    assert.equal("handler_error", verdict.kind)
  end)

  it("does not yield, nor does anything inside its transactions", function()
    fails_with("yield_refused", "coroutine.yield()")
    fails_with("yield_refused", [[
      local co = coroutine.create(function()
        node.db:update(function() coroutine.yield() end)
      end)
      local ok, why = coroutine.resume(co)
      assert(not ok)
      error(why, 0)
    ]])
    local verdict = verdict_of[[
      node.db:update(function() end)
      local co = coroutine.create(function()
        node.db:update(function() coroutine.yield() end)
      end)
      local ok, why = coroutine.resume(co)
      assert(not ok)
      error(why, 0)
    ]]
    assert.equal("handler_error", verdict.kind)
  end)

  it("ends the node that has made a table weak, within some turns", function()
    fails_with("not_deterministic", [[
      local meta = {}
      node.cache = setmetatable({}, meta)
      node:after(1, function() meta.__mode = "k" end)
      node:every(1, function() end)
    ]])
  end)

  it("counts marks and fault points", function()
    local world <close> = world_of([[
      node.state = {struck = 0}
      node:every(1, function()
        node:reached("tick")
        if node:maybe("slow") then node.state.struck = node.state.struck + 1 end
      end)
    ]], {maybe_rate = 0.2})
    world:run(500)
    assert.equal(500, world.marks.tick)
    assert.is_true(world.nodes[1].state.struck > 50 and world.nodes[1].state.struck < 150)
  end)
end)
