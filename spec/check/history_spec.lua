local history = require "jangada.check.history"
local histories = require "spec.support.histories"

local function operations(text)
  return history.operations(histories.parse(text))
end

describe("the operations of a history", function()
  it("have what was asked for, what was answered, and when", function()
    local found = history.operations{
      { process = 0, type = "invoke", f = "write", key = "x", value = 1, time = 5, line = 10 },
      { process = "c1", type = "invoke", f = "read", time = 6, line = 11 },
      { process = 0, type = "ok", f = "write", time = 7, line = 12, order = 3 },
      { process = "c1", type = "ok", value = 1, time = 8, line = 13 },
    }
    assert.equal(2, #found)
    assert.same({ index = 1, process = 0, f = "write", key = "x", input = 1, known = true,
      failed = false, invoked = 1, returned = 3, time = 5, time_returned = 7, line = 10,
      line_returned = 12, order = 3 }, found[1])
    assert.equal(1, found[2].output)
    assert.equal("read", found[2].f)
  end)

  it("are open to the end when nothing, or info, comes back", function()
    local found = operations("0 invoke write 1; 1 invoke write 2; 0 info write 1")
    for _, operation in ipairs(found) do
      assert.is_false(operation.known)
      assert.is_nil(operation.returned)
    end
  end)

  it("know that they failed", function()
    local found = operations("0 invoke write 1; 0 fail write 1; 0 invoke read; 0 ok read")
    assert.is_true(found[1].failed)
    assert.is_false(found[2].failed)
  end)

  it("leave out what the nemesis did", function()
    assert.equal(1, #operations("nemesis info start; 0 invoke read; nemesis info stop; 0 ok read"))
  end)

  it("can be ordered by time, invocations first", function()
    local events = {
      { process = 1, type = "invoke", f = "read", time = 10 },
      { process = 1, type = "ok", f = "read", time = 20 },
      { process = 2, type = "invoke", f = "read", time = 20 },
      { process = 2, type = "ok", f = "read", time = 30 },
      { process = 3, type = "invoke", f = "read", time = 5 },
      { process = 3, type = "ok", f = "read", time = 6.5 },
    }
    local found = history.operations(events, true)
    assert.same({ 3, 1, 2 }, { found[1].process, found[2].process, found[3].process })
    assert.is_true(found[3].invoked < found[2].returned)
    assert.equal(3, events[5].process)
  end)
end)

describe("a history", function()
  for what, case in pairs{
    ["a completion of nothing"] = { "0 ok read 1", "event 1: process 0 has no operation that could "
      .. "be ok" },
    ["two completions"] = { "0 invoke read; 0 ok read; 0 info read", "event 3: process 0 has no" },
    ["two open operations of a process"] = { "0 invoke read; 0 invoke write 1",
      "event 2: process 0 invokes write while its read of event 1 is open" },
    ["a process that goes on after info"] = { "0 invoke read; 0 info read; 0 invoke read",
      "event 3: process 0 has an operation of unknown outcome %(read of event 1%)" },
    ["another function in the completion"] = { "0 invoke read; 0 ok write 1",
      "event 2: process 0 completes write, but invoked read %(event 1%)" },
    ["an unknown type"] = { "0 call read", "event 1: type is invoke, ok, fail or info, not call" },
  } do
    it("is refused for " .. what, function()
      assert.error_matches(function() operations(case[1]) end, case[2])
    end)
  end

  for what, case in pairs{
    ["no process"] = { { { type = "invoke", f = "x" } }, "process is an integer or a name" },
    ["a process that is none"] = { { { process = 0.5, type = "invoke", f = "x" } },
      "not a number" },
    ["no function"] = { { { process = 1, type = "invoke" } }, "f is the name" },
    ["an event that is none"] = { { 7 }, "event 1 is a number" },
    ["an order that is none"] = { { { process = 1, type = "invoke", f = "x", order = "1" } },
      "order is a number" },
    ["a time that falls"] = { { { process = 1, type = "invoke", f = "x", time = 2 },
      { process = 1, type = "ok", f = "x", time = 1 } }, "event 2: time 1 is before the 2" },
  } do
    it("is refused for " .. what, function()
      assert.error_matches(function() history.operations(case[1]) end, case[2])
    end)
  end

  it("cannot be ordered by times that are missing", function()
    assert.error_matches(function()
      history.operations({ { process = 1, type = "invoke", f = "x", line = 3 } }, true)
    end, "line 3: there is no time")
  end)

  it("is named by its lines, where it has some", function()
    assert.error_matches(function()
      history.operations{ { process = 1, type = "invoke", f = "x", line = 5 },
        { process = 1, type = "invoke", f = "y", line = 9 } }
    end, "line 9: process 1 invokes y while its x of line 5 is open")
  end)
end)
