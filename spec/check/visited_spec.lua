local visited = require "jangada.check.visited"

describe("the cache of configurations", function()
  it("knows a set of completed operations and a state again", function()
    local cache = visited.new(3, 0)
    assert.is_false(cache.been(1))
    assert.is_true(cache.been(1))
    assert.is_false(cache.been(2))
    cache.put(1)
    assert.is_false(cache.been(1))
    cache.put(3)
    cache.take(3)
    assert.is_true(cache.been(1))
    cache.take(1)
    assert.is_true(cache.been(2))
  end)

  it("finds one vain that has used more unknown operations", function()
    local cache = visited.new(1, 200)
    cache.use(150)
    assert.is_false(cache.been(1))
    cache.use(3)
    assert.is_true(cache.been(1))
    cache.unuse(150)
    assert.is_false(cache.been(1)) -- 3 is not 150
    cache.use(199)
    assert.is_true(cache.been(1))
    cache.unuse(3)
    assert.is_false(cache.been(1))
  end)

  it("tells all sets of many operations apart, as a table of texts does", function()
    local count, unknown = 300, 70
    local cache, members, known = visited.new(count, unknown), {}, {}
    math.randomseed(11)
    for i = 1, count do members[i] = false end
    local again = 0
    for _ = 1, 6000 do
      local i = math.random(math.random(2) == 1 and count or 70)
      members[i] = not members[i]
      if members[i] then cache.put(i) else cache.take(i) end
      local parts = {}
      for j = 1, count do parts[j] = members[j] and "1" or "0" end
      local text = table.concat(parts)
      assert.equal(known[text] or false, cache.been(1))
      if known[text] then again = again + 1 end
      known[text] = true
      if math.random(50) == 1 then -- to a set that is known: none
        for j = 1, count do
          if members[j] then cache.take(j) end
          members[j] = false
        end
        for j = 1, math.random(130) do
          cache.put(j)
          members[j] = true
        end
      end
    end
    assert.is_true(again > 20)
  end)

  it("says how large it is", function()
    local cache = visited.new(1000, 0)
    assert.equal(0, cache.size)
    for i = 1, 1000 do
      cache.put(i)
      assert.is_false(cache.been(i))
    end
    assert.equal(1000, cache.entries)
    assert.is_true(cache.size > 80000 and cache.size < 200000)
  end)
end)
