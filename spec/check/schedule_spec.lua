local schedule = require "jangada.check.schedule"

-- A search that takes so many steps to a verdict, and so many bytes a step.
local function fake(steps, verdict, bytes)
  local self = { steps = 0, verdict = nil }
  function self.run(_, more)
    self.steps = math.min(self.steps + more, steps)
    if self.steps == steps then self.verdict = verdict end
  end
  function self.size() return self.steps * (bytes or 1) end
  function self.order() return "an order" end
  return { search = self }
end

local function run(parts, steps_max, memory_max, progress)
  return schedule.run(parts, { steps_max = steps_max or 1e9, memory_max = memory_max or 1e12,
    progress = progress })
end

describe("a budget", function()
  it("goes to all searches in turn, in slices that double", function()
    local parts = { fake(10000000, true), fake(10000000, true), fake(70000, false) }
    local part, steps = run(parts)
    assert.equal(parts[3], part)
    assert.equal(20000 * 3 + 40000 * 3 + 80000 * 2 + 10000, steps)
    assert.is_nil(parts[1].verdict)
    assert.is_nil(parts[1].reason)
  end)

  it("keeps the orders that are found, and lets the searches go", function()
    local parts = { fake(100, true), fake(30000, true) }
    local part, steps = run(parts)
    assert.is_nil(part)
    assert.equal(30100, steps)
    assert.equal("an order", parts[2].order)
    assert.is_nil(parts[2].search)
  end)

  it("ends with its steps", function()
    local parts = { fake(100, true), fake(1e9, true), fake(1e9, false) }
    local part, steps = run(parts, 100000)
    assert.is_nil(part)
    assert.equal(100000, steps)
    assert.is_true(parts[1].verdict)
    assert.equal("steps", parts[2].reason)
    assert.equal("steps", parts[3].reason)
  end)

  it("gives up the largest search when memory ends, and goes on with the others", function()
    local parts = { fake(1e9, true, 100), fake(500000, false, 1), fake(500000, true, 2) }
    local part = run(parts, 1e9, 3000000)
    assert.equal(parts[2], part)
    assert.equal("memory", parts[1].reason)
    assert.is_nil(parts[1].search)
  end)

  it("tells how far it is", function()
    local told = {}
    run({ fake(100, true), fake(30000, true) }, nil, nil, function(done, total, steps)
      told[#told + 1] = { done, total, steps }
    end)
    assert.same({ { 0, 2, 100 }, { 0, 2, 20100 }, { 1, 2, 30100 } }, told)
  end)
end)
