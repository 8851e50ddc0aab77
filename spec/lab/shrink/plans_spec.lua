local plans = require "jangada.lab.shrink.plans"

describe("plans.without_node", function()
  it("takes a node out of everything, those behind it moving up", function()
    local fields = plans.without_node({nodes = 3, faults = {
      {at_ms = 1, kind = "crash", node = "n2"}, {at_ms = 2, kind = "crash", node = 3},
      {at_ms = 3, kind = "partition", groups = {{"n1", "n2"}, {"n3"}}},
      {at_ms = 4, kind = "one_way", from = {"n2"}, to = {"n1"}},
      {at_ms = 5, kind = "crash", node = "leader"},
    }, draws = {n1 = {1}, n2 = {2}, n3 = {3}, usual = 1},
      network = {fates = {{from = "c1", to = "n2", lost = {1}}, {from = "n3", to = "n1",
        lost = {2}}}}}, 2)
    assert.same({nodes = 2, faults = {
      {at_ms = 2, kind = "crash", node = 2},
      {at_ms = 3, kind = "partition", groups = {{"n1"}, {"n2"}}},
      {at_ms = 5, kind = "crash", node = "leader"},
    }, draws = {n1 = {1}, n2 = {3}, usual = 1},
      network = {fates = {{from = "n2", to = "n1", lost = {2}}}}}, fields)
  end)
end)

describe("plans.earlier", function()
  it("moves a fault and all behind it, and leaves the plan that it is given", function()
    local plan = {{at_ms = 10}, {at_ms = 20, for_ms = 5}, {at_ms = 30}}
    assert.same({{at_ms = 10}, {at_ms = 13, for_ms = 5}, {at_ms = 23}}, plans.earlier(plan, 2, 7))
    assert.equal(20, plan[2].at_ms)
    assert.same({at_ms = 20}, plans.with(plan, 2, {for_ms = false})[2])
  end)
end)
