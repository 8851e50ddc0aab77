local lab = require "jangada.lab"
local labs = require "spec.support.labs"

-- A node that takes each command once, in order, and sometimes fails to answer.
local server = [[
  local log = {}
  node.state = log
  node:on("submit", function(message)
    local body = message.body
    if node.id ~= options.leader then
      return node:reply(message, {type = "error", code = 11, leader = options.hint})
    end
    for i, command in ipairs(body.commands) do
      local number = body.number + i - 1
      assert(number <= #log + 1, "a gap")
      if number == #log + 1 then log[number] = command end
    end
    if node:random() < (options.silent or 0) then return end
    node:reply(message, {type = "submit_ok", number = body.number + #body.commands - 1,
      results = {#body.commands}})
  end)
]]

local function letters(n)
  local list = {}
  for i = 1, n do list[i] = ("command %d"):format(i) end
  return list
end

local function run(stream, options, ms)
  local world = labs.world(server, {nodes = 3, options = options, clients = {stream}})
  world:run_until(function() return stream.done end, ms or 100000)
  assert.is_nil(world.verdict, tostring(world.verdict))
  return world
end

describe("a stream", function()
  it("submits all of its commands, once and in order", function()
    for _, n in ipairs{0, 1, 9, 10, 11, 100} do
      local stream = lab.stream{commands = letters(n), batch_max = 10}
      local world <close> = run(stream, {leader = "n1"})
      assert.is_true(stream.done)
      assert.equal(n, stream.acknowledged)
      assert.same(letters(n), world.nodes[1].state)
      assert.equal(0, stream.retries)
    end
  end)

  it("follows a leader's hint, and without one tries the next node", function()
    local hinted = lab.stream{commands = letters(5)}
    run(hinted, {leader = "n3", hint = "n3"}):close()
    assert.equal(1, hinted.retries)
    local unaided = lab.stream{commands = letters(5)}
    run(unaided, {leader = "n3"}):close()
    assert.equal(2, unaided.retries)
    local fooled = lab.stream{commands = letters(5)}
    run(fooled, {leader = "n3", hint = "n9"}):close()
    assert.equal(2, fooled.retries)
  end)

  it("submits again what was not answered", function()
    local stream = lab.stream{commands = letters(60), batch_max = 3, timeout_ms = 50}
    local world <close> = run(stream, {leader = "n1", silent = 0.3})
    assert.is_true(stream.done and stream.retries > 5)
    assert.same(letters(60), world.nodes[1].state)
  end)

  it("takes its commands from a function, within the bytes of a request", function()
    local n, sizes = 0, {}
    local stream = lab.stream{commands = function()
      n = n + 1
      return n <= 7 and (n == 4 and ("x"):rep(100) or ("x"):rep(4)) or nil
    end, bytes_max = 10}
    local world <close> = labs.world(server, {nodes = 1, options = {leader = "n1"},
      clients = {stream}, observe = function(row)
        if row.kind == "send" and row.body.type == "submit" then
          sizes[#sizes + 1] = #row.body.commands
        end
      end})
    assert.is_true(world:run_until(function() return stream.done end, 10000))
    assert.same({2, 1, 1, 2, 1}, sizes)
    assert.equal(7, stream.acknowledged)
  end)

  it("raises when a command is refused for good", function()
    local stream = lab.stream{commands = {"x"}}
    local world <close> = labs.world([[
      node:on("submit", function(message)
        node:reply(message, {type = "error", code = 12, text = "no good"})
      end)
    ]], {clients = {stream}})
    local code, message = labs.code_of(world.run, world, 1000)
    assert.equal("command_refused", code)
    assert.matches("no good", message)
  end)

  it("knows its options", function()
    assert.equal("option_unknown", (labs.code_of(lab.stream, {commands = {}, batch = 5})))
    assert.equal("option_invalid", (labs.code_of(lab.stream, {})))
  end)
end)
