local heaps = require "jangada.lab.heap"
local labs = require "spec.support.labs"
local oracles = require "jangada.lab.oracle"

describe("the queue of events", function()
  it("gives events in the order of time, and of coming within a time", function()
    local chance = oracles.new(11):stream("heap")
    local heap, expected = heaps.new(), {}
    local n = 0
    local function push()
      n = n + 1
      local time = (heap.last or 0) + chance:choose(50)
      heap:push(time, n)
      expected[#expected + 1] = {time = time, n = n}
    end
    for round = 1, 3000 do
      if chance:choose(100) < (round < 2000 and 60 or 20) then
        push()
      else
        table.sort(expected, function(a, b)
          return a.time < b.time or (a.time == b.time and a.n < b.n)
        end)
        local first = table.remove(expected, 1)
        assert.equal(first and first.time, heap:peek())
        local time, value = heap:pop()
        assert.equal(first and first.time, time)
        assert.equal(first and first.n, value)
        heap.last = time or heap.last
        assert.equal(#expected, heap.size)
      end
    end
  end)

  it("keeps the order when its sequences are used up", function()
    local heap = heaps.new()
    for i = 1, 100 do heap:push(i % 3, i) end
    heap.sequence = (1 << 22) - 10 -- as after four million pushes
    for i = 101, 200 do heap:push(i % 3, i) end
    assert.is_true(heap.sequence < 1000)
    local last_time, last_value = -1, 0
    for _ = 1, 200 do
      local time, value = heap:pop()
      assert.equal(value % 3, time)
      assert.is_true(time > last_time or (time == last_time and value > last_value))
      last_time, last_value = time, value
    end
    assert.is_nil(heap:pop())
  end)

  it("gives each event a key of its own", function()
    local heap, seen = heaps.new(), {}
    for i = 1, 50 do heap:push(i // 10, i) end
    for _ = 1, 50 do
      local _, _, key = heap:pop()
      assert.is_nil(seen[key])
      seen[key] = true
    end
  end)

  it("refuses times it cannot hold", function()
    local heap = heaps.new()
    heap:push(heaps.time_max_us, "last")
    assert.equal(heaps.time_max_us, heap:peek())
    for _, time in ipairs{-1, heaps.time_max_us + 1} do
      assert.equal("time_out_of_range", (labs.code_of(heap.push, heap, time, "x")))
    end
  end)
end)
