local delays = require "jangada.lab.delays"
local labs = require "spec.support.labs"
local oracles = require "jangada.lab.oracle"

-- Delays by a law, in order, in microseconds.
local function sample(given, n)
  local law, stream, result = delays.law(given, "delay_ms"), oracles.new(1):stream("delay"), {}
  for i = 1, n do result[i] = law.of(stream:choose(math.maxinteger)) end
  table.sort(result)
  return result
end

local function mean(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return sum / #list
end

describe("a law of delay", function()
  it("is always the same one, or evenly between two", function()
    local constant = sample({"constant", 7}, 100)
    assert.equal(7000, constant[1])
    assert.equal(7000, constant[100])
    assert.same(sample({2, 4}, 100), sample({"uniform", 2, 4}, 100))
    local even = sample({2, 4}, 10000)
    assert.is_true(even[1] >= 2000 and even[#even] <= 4000)
    assert.is_true(math.abs(mean(even) - 3000) < 20)
    assert.is_true(math.abs(even[2500] - 2500) < 40)
  end)

  it("is exponential, with a least and a mean", function()
    local times = sample({"exponential", 5, 25}, 20000)
    assert.is_true(times[1] >= 5000 and times[1] < 5050)
    assert.is_true(math.abs(mean(times) - 25000) < 500)
    assert.is_true(math.abs(times[10000] - (5000 + 20000 * math.log(2))) < 400)
    assert.is_true(math.abs(times[19000] - (5000 + 20000 * math.log(20))) < 2500)
    assert.equal(5000, sample({"exponential", 5, 5}, 10)[10])
  end)

  it("has a long tail, with a least and a most", function()
    local times = sample({"long_tail", 1, 300}, 20000)
    assert.is_true(times[1] >= 1000 and times[#times] == 300000)
    assert.is_true(math.abs(times[10000] - 2000) < 60)
    assert.is_true(math.abs(times[18000] - 10000) < 900)
    assert.is_true(math.abs(times[19800] - 100000) < 30000)
  end)

  it("stays an integer within its bounds, whatever it is drawn from", function()
    for _, given in ipairs{{"exponential", 0, 1e9}, {"long_tail", 0.001, 1e9}, {0, 1e9}} do
      local law = delays.law(given, "delay_ms")
      for _, draw in ipairs{0, 1, (1 << 20) - 1, math.maxinteger} do
        local us = law.of(draw)
        assert.equal("integer", math.type(us))
        assert.is_true(us >= 0 and us <= 44 * 1000000000000, us)
      end
    end
  end)

  it("that makes no sense is refused", function()
    for _, given in ipairs{5, "x", {}, {1}, {1, 2, 3}, {2, 1}, {-1, 1}, {"constant"},
      {"normal", 1, 2}, {"constant", 0 / 0}, {"exponential", 5, 4}, {"long_tail", 0, 5},
      {"long_tail", 5, 4}, {"long_tail", 1, math.huge}, {"uniform", "1", "2"}} do
      local code, message = labs.code_of(delays.law, given, "delay_ms")
      assert.equal("option_invalid", code)
      assert.matches("^delay_ms is", message)
    end
  end)
end)
