local check = require "jangada.check"
local errors = require "jangada.errors"
local histories = require "spec.support.histories"

local SEED = math.tointeger(tonumber(os.getenv("SEED"))) or 1
local COUNT <const> = 600 -- of histories, for each model

local function run(text, options)
  options = options or {}
  options.model = options.model or "register"
  return check.run(histories.parse(text), options)
end

local function copy(operation)
  local other = {}
  for name, value in pairs(operation) do other[name] = value end
  return other
end

-- All operations that a result looked at, by invocation.
local function operations_of(result)
  local operations = {}
  for _, part in ipairs(result.parts) do
    table.move(part.operations, 1, #part.operations, #operations + 1, operations)
  end
  return operations
end

-- What there is at an event: what returns at it or later is open, but for `last`.
local function cut(operations, last, loose)
  local some, optional = {}, {}
  for _, operation in ipairs(operations) do
    if operation.invoked < last.returned then
      local other = copy(operation)
      if other.returned and other.returned >= last.returned and operation ~= last then
        other.returned = nil
      end
      some[#some + 1] = other
      if loose and not loose[operation] then
        if other.returned then
          optional[#optional + 1] = other
        else
          other.known, other.failed = false, false
        end
      end
    end
  end
  return some, optional
end

local function check_failure(result, operations)
  local model, failure = result.model, result.failure
  local blocked = failure.operation
  assert.is_false(histories.has_order(cut(operations, blocked), model))
  local before = {}
  for _, operation in ipairs(cut(operations, blocked)) do
    if operation.invoked == blocked.invoked then operation.returned = nil end
    before[#before + 1] = operation
  end
  assert.is_true(histories.has_order(before, model))
  local core = {}
  for _, operation in ipairs(failure.core) do core[operation] = true end
  assert.is_true(core[blocked])
  local some, optional = cut(operations, blocked, core)
  assert.is_true(histories.is_bad_without_any(some, optional, model))
end

-- Whether an order is one: by the model, and by who finished before whom.
local function check_order(result, operations)
  local placed = {}
  for _, part in ipairs(result.parts) do
    local state = result.model.init(nil)
    for i, operation in ipairs(part.order) do
      local legal
      legal, state = result.model.step(state, operation)
      assert.is_true(legal)
      placed[operation] = true
      for j = i + 1, #part.order do
        local later = part.order[j]
        assert.is_false(later.returned ~= nil and later.returned < operation.invoked)
      end
    end
  end
  for _, operation in ipairs(operations) do
    assert.is_true(placed[operation] or not operation.returned)
  end
end

describe("check.run #big", function()
  for m, name in ipairs(check.models) do
    it(("agrees with a checker that tries every order of a %s, on histories at random (SEED=%d)")
      :format(name, SEED), function()
      local verdicts = { [true] = 0, [false] = 0 }
      for i = 1, COUNT do
        math.randomseed(SEED * 1000003 + m * COUNT + i)
        local events = histories.random(math.random, name, 3 + i % 5)
        local result = check.run(events, { model = name,
          failed_cas = i % 2 == 0 and "mismatch" or "removed" })
        local operations = operations_of(result)
        local has_order = histories.has_order(operations, result.model)
        verdicts[has_order] = verdicts[has_order] + 1
        assert.equal(has_order and "linearizable" or "not_linearizable", result.verdict)
        if has_order then
          check_order(result, operations)
        else
          check_failure(result, operations)
        end
        assert.is_string(check.explain(result))
      end
      assert.is_true(verdicts[true] > COUNT / 10 and verdicts[false] > COUNT / 10)
    end)
  end

  it("finds an order of what overlaps, and says which", function()
    local result = run([[
      0 invoke write 100
      1 invoke read
      2 invoke read
      2 ok read 0
      1 ok read 100
      0 ok write 100]], { initial = 0 })
    assert.equal("linearizable", result.verdict)
    local order = {}
    for i, operation in ipairs(result.parts[1].order) do order[i] = operation.process end
    assert.same({ 2, 0, 1 }, order)
  end)

  it("finds none of a value that goes back", function()
    local result = run([[
      0 invoke write 200
      1 invoke read
      1 ok read 200
      2 invoke read
      2 ok read 0
      0 ok write 200]], { initial = 0 })
    assert.equal("not_linearizable", result.verdict)
    assert.equal(2, result.failure.operation.process)
    assert.equal("200", result.failure.endings[1].state)
  end)

  it("lets an operation of unknown outcome take effect late, or never", function()
    local late = "0 invoke write 1; 0 info write 1; 1 invoke read; 1 ok read; 1 invoke read;"
    assert.equal("linearizable", run(late .. "1 ok read 1").verdict)
    assert.equal("linearizable", run(late .. "1 ok read").verdict)
    assert.equal("not_linearizable", run(late .. "1 ok read 1; 1 invoke read; 1 ok read").verdict)
    assert.equal(1, run(late).unknown - 1) -- the last read is open, too
  end)

  it("takes an operation that failed as one that never was", function()
    local result = run("0 invoke write 1; 0 fail write 1; 1 invoke read; 1 ok read 1")
    assert.equal("not_linearizable", result.verdict)
    assert.equal(1, result.removed)
  end)

  it("takes a cas that failed as either of two things", function()
    local text = "0 invoke write 1; 0 ok write 1; 0 invoke cas 1,2; 0 fail cas 1,2"
    local removed = run(text, { model = "cas-register" })
    assert.equal("linearizable", removed.verdict)
    assert.equal(1, removed.removed_cas)
    local mismatch = run(text, { model = "cas-register", failed_cas = "mismatch" })
    assert.equal("not_linearizable", mismatch.verdict)
    assert.equal(0, mismatch.removed)
    -- one that says why it failed did not happen
    local events = histories.parse(text)
    events[#events].error = "timeout"
    mismatch = check.run(events, { model = "cas-register", failed_cas = "mismatch" })
    assert.equal("linearizable", mismatch.verdict)
    assert.equal(0, mismatch.removed_cas)
  end)

  it("lets an operation of unknown outcome be why a cas found another value", function()
    local text = [[
      0 invoke write 2
      1 invoke cas 2,5
      1 info cas 2,5
      0 ok write 2
      2 invoke cas 2,3
      2 ok cas false]]
    assert.equal("linearizable", run(text, { model = "cas-register" }).verdict)
    local result = run((text:gsub("1 info cas 2,5", "1 ok cas false")), { model = "cas-register" })
    assert.equal("not_linearizable", result.verdict)
    assert.equal("linearizable", run(text, { model = "kv" }).verdict)
  end)

  it("checks keys apart", function()
    local result = run([[
      0 invoke put a @x
      1 invoke put b @y
      0 ok put a @x
      1 ok put b @y
      0 invoke get @x
      0 ok get a @x
      1 invoke get @y
      1 ok get a @y]], { model = "kv" })
    assert.equal("not_linearizable", result.verdict)
    assert.equal("y", result.failure.key)
    assert.equal(2, #result.parts)
  end)

  it("tries the order that a history gives first", function()
    local events, n = {}, 12
    for i = 1, n do events[i] = { process = i, type = "invoke", f = "append", value = i } end
    for i = 1, n do
      events[n + i] = { process = i, type = "ok", f = "append", value = i, order = n - i }
    end
    local list = {}
    for i = 1, n do list[i] = n + 1 - i end
    events[#events + 1] = { process = 99, type = "invoke", f = "read" }
    events[#events + 1] = { process = 99, type = "ok", f = "read", value = list }
    local result = check.run(events, { model = "list" })
    assert.equal("linearizable", result.verdict)
    assert.is_true(result.witness)
    assert.is_true(result.steps <= 2 * #events)
    for _, event in ipairs(events) do event.order = nil end
    result = check.run(events, { model = "list" })
    assert.equal("linearizable", result.verdict)
    assert.is_false(result.witness)
  end)

  it("does not trust an order that is given", function()
    local text = "0 invoke write 1; 0 ok write 1; 1 invoke write 2; 1 ok write 2; 2 invoke read;"
    local function with_order(last)
      local events = histories.parse(text .. last)
      events[2].order, events[4].order = 2, 1
      return check.run(events, { model = "register" })
    end
    assert.equal("linearizable", with_order("2 ok read 2").verdict)
    assert.is_false(with_order("2 ok read 2").witness)
    assert.equal("not_linearizable", with_order("2 ok read 1").verdict)
  end)

  it("says that it does not know when the budget is used up", function()
    local events = {}
    for i = 1, 12 do events[i] = { process = i, type = "invoke", f = "enqueue", value = i } end
    for i = 1, 12 do events[12 + i] = { process = i, type = "ok", f = "enqueue", value = i } end
    for _ = 1, 2 do
      events[#events + 1] = { process = 1, type = "invoke", f = "dequeue" }
      events[#events + 1] = { process = 1, type = "ok", f = "dequeue", value = 7 }
    end
    local result = check.run(events, { model = "queue", steps_max = 30000 })
    assert.equal("unknown", result.verdict)
    assert.equal("steps", result.parts[1].reason)
    assert.is_true(result.steps >= 30000 and result.steps < 31000)
    result = check.run(events, { model = "queue", memory_max = 1 << 20 })
    assert.equal("unknown", result.verdict)
    assert.equal("memory", result.parts[1].reason)
    assert.truthy(check.explain(result):find("out of memory", 1, true))
  end)

  it("finds the bad key although another one is hopeless", function()
    local events = {}
    for i = 1, 14 do
      events[i] = { process = i, type = "invoke", f = "enqueue", key = "a", value = i }
    end
    for i = 1, 14 do events[14 + i] = { process = i, type = "ok", f = "enqueue", value = i } end
    for i, key in ipairs{ "a", "a", "b" } do
      events[#events + 1] = { process = i, type = "invoke", f = "dequeue", key = key }
      events[#events + 1] = { process = i, type = "ok", f = "dequeue", value = 7 }
    end
    local result = check.run(events, { model = "queue" })
    assert.equal("not_linearizable", result.verdict)
    assert.equal("b", result.failure.key)
    assert.is_true(result.steps < 100000)
  end)

  it("checks a history of 2,000 operations in few steps", function()
    local events, held = {}, {}
    math.randomseed(7)
    for i = 1, 2000 do
      local key, process = "k" .. math.random(10), math.random(50)
      local event = { process = process, type = "invoke", f = "append", key = key,
        value = i .. "." }
      local done = { process = process, type = "ok", f = "append", value = event.value }
      if i % 2 == 0 then
        event.f, event.value, done.f, done.value = "get", nil, "get", held[key] or ""
      else
        held[key] = (held[key] or "") .. event.value
      end
      events[2 * i - 1], events[2 * i] = event, done
    end
    local result = check.run(events, { model = "kv" })
    assert.equal("linearizable", result.verdict)
    assert.is_true(result.steps < 10000)
  end)

  it("takes a model of one's own, whose states are tables with a digest", function()
    local counter = {
      init = function(initial) return { n = initial or 0 } end,
      digest = function(state) return tostring(state.n) end,
      step = function(state, operation)
        if operation.f == "add" then return true, { n = state.n + operation.input } end
        return not operation.known or state.n == operation.output, state
      end,
    }
    local text = "0 invoke add 2; 1 invoke add 3; 1 ok add; 0 ok add; 2 invoke get; 2 ok get "
    assert.equal("linearizable", run(text .. "5", { model = counter }).verdict)
    assert.equal("linearizable", run(text .. "6", { model = counter, initial = 1 }).verdict)
    local bad = run(text .. "3", { model = counter })
    assert.equal("not_linearizable", bad.verdict)
    assert.truthy(check.explain(bad):find("get → 3", 1, true))
    assert.truthy(check.explain(bad):find("the state was {\"n\" 5}", 1, true), check.explain(bad))
  end)

  it("tells processes apart for a model that looks at them", function()
    local owned = {
      init = function() return false end, by_process = true,
      step = function(owner, operation)
        if operation.f == "acquire" then return not owner, operation.process end
        return owner == operation.process, false
      end,
    }
    local text = "1 invoke acquire; 2 invoke acquire; %d ok acquire; 1 invoke release; 1 ok release"
    assert.equal("linearizable", run(text:format(1), { model = owned }).verdict)
    text = "1 invoke acquire; 1 ok acquire; 2 invoke release; 2 ok release"
    assert.equal("not_linearizable", run(text, { model = owned }).verdict)
  end)

  it("lets what a model raises through", function()
    local model = { init = function() end, step = function() error("no idea", 0) end }
    assert.error_matches(function() run("0 invoke x; 0 ok x", { model = model }) end, "^no idea$")
  end)

  for what, case in pairs{
    ["an unknown option"] = { { modle = "register" }, "option_unknown" },
    ["an option of the wrong type"] = { { model = "register", by_time = 1 }, "option_invalid" },
    ["a budget of nothing"] = { { model = "register", steps_max = 0 }, "option_invalid" },
    ["an unknown meaning"] = { { model = "register", failed_cas = "x" }, "option_invalid" },
    ["an unknown model"] = { { model = "regster" }, "model_invalid" },
    ["no model"] = { {}, "model_invalid" },
    ["a model without a step"] = { { model = { init = print } }, "model_invalid" },
    ["a model with an unknown field"] = { { model = { init = print, step = print, x = 1 } },
      "model_invalid" },
    ["a model whose init is none"] = { { model = { init = 7, step = print } }, "model_invalid" },
    ["states that cannot be told apart"] = { { model = {
      init = function() return {} end, step = print } }, "model_invalid" },
    ["a digest that is none"] = { { model = { init = print, step = print,
      digest = function() return {} end } }, "model_invalid" },
    ["no options"] = { 7, "option_invalid" },
  } do
    it("refuses " .. what, function()
      local events = histories.parse("0 invoke read; 0 ok read 1")
      local ok, failure = pcall(check.run, events, case[1])
      assert.is_false(ok)
      assert.equal(case[2], errors.is(failure) and failure.code or failure)
    end)
  end
end)
