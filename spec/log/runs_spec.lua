local runs = require "jangada.log.runs"

-- The log of the drawing in runs.lua.
local function example()
  local self = runs.new()
  for index, term in ipairs{ 1, 1, 1, 4, 4, 5, 5, 6, 6 } do runs.append(self, index, term) end
  return self
end

describe("term runs", function()
  it("keep one pair for each run", function()
    local self = example()
    assert.same({ 1, 4, 5, 6 }, self.terms)
    assert.same({ 1, 4, 6, 8 }, self.firsts)
  end)

  it("say whether an entry begins a run", function()
    local self = runs.new()
    assert.is_true(runs.append(self, 1, 2))
    assert.is_false(runs.append(self, 2, 2))
    assert.is_true(runs.append(self, 3, 3))
  end)

  it("find the run of each index", function()
    local self = example()
    for index, k in ipairs{ 1, 1, 1, 2, 2, 3, 3, 4, 4 } do
      assert.equal(k, runs.find(self, index))
    end
    assert.equal(0, runs.find(self, 0))
    assert.equal(0, runs.find(runs.new(), 5))
  end)

  it("find the first index of a term, and nil for a term without entries", function()
    local self = example()
    local found = {}
    for term = 0, 7 do found[#found + 1] = runs.first_of_term(self, term) or "none" end
    assert.same({ "none", 1, "none", "none", 4, 6, 8, "none" }, found)
    assert.is_nil(runs.first_of_term(runs.new(), 1))
  end)

  it("forget runs from the end, and keep one that is cut in the middle", function()
    local self = example()
    assert.equal(6, runs.cut(self, 5))
    assert.equal(5, runs.cut(self, 5))
    assert.is_nil(runs.cut(self, 5))
    assert.same({ 1, 4 }, self.terms)
    assert.is_true(runs.append(self, 5, 7))
    assert.same({ 1, 4, 5 }, self.firsts)
  end)

  it("forget runs from the front, and let one begin later", function()
    local function trimmed(first, last)
      local self = example()
      local dropped, is_moved = runs.trim(self, first, last or 9)
      assert.equal(self.count, #self.terms)
      assert.equal(self.count, #self.firsts)
      return { dropped, is_moved, self.terms, self.firsts }
    end
    assert.same({ {}, false, { 1, 4, 5, 6 }, { 1, 4, 6, 8 } }, trimmed(1))
    assert.same({ {}, true, { 1, 4, 5, 6 }, { 3, 4, 6, 8 } }, trimmed(3))
    assert.same({ { 1 }, false, { 4, 5, 6 }, { 4, 6, 8 } }, trimmed(4))
    assert.same({ { 1, 4 }, true, { 5, 6 }, { 7, 8 } }, trimmed(7))
    assert.same({ { 1, 4, 5 }, true, { 6 }, { 9 } }, trimmed(9))
    assert.same({ { 1, 4, 5, 6 }, false, {}, {} }, trimmed(10))
    assert.same({ {}, false }, { runs.trim(runs.new(), 1, 0) })
  end)

  it("go back over every term above the one given", function()
    local self = example()
    assert.same({ 9, 6 }, { runs.conflict(self, 9, 6) })
    assert.same({ 9, 6 }, { runs.conflict(self, 9, 99) })
    assert.same({ 5, 4 }, { runs.conflict(self, 9, 4) })
    assert.same({ 3, 1 }, { runs.conflict(self, 9, 3) })
    assert.same({ 2, 1 }, { runs.conflict(self, 2, 3) })
    assert.same({ 0, 0 }, { runs.conflict(self, 9, 0) })
    assert.same({ 0, 0 }, { runs.conflict(self, 0, 3) })
  end)

  it("answer in as many steps as halving takes, however many there are", function()
    local self, looks = runs.new(), 0
    for k = 1, 100000 do runs.append(self, 3 * k, 2 * k) end
    local function counted(list)
      return setmetatable({}, { __index = function(_, k)
        looks = looks + 1
        return list[k]
      end })
    end
    self.terms, self.firsts = counted(self.terms), counted(self.firsts)
    local function within(limit, expected, found)
      assert.same(expected, found)
      assert.is_true(looks <= limit, looks .. " looks")
      looks = 0
    end
    within(20, 50000, runs.find(self, 150001))
    within(20, 150000, runs.first_of_term(self, 100000))
    within(40, { 8, 4 }, { runs.conflict(self, 299999, 5) })
    within(40, { 0, 0 }, { runs.conflict(self, 299999, 1) })
    within(40, { 150001, 100000 }, { runs.conflict(self, 150001, 199999) })
  end)
end)
