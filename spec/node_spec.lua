local lab = require "jangada.lab"
local labs = require "spec.support.labs"

local fails_with, succeeds, world_of = labs.fails_with, labs.succeeds, labs.world

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

  it("tells the world nothing that has no name, and no entry that is none", function()
    for _, call in ipairs{"committed()", "committed(1, 1)", "committed(1, 1, 5)",
      "committed(1.0, 1, 'x')", "committed(1, nil, 'x')", "reached()", "reached({})", "trace()",
      "trace(7)", "maybe()", "maybe({})"} do
      fails_with("argument_invalid", "node:" .. call)
    end
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
