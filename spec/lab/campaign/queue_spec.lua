local queues = require "jangada.lab.campaign.queue"
local seeds = require "jangada.lab.campaign.seeds"

local function rest(queue)
  local list, left = {}, queue.left
  repeat
    local taken = queue:take(2)
    table.move(taken, 1, #taken, #list + 1, list)
  until #taken == 0
  assert.equal(left, #list)
  assert.equal(0, queue.left)
  return list
end

describe("the queue of a campaign", function()
  it("has each seed once, those that failed first", function()
    local queue = queues.new(seeds.parse("1-9"), {[2] = true, [7] = true, [99] = true},
      {8, 3, 8, 7, 50})
    assert.equal(7, queue.left)
    assert.same({3, 8, 1, 4, 5, 6, 9}, rest(queue))
  end)

  it("takes back what was not run, to be the next", function()
    local queue = queues.new(seeds.parse("1-7"), {}, {5})
    assert.same({5}, queue:take(4))
    assert.same({1, 2, 3}, queue:take(3))
    queue:give_back{2, 3}
    assert.equal(5, queue.left)
    assert.same({2, 3, 4, 6, 7}, rest(queue))
    queue:give_back{6}
    assert.same({6}, rest(queue))
  end)
end)
