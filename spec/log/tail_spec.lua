local tail = require "jangada.log.tail"

local function add(self, term, type, data)
  tail.append(self, { { term = term, type = type, data = data } }, #data)
end

local function find(self, index)
  if index < self.first or index > self.last then return nil end
  local slot = (index & tail.MASK) + 1
  return { self.terms[slot], self.types[slot], self.data[slot] }
end

-- How many entries are held: all from the first to the last one, and nothing else.
local function held(self)
  local count, bytes = 0, 0
  for index = self.first, self.last do
    local entry = find(self, index)
    assert.same({ "integer", "integer", "string" },
      { math.type(entry[1]), math.type(entry[2]), type(entry[3]) })
    count, bytes = count + 1, bytes + #entry[3]
  end
  local data = 0
  for _ in pairs(self.data) do data = data + 1 end
  assert.equal(count, data)
  assert.is_true(bytes <= tail.BYTES_MAX or count == 1)
  assert.is_true(self.bytes == bytes or not self.is_exact and self.bytes > bytes)
  return count
end

describe("the tail of a log", function()
  it("begins without knowing the entries that are there", function()
    local self = tail.new(41)
    assert.equal(0, held(self))
    add(self, 3, 1, "x")
    assert.equal(1, held(self))
    assert.same({ 3, 1, "x" }, find(self, 42))
    assert.is_nil(find(self, 41))
  end)

  it("keeps no more entries than COUNT_MAX", function()
    local self = tail.new(0)
    for i = 1, tail.COUNT_MAX + 10 do add(self, 1, 0, "x" .. i) end
    assert.equal(tail.COUNT_MAX, held(self))
    assert.equal(11, self.first)
    for index = 11, tail.COUNT_MAX + 10 do
      assert.same({ 1, 0, "x" .. index }, find(self, index))
    end
  end)

  it("takes more entries at once than it keeps, and those without a type", function()
    local self, entries = tail.new(7), {}
    for i = 1, 2 * tail.COUNT_MAX do entries[i] = { term = i, data = "x" .. i } end
    local bytes = 0
    for _, entry in ipairs(entries) do bytes = bytes + #entry.data end
    tail.append(self, entries, bytes)
    assert.equal(tail.COUNT_MAX, held(self))
    local last = 7 + 2 * tail.COUNT_MAX
    assert.same({ 2 * tail.COUNT_MAX, 0, "x" .. 2 * tail.COUNT_MAX }, find(self, last))
  end)

  it("keeps no more data than BYTES_MAX, but always the last entry", function()
    local self = tail.new(0)
    for _ = 1, 5 do add(self, 1, 0, ("x"):rep(tail.BYTES_MAX // 2)) end
    assert.equal(2, held(self))
    add(self, 1, 0, ("y"):rep(tail.BYTES_MAX + 1))
    assert.equal(1, held(self))
  end)

  it("keeps to both limits at each step, whatever came before, and holds half of it", function()
    local self = tail.new(0)
    for _ = 1, 3 * tail.COUNT_MAX do add(self, 1, 0, "small") end
    for size = 1060, 1000, -30 do
      local data = ("x"):rep(size)
      for _ = 1, 2 * tail.COUNT_MAX do
        add(self, 1, 0, data)
        local bytes = 0
        for index = self.first, self.last do bytes = bytes + #self.data[(index & tail.MASK) + 1] end
        assert(bytes <= tail.BYTES_MAX and self.last - self.first < tail.COUNT_MAX)
      end
      assert.is_true(held(self) > tail.COUNT_MAX // 2)
    end
  end)

  it("drops what is truncated, also from before what it holds", function()
    local self = tail.new(10)
    for _ = 1, 5 do add(self, 1, 0, "abc") end
    tail.truncate(self, 14)
    assert.equal(3, held(self))
    assert.equal(13, self.last)
    tail.truncate(self, 4)
    assert.equal(0, held(self))
    add(self, 2, 0, "d")
    assert.equal(1, held(self))
    assert.same({ 2, 0, "d" }, find(self, 4))
  end)

  it("drops what is compacted, also past its end", function()
    local self = tail.new(10)
    for _ = 1, 5 do add(self, 1, 0, "abc") end
    tail.drop(self, 9)
    assert.equal(5, held(self))
    tail.drop(self, 14)
    assert.equal(2, held(self))
    assert.equal(6, self.bytes)
    assert.is_nil(find(self, 13))
    tail.drop(self, 99)
    assert.equal(0, held(self))
    assert.same({ 16, 15, 0 }, { self.first, self.last, self.bytes })
    add(self, 1, 0, "d")
    assert.same({ 1, 0, "d" }, find(self, 16))
  end)

  it("counts positions back from the last one", function()
    local self = tail.new(10)
    for i = 1, 3 do add(self, 1, 0, ("x"):rep(i)) end
    local found = {}
    for index = 9, 13 do found[#found + 1] = tail.position(self, index, 106) or "unknown" end
    assert.same({ "unknown", 100, 101, 103, 106 }, found)
  end)
end)
