local heaps = require "jangada.lab.heap"
local labs = require "spec.support.labs"
local oracles = require "jangada.lab.oracle"

describe("the queue of events", function()
  it("gives events in the order of time, and of coming within a time", function()
    local chance = oracles.new(11):stream("heap")
    local heap, expected = heaps.new(), {}
    local n, last = 0, 0
    local function push()
      n = n + 1
      local time = last + chance:choose(50)
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
        last = time or last
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

  it("leaves what is due after a limit", function()
    local heap = heaps.new()
    heap:push(10, "a")
    heap:push(20, "b")
    assert.is_nil(heap:pop(9))
    assert.equal(10, (heap:pop(10)))
    assert.is_nil(heap:pop(19))
    assert.equal(1, heap.size)
    assert.equal(20, (heap:pop()))
    assert.is_nil(heap:pop(30))
  end)

  it("takes no more than it is told to", function()
    local heap = heaps.new()
    for i = 1, 5 do assert.equal(i <= 3, heap:push(i, i, 3)) end
    assert.equal(3, heap.size)
  end)

  it("holds any value, and lets go of what was taken", function()
    local heap, weak = heaps.new(), setmetatable({}, {__mode = "v"})
    for i = 1, 1000 do
      weak[i] = {i}
      heap:push(i % 7, weak[i])
    end
    collectgarbage()
    assert.equal(1000, #weak)
    heap:push(0, nil)
    heap:push(0, false)
    for i = 1, 1002 do
      local _, value = heap:pop()
      if i == 144 then assert.is_false(value) end
    end
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("cannot be misused", function()
    local heap = heaps.new()
    for _, other in ipairs{1, {}, io.stdout, "heap"} do
      assert.is_false((pcall(heaps.push, other, 1, "x")))
      assert.is_false((pcall(heaps.pop, other)))
      assert.is_false((pcall(heaps.peek, other)))
    end
    assert.is_false((pcall(heap.push, heap, 1.5, "x")))
    assert.is_false((pcall(heap.push, heap, 1)))
    assert.is_false((pcall(function() heap.size = 3 end)))
    assert.is_false((pcall(function() heap.sequence = -1 end)))
    assert.is_false((pcall(function() heap.sequence = 1 << 22 end)))
    assert.is_nil(heap.keys)
    assert.equal(0, heap.size)
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

  it("lists what waits, and gives any of it", function()
    local chance = oracles.new(12):stream("heap")
    local heap, there = heaps.new(), {}
    for i = 1, 200 do
      local value = {time = chance:choose(40), n = i}
      heap:push(value.time, value)
      there[i] = value
    end
    while #there > 0 do
      local times, values, keys = heap:list()
      table.sort(there, function(a, b)
        return a.time < b.time or (a.time == b.time and a.n < b.n)
      end)
      assert.same(there, values)
      for i, value in ipairs(values) do assert.equal(value.time, times[i]) end
      if chance:choose(3) == 0 then
        assert.equal(there[1], select(2, heap:pop()))
        table.remove(there, 1)
      else
        local i = chance:choose(#there) + 1
        assert.is_nil(heap:remove(keys[i], "another"))
        assert.equal(there[i].time, heap:remove(keys[i], there[i]))
        assert.is_nil(heap:remove(keys[i], there[i]))
        table.remove(there, i)
      end
      assert.equal(#there, heap.size)
    end
    assert.same({{}, {}, {}}, {heap:list()})
    assert.is_nil(heap:remove(1, "x"))
  end)
end)
