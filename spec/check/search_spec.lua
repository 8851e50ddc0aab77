local history = require "jangada.check.history"
local histories = require "spec.support.histories"
local models = require "jangada.check.models"
local search = require "jangada.check.search"

local function prepared(text, name)
  local model = models.get(name)
  local operations = history.operations(histories.parse(text))
  for _, operation in ipairs(operations) do assert(not model.prepare(operation)) end
  return operations, model
end

local function many_enqueued(count)
  local lines = {}
  for i = 1, count do lines[i] = ("%d invoke enqueue %d"):format(i, i) end
  for i = 1, count do lines[count + i] = ("%d ok enqueue %d"):format(i, i) end
  return table.concat(lines, "\n") .. "\n99 invoke dequeue\n99 ok dequeue "
end

describe("a search", function()
  it("goes on where it was, in slices of any size", function()
    local text = many_enqueued(6) .. "7"
    local whole, sliced = search.new(prepared(text, "queue")), search.new(prepared(text, "queue"))
    assert.is_false(whole:run(1000000))
    local slices = 0
    while sliced:run(7) == nil do slices = slices + 1 end
    assert.is_false(sliced.verdict)
    assert.equal(whole.steps, sliced.steps)
    assert.is_true(slices > 20)
    assert.is_false(sliced:run(7))
    assert.is_true(whole:size() > 1000)
  end)

  it("takes each step of the model once", function()
    local operations, model = prepared("0 invoke write 1; 0 ok write 1; 1 invoke write 1; "
      .. "2 invoke write 1; 1 ok write 1; 2 ok write 1; 1 invoke read; 1 ok read 2", "register")
    local taken = {}
    local found = search.new(operations, setmetatable({
      step = function(state, operation)
        local step = state .. model.describe(operation)
        assert.is_nil(taken[step], step)
        taken[step] = true
        return model.step(state, operation)
      end }, { __index = model }))
    assert.is_false(found:run(1000))
  end)

  it("passes over an operation that is optional", function()
    local text = "0 invoke write 1; 0 ok write 1; 1 invoke write 2; 1 ok write 2; "
      .. "0 invoke read; 0 ok read 1"
    local operations, model = prepared(text, "register")
    assert.is_false(search.new(operations, model):run(1000))
    operations[2].optional = true
    local found = search.new(operations, model)
    assert.is_true(found:run(1000))
    assert.equal(2, #found:order())
    operations[1].optional, operations[2].optional = true, nil -- too late for it
    assert.is_false(search.new(operations, model):run(1000))
  end)

  it("follows an order, or is as it was before", function()
    local operations, model = prepared(many_enqueued(8) .. "8", "queue")
    local good, bad = { operations[8] }, {}
    for i = 1, 7 do good[i + 1], bad[i] = operations[i], operations[i] end
    bad[8], bad[9], good[9] = operations[8], operations[9], operations[9]
    local found = search.new(operations, model)
    assert.is_false(found:follow(bad))
    assert.equal(0, #found:order())
    assert.is_true(found:follow(good))
    assert.same(good, found:order())
    local other = search.new(operations, model)
    assert.is_false(other:follow(bad))
    assert.is_true(other:run(1000000))
  end)

  it("uses the first of unknown operations that do the same", function()
    local lines = {}
    for i = 1, 40 do lines[i] = ("%d invoke write %d"):format(i, i % 2) end
    for i = 1, 20 do
      lines[#lines + 1] = "99 invoke read; 99 ok read " .. i % 2
    end
    lines[#lines + 1] = "99 invoke read; 99 ok read 7"
    local found = search.new(prepared(table.concat(lines, ";"), "register"))
    assert.is_false(found:run(5000))
  end)

  it("keeps the ways to place all that returned before the one that cannot be placed", function()
    local operations, model = prepared("0 invoke write 1; 1 invoke write 2; 0 ok write 1; "
      .. "1 ok write 2; 2 invoke cas 3,4; 2 ok cas 3,4; 0 invoke read; 0 ok read 4",
      "cas-register")
    local found = search.new(operations, setmetatable({ seen = false }, { __index = model }))
    assert.is_false(found:run(1000))
    assert.equal("cas", found.blocked.f)
    local states = {}
    for i, ending in ipairs(found.endings) do
      states[i] = ending.state
      assert.equal(2, #ending.order)
    end
    table.sort(states)
    assert.same({ "1", "2" }, states)
  end)

  it("of nothing has an order", function()
    assert.is_true(search.new({}, models.get("register")):run(1))
  end)
end)
