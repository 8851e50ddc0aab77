local lists = require "jangada.lab.shrink.lists"

local function has(list, wanted)
  local found = {}
  for _, element in ipairs(list) do found[element] = true end
  for _, element in ipairs(wanted) do
    if not found[element] then return false end
  end
  return true
end

describe("lists.minimize", function()
  it("leaves what is needed, in its order, in far fewer tries than there are parts", function()
    local all = {}
    for i = 1, 200 do all[i] = i end
    local needed, tries = {7, 101, 102, 199}, 0
    local left = lists.minimize(all, function(list)
      tries = tries + 1
      return has(list, needed)
    end)
    assert.same(needed, left)
    assert.is_true(tries < 100, tries)
  end)

  it("leaves nothing when nothing is needed, in one try, and all when all is", function()
    local tries = 0
    local function always()
      tries = tries + 1
      return true
    end
    assert.same({}, lists.minimize({1, 2, 3}, always))
    assert.equal(1, tries)
    assert.same({1, 2, 3}, lists.minimize({1, 2, 3}, function() return false end))
    assert.same({}, lists.minimize({}, always))
  end)
end)

describe("lists.least", function()
  it("is the least number that fails", function()
    for least = 0, 20 do
      assert.equal(least, lists.least(0, 20, function(n) return n >= least end))
    end
  end)
end)
