local oracles = require "jangada.lab.oracle"

local function draw(stream, count, n)
  local answers = {}
  for i = 1, count do answers[i] = stream:choose(n) end
  return answers
end

describe("the oracle", function()
  it("answers the same for the same seed, stream and place", function()
    local a, b = oracles.new(7), oracles.new(7)
    assert.same(draw(a:stream("x"), 50, 1000), draw(b:stream("x"), 50, 1000))
    assert.equal(a:choose(1000, "x"), b:choose(1000, "x"))
  end)

  it("answers otherwise for another seed or stream", function()
    local a = oracles.new(7)
    assert.not_same(draw(a:stream("x"), 20, 1000), draw(a:stream("y"), 20, 1000))
    assert.not_same(draw(oracles.new(7):stream("x"), 20, 1000),
      draw(oracles.new(8):stream("x"), 20, 1000))
  end)

  it("keeps each stream as it is whatever the others are asked", function()
    local quiet, busy = oracles.new(3), oracles.new(3)
    local answers = {}
    for i = 1, 20 do
      draw(busy:stream("other"), i, 10)
      answers[i] = busy:stream("x"):choose(100)
    end
    assert.same(draw(quiet:stream("x"), 20, 100), answers)
  end)

  -- 30,000 draws of 10 ways: each way 3000 times, with a deviation of 52. Six of these are never
  -- met.
  it("chooses evenly", function()
    local stream, counts = oracles.new(1):stream("even"), {}
    for _ = 1, 30000 do
      local way = stream:choose(10)
      counts[way] = (counts[way] or 0) + 1
    end
    for way = 0, 9 do assert.is_true(math.abs(counts[way] - 3000) < 312, counts[way]) end
  end)

  it("is right about chances, ranges and scales", function()
    local stream = oracles.new(2):stream("x")
    local hits, low, high, small = 0, math.huge, -math.huge, 0
    for _ = 1, 10000 do
      if stream:chance(0.25) then hits = hits + 1 end
      assert.is_false(stream:chance(0))
      assert.is_true(stream:chance(1))
      local x = stream:between(-3, 3)
      low, high = math.min(low, x), math.max(high, x)
      local y = stream:logarithmic(1, 100)
      assert.is_true(y >= 1 and y <= 100.0001)
      if y < 10 then small = small + 1 end
    end
    assert.is_true(math.abs(hits - 2500) < 300)
    assert.same({-3, 3}, {low, high})
    assert.is_true(math.abs(small - 5000) < 300)
  end)
end)
