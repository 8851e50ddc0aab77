local check = require "jangada.check"
local histories = require "spec.support.histories"

local function verdict(model, text, options)
  options = options or {}
  options.model = model
  return check.run(histories.parse(text), options).verdict
end

-- Each one after another: "write 1; read 1" is done by process 0 alone.
local function alone(model, text, options)
  local lines = {}
  for f, value in text:gmatch("%s*(%a+) ?([^;]*);?") do
    local asked = f == "read" or f == "get" or f == "dequeue"
    lines[#lines + 1] = ("0 invoke %s %s"):format(f, asked and "" or value)
    lines[#lines + 1] = ("0 ok %s %s"):format(f, value)
  end
  return verdict(model, table.concat(lines, "\n"), options)
end

describe("the model", function()
  for _, case in ipairs{
    { "register", "read; write 1; read 1; write x; read x", "read 1; write 1" },
    { "register", "write nil; read; write true; read true; write false; read false",
      "write false; read" },
    { "register", "write 1,2; read 1,2; write []; read []", "write 1,2; read 2,1" },
    { "cas-register", "write 1; cas 1,2; read 2; cas 2,2; read 2", "write 1; cas 2,1" },
    { "cas-register", "cas nil,1; read 1", "cas 1,nil" },
    { "kv", "get; put a; get a; append b; get ab; delete; get; append c; get c",
      "append b; get ab" },
    { "kv", "put 1; get 1; put 2; read 2; write 3; get 3", "put 1; get" },
    { "kv", "put a; cas a,b; get b; put 1; cas 1,2; get 2", "put a; cas b,a" },
    { "kv", "cas nil,a; get a", "cas a,b" },
    { "list", "read; read []; append 1; append 1; append x; read 1,1,x",
      "append 1; append 2; read 2,1" },
    { "list", "append 1", "append 1; read" },
    { "mutex", "acquire; release; acquire; release", "acquire; acquire" },
    { "mutex", "acquire", "release" },
    { "queue", "dequeue; enqueue 1; enqueue 2; dequeue 1; dequeue 2; dequeue nil",
      "enqueue 1; enqueue 2; dequeue 2" },
    { "queue", "enqueue a; enqueue a; dequeue a; dequeue a", "enqueue 1; dequeue" },
  } do
    it(("%s allows '%s' and not '%s'"):format(case[1], case[2], case[3]), function()
      assert.equal("linearizable", alone(case[1], case[2]))
      assert.equal("not_linearizable", alone(case[1], case[3]))
    end)
  end

  it("list holds lists, too", function()
    local events = histories.parse("0 invoke append 1,2; 0 ok append; 0 invoke read; 0 ok read")
    events[4].value = { { 1, 2 } }
    assert.equal("linearizable", check.run(events, { model = "list" }).verdict)
    events[4].value = { 1, 2 }
    assert.equal("not_linearizable", check.run(events, { model = "list" }).verdict)
  end)

  it("kv gets an absent key as nil or as an empty string", function()
    local events = histories.parse("0 invoke get; 0 ok get; 0 invoke get; 0 ok get")
    events[4].value = ""
    assert.equal("linearizable", check.run(events, { model = "kv" }).verdict)
    assert.equal("not_linearizable", alone("kv", "put x; get"))
  end)

  it("kv appends to strings alone", function()
    assert.equal("not_linearizable", alone("kv", "put 1; append a"))
  end)

  it("begins with what is asked for", function()
    assert.equal("linearizable", alone("register", "read 7", { initial = 7 }))
    assert.equal("linearizable", alone("cas-register", "cas 7,8", { initial = 7 }))
    assert.equal("linearizable", alone("kv", "append b; get ab", { initial = "a" }))
    assert.equal("linearizable", alone("list", "append 2; read 1,2", { initial = { 1 } }))
    assert.equal("linearizable", alone("queue", "dequeue 1; dequeue 2", { initial = { 1, 2 } }))
    assert.equal("linearizable", alone("mutex", "release", { initial = true }))
  end)

  it("is told by the value false that a cas found something else", function()
    assert.equal("linearizable", verdict("cas-register",
      "0 invoke write 1; 0 ok write 1; 0 invoke cas 2,3; 0 ok cas false"))
    assert.equal("not_linearizable", verdict("cas-register",
      "0 invoke write 2; 0 ok write 2; 0 invoke cas 2,3; 0 ok cas false"))
    assert.equal("not_linearizable", verdict("kv",
      "0 invoke put 2; 0 ok put 2; 0 invoke cas 2,3; 0 ok cas false"))
  end)

  for _, case in ipairs{
    { "register", "0 invoke cas 1,2", "process 0: this model has no cas: it has read, write" },
    { "cas-register", "0 invoke cas 1", "the value of cas is %[old, new%], not 1" },
    { "cas-register", "0 invoke cas", "the value of cas is %[old, new%], not nil" },
    { "kv", "0 invoke append 1", "append takes a string, not 1" },
    { "list", "0 invoke read; 0 ok read 7", "read gives an array, not 7" },
  } do
    it(("%s refuses '%s'"):format(case[1], case[2]), function()
      assert.error_matches(function() verdict(case[1], case[2]) end, "event 1: process 0: .*"
        .. case[3]:gsub("^process 0: ", ""))
    end)
  end

  it("has a name among those that are listed", function()
    for _, name in ipairs(check.models) do
      assert.equal(name, check.run({}, { model = name }).model.name)
    end
    assert.equal(6, #check.models)
  end)
end)
