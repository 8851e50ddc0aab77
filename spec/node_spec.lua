local labs = require "spec.support.labs"
local lab = require "jangada.lab"

local world_of, stored = labs.world, labs.stored

-- Runs a world for a while; returns its verdict.
local function verdict_of(body, options)
  local world <close> = world_of(body, options)
  return world:run(100), world
end

local function fails_with(code, body, options)
  local verdict = verdict_of(body, options)
  assert.is_not_nil(verdict, "no verdict")
  assert.equal("handler_error", verdict.kind)
  assert.equal(code, verdict.code, tostring(verdict))
  return verdict
end

local function succeeds(body, options)
  local verdict, world = verdict_of(body, options)
  assert.is_nil(verdict, verdict and verdict.traceback)
  return world
end

describe("a node", function()
  it("is given its id, its peers in order, its options and its db", function()
    succeeds([[
      assert(#node.peers == 2)
      if node.id == "n1" then assert(node.peers[1] == "n2" and node.peers[2] == "n3") end
      assert(options.answer == 42 and node.options == options and options.list[2] == "b")
      assert(node.state == nil and node.db:path() == node.id .. ".db")
    ]], {nodes = 3, options = {answer = 42, list = {"a", "b"}}})
  end)

  it("does not share its options with other nodes, nor with who gave them", function()
    local options = {list = {}}
    succeeds([[assert(#options.list == 0) table.insert(options.list, node.id)]],
      {nodes = 3, options = options})
    assert.same({list = {}}, options)
  end)

  it("sends, broadcasts and replies by value", function()
    local world <close> = world_of([[
      node.state = {got = {}}
      if node.id == "n1" then
        local body = {type = "hello", list = {1, 2}, msg_id = 5}
        node:send("n2", body)
        body.list[1] = "changed after the send"
        node:broadcast(body)
      end
      node:on("hello", function(message)
        assert(message.src == "n1" and message.dest == node.id)
        table.insert(node.state.got, message.body.list[1])
        message.body.list[1] = "changed by " .. node.id
        node:reply(message, {type = "hello_ok"})
      end)
      node:on("hello_ok", function(message)
        assert(message.body.in_reply_to == 5)
        table.insert(node.state.got, message.src)
      end)
    ]], {nodes = 3, network = {delay_ms = {1, 1}}})
    assert.is_nil(world:run(100))
    assert.same({"n2", "n2", "n3"}, world.nodes[1].state.got)
    assert.same({1, "changed after the send"}, world.nodes[2].state.got)
    assert.same({"changed after the send"}, world.nodes[3].state.got)
  end)

  it("may send to itself", function()
    local world <close> = world_of([[
      node.state = {}
      node:on("me", function() node.state.got = true end)
      node:send(node.id, {type = "me"})
    ]], {network = {loss = 1}})
    assert.is_nil(world:run(10))
    assert.is_true(world.nodes[1].state.got)
  end)

  it("cannot send what is not plain, naming what", function()
    local verdict = fails_with("not_plain",
      "node:send('n1', {type = 'x', entries = {{data = print}}})")
    assert.matches("body.entries[1].data is a function", verdict.message, 1, true)
    fails_with("not_plain", "node:broadcast{type = 'x', at = 0/0}")
    fails_with("not_plain", "node:trace('x', {fn = print})")
    fails_with("not_plain", "node.state = {timer = node:after(1, function() end)}")
    local state = fails_with("not_plain", "node.state = {log = {setmetatable({}, {})}}")
    assert.matches("node.state.log[1] is a table with a metatable", state.message, 1, true)
  end)

  it("cannot send to nobody, nor what has no type", function()
    fails_with("unknown_destination", "node:send('n9', {type = 'x'})")
    fails_with("body_invalid", "node:send('n1', {})")
    fails_with("body_invalid", "node:send('n1', 'x')")
    fails_with("body_invalid", "node:broadcast()")
    fails_with("argument_invalid", "node:on('x', 5)")
    fails_with("argument_invalid", "node:on(nil, print)")
  end)

  it("has integers and floats of its own chance", function()
    succeeds([[
      local seen = {}
      for _ = 1, 200 do
        local x = node:random(3, 5)
        assert(x == 3 or x == 4 or x == 5)
        seen[x] = true
        local y = node:random(2)
        assert(y == 1 or y == 2)
        local z = node:random()
        assert(z >= 0 and z < 1 and math.type(z) == "float")
      end
      assert(seen[3] and seen[4] and seen[5])
      assert(math.type(node:random(math.mininteger, -1)) == "integer")
    ]])
    fails_with("argument_invalid", "node:random(5, 3)")
    fails_with("argument_invalid", "node:random(0)")
    fails_with("argument_invalid", "node:random(1.5, 2)")
    fails_with("argument_invalid", "node:random(math.mininteger, math.maxinteger)")
  end)

  it("reads its clock in whole milliseconds", function()
    local world <close> = world_of[[
      node.state = {}
      assert(node:now() == 0)
      node:after(12.7, function() node.state.now = node:now() end)
    ]]
    world:run(100)
    assert.equal(12, world.nodes[1].state.now)
    assert.equal("integer", math.type(world.nodes[1].state.now))
  end)

  it("cannot act outside of its turns", function()
    local kept
    local world <close> = world_of("node.state = {} node:on('x', function() end)", {
      invariants = {function(w) kept = w.nodes[1].life.node end},
    })
    world:run(1)
    for _, call in ipairs{
      function() kept:send("n1", {type = "x"}) end,
      function() kept:after(1, function() end) end,
      function() kept.db:update(function() end) end,
      function() kept.db:view(function() end) end,
      function() kept:random(5) end,
    } do
      assert.equal("turn_over", (labs.code_of(call)))
    end
  end)

  it("raises no_handler for what another node sends and it does not know", function()
    local verdict = fails_with("no_handler",
      "if node.id == 'n1' then node:send('n2', {type = 'odd'}) end", {nodes = 2})
    assert.equal("n2", verdict.node)
  end)

  it("answers a client that sends what it does not know", function()
    local world <close> = world_of("")
    local reply = world:request(1, {type = "odd"})
    assert.equal("error", reply.type)
    assert.equal(10, reply.code)
    assert.is_nil(world.verdict)
  end)

  it("hides its insides from the protocol's getmetatable and pairs", function()
    succeeds[[
      assert(getmetatable(node) == nil and getmetatable(node.db) == nil)
      assert(tostring(node) == "jangada.Node" and tostring(node.db) == "jangada.node.DB")
      node:on("x", function() end)
    ]]
  end)

  it("must be made by a function that compiles", function()
    local function protocol(source)
      return lab.new{nodes = 1, protocol = {source = source, name = "toy"}}
    end
    assert.equal("protocol_invalid", (labs.code_of(protocol, "return +")))
    assert.equal("protocol_invalid", (labs.code_of(protocol, string.dump(function() end))))
    assert.equal("protocol_invalid", (labs.code_of(lab.new, {protocol = print})))
    assert.equal("protocol_not_found", (labs.code_of(lab.new, {protocol = "no/such/file.lua"})))
    assert.equal("protocol_not_found", (labs.code_of(lab.new, {protocol = "no.such.module"})))
    local world <close> = protocol("return 5")
    assert.equal("protocol_invalid", world.verdict.code)
  end)
end)

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
    ]], {observe = function(event)
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

  it("ends the node that has made a table weak", function()
    fails_with("not_deterministic", [[
      local meta = {}
      node.cache = setmetatable({}, meta)
      node:after(1, function() meta.__mode = "k" end)
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
