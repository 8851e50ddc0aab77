local faults = require "jangada.lab.faults"
local labs = require "spec.support.labs"
local oracles = require "jangada.lab.oracle"

local HOPELESS <const> = {amnesia = true, disk_swap = true, lying_disk = true}

local ids = {"n1", "n2", "n3", "n4", "n5"}

local function drawn(seed, recipe)
  return faults.plan(recipe or {duration_ms = 5000}, oracles.new(seed), ids)
end

describe("a plan of faults", function()
  it("is the same for the same seed", function()
    for seed = 1, 20 do assert.same(drawn(seed), drawn(seed)) end
  end)

  it("is printed as Lua that is the same plan", function()
    for seed = 1, 50 do
      local plan = drawn(seed)
      assert.same(plan, load("return " .. faults.format(plan))())
    end
  end)

  it("is in the order of time, and all in it ends before the plan does", function()
    for seed = 1, 100 do
      local last_ms = 0
      for _, fault in ipairs(drawn(seed)) do
        assert.is_true(fault.at_ms >= last_ms and fault.at_ms < 5000)
        local for_ms = fault.for_ms or fault.kind == "bit_rot" and 0
        assert.is_true(for_ms >= 0 and fault.at_ms + for_ms <= 5000)
        last_ms = fault.at_ms
      end
    end
  end)

  it("draws every kind, and how hard it will be, per seed", function()
    local kinds, calm, most, rates = {}, 0, 0, {}
    for seed = 1, 200 do
      local plan = drawn(seed)
      if #plan == 0 then calm = calm + 1 end
      most = math.max(most, #plan)
      for _, fault in ipairs(plan) do
        kinds[fault.kind] = (kinds[fault.kind] or 0) + 1
        if fault.rate then rates[#rates + 1] = fault.rate end
      end
    end
    for _, kind in ipairs(faults.kinds) do
      local count = kinds[kind] or 0
      if HOPELESS[kind] then
        assert.equal(0, count)
      else
        assert.is_true(count > 50, kind)
      end
    end
    assert.is_true(calm > 2 and calm < 60, calm)
    assert.is_true(most > 40, most)
    table.sort(rates)
    assert.is_true(rates[1] < 0.01 and rates[#rates] > 0.4)
  end)

  it("keeps to the kinds that are asked for", function()
    for seed = 1, 20 do
      for _, fault in ipairs(drawn(seed, {kinds = {"pause"}})) do
        assert.equal("pause", fault.kind)
      end
    end
  end)

  it("draws no cut for a world of one node", function()
    for seed = 1, 40 do
      for _, fault in ipairs(faults.plan({duration_ms = 5000}, oracles.new(seed), {"n1"})) do
        assert.is_nil(fault.from or fault.to or fault.order, fault.kind)
      end
    end
  end)

  it("loses one kind without another being drawn otherwise", function()
    for seed = 1, 30 do
      local all, one = {}, drawn(seed, {duration_ms = 5000, kinds = {"crash"}})
      for _, fault in ipairs(drawn(seed)) do
        if fault.kind == "crash" then all[#all + 1] = fault end
      end
      assert.same(one, all)
    end
  end)

  it("that makes no sense is refused", function()
    local function plan(given) return faults.plan(given, oracles.new(1), ids) end
    for _, given in ipairs{
      {{at_ms = 1, kind = "flood"}}, {{kind = "crash", node = 1}},
      {{at_ms = -1, kind = "crash", node = 1}}, {{at_ms = 1, kind = "crash"}},
      {{at_ms = 1, kind = "partition"}}, {{at_ms = 1, kind = "loss"}},
      {{at_ms = 1, kind = "crash", node = 1, for_ms = "x"}}, {5}, {kinds = {"flood"}},
    } do
      assert.equal("option_invalid", (labs.code_of(plan, given)))
    end
    for _, gap_ms in ipairs{5, "x", {}, {5}, {0, 5}, {-1, 5}, {5, 4}, {1, "x"}, {1, 0 / 0}} do
      assert.equal("option_invalid", (labs.code_of(plan, {duration_ms = 5, gap_ms = gap_ms})))
    end
    assert.equal("option_unknown", (labs.code_of(plan, {duration_ms = 5, often = true})))
    for _, fault in ipairs{
      {kind = "one_way", from = {"n1"}}, {kind = "one_way", from = {"n1"}, to = {{}}},
      {kind = "partial", from = 1, to = 1.5}, {kind = "isolate", node = {}},
      {kind = "bridge", node = 1, side = true}, {kind = "ring", order = false},
      {kind = "flapping", node = 1, cut_ms = 5},
      {kind = "flapping", node = 1, cut_ms = 5, open_ms = 0},
      {kind = "slow", from = 1}, {kind = "slow", delay_ms = {"normal", 1, 2}},
      {kind = "duplication", rate = 2}, {kind = "reorder", rate = 0.5},
      {kind = "partition", groups = {1}}, {kind = "delay", delay_ms = {5, 1}},
    } do
      fault.at_ms = 1
      local code, message = labs.code_of(plan, {fault})
      assert.equal("option_invalid", code)
      assert.matches("^fault 1 of the plan, of kind " .. fault.kind, message)
    end
    assert.equal("option_unknown", (labs.code_of(plan, {{at_ms = 1, kind = "fifo", node = 1}})))
  end)
end)

describe("a plan that runs", function()
  -- Rows of the kinds given, as text.
  local function run(plan, options, ms)
    local rows = {}
    local config = {nodes = 3, faults = plan, observe = function(event)
      if event.kind == "crash" or event.kind == "boot" or event.kind == "pause"
        or event.kind == "resume" or event.kind == "partition" or event.kind == "heal"
        or event.kind == "loss" or event.kind == "delay" then
        if event.time_us > 0 then
          rows[#rows + 1] = ("%d %s%s"):format(event.time_us // 1000, event.kind,
            event.node and " " .. event.node or event.rate and " " .. event.rate or "")
        end
      end
    end}
    for name, value in pairs(options or {}) do config[name] = value end
    local world <close> = labs.world([[
      node.state = {role = node.id == "n2" and "leader" or "follower", term = 1}
    ]], config)
    assert.is_nil(world:run(ms or 1000))
    return rows
  end

  it("does what it says, when it says it, and ends what it has begun", function()
    assert.same({
      "10 crash n1", "20 pause n3", "25 resume n3", "40 boot n1", "50 partition", "60 heal",
      "70 loss 0.5", "80 loss 0", "90 delay", "95 delay",
      "100 crash n2", "100 boot n2",
    }, run{
      {at_ms = 10, kind = "crash", node = "n1", for_ms = 30},
      {at_ms = 20, kind = "pause", node = 3, for_ms = 5},
      {at_ms = 50, kind = "partition", groups = {{"n1"}, {"n2"}}, for_ms = 10},
      {at_ms = 70, kind = "loss", rate = 0.5, for_ms = 10},
      {at_ms = 90, kind = "delay", delay_ms = {1, 2}, for_ms = 5},
      {at_ms = 100, kind = "crash", node = "leader", for_ms = 0},
    })
  end)

  it("does so with all that happens to links", function()
    local rows = {}
    local world <close> = labs.world("", {nodes = 4, faults = {
      {at_ms = 10, kind = "duplication", rate = 0.5, for_ms = 5},
      {at_ms = 20, kind = "corruption", rate = 0.5, for_ms = 5},
      {at_ms = 30, kind = "reorder", rate = 0.5, late_ms = {1, 9}, for_ms = 5},
      {at_ms = 40, kind = "fifo", for_ms = 5},
      {at_ms = 50, kind = "slow", from = {1}, to = {"n2"}, delay_ms = {"constant", 5}, for_ms = 5},
      {at_ms = 60, kind = "clog", from = 1, to = 2, for_ms = 5},
      {at_ms = 70, kind = "one_way", from = {1}, to = {2, 3}, for_ms = 5},
      {at_ms = 80, kind = "partial", from = {1}, to = {2}, for_ms = 5},
      {at_ms = 90, kind = "isolate", node = 1, for_ms = 5},
      {at_ms = 100, kind = "bridge", node = 1, side = {2}, for_ms = 5},
      {at_ms = 110, kind = "ring", order = {1, 2, 3, 4}, for_ms = 5},
      {at_ms = 120, kind = "star", node = 1, for_ms = 5},
      {at_ms = 130, kind = "flapping", node = 1, cut_ms = 2, open_ms = 2, for_ms = 5},
    }, observe = function(event)
      if event.time_us > 0 and event.kind ~= "fault" then
        local what = event.shape or event.rate
        if what == nil then what = event.fifo end
        rows[#rows + 1] = ("%d %s %s %d"):format(event.time_us // 1000, event.kind, tostring(what),
          #(event.links or {}))
      end
    end})
    world:run(200)
    assert.same({
      "10 duplication 0.5 0", "15 duplication 0 0", "20 corruption 0.5 0", "25 corruption 0 0",
      "30 reorder 0.5 0", "35 reorder 0 0", "40 fifo true 0", "45 fifo false 0",
      "50 slow nil 1", "55 mend nil 1", "60 clog nil 1", "65 mend nil 1",
      "70 cut one_way 2", "75 mend one_way 2", "80 cut partial 2", "85 mend partial 2",
      "90 cut isolate 6", "95 mend isolate 6", "100 cut bridge 4", "105 mend bridge 4",
      "110 cut ring 4", "115 mend ring 4", "120 cut star 6", "125 mend star 6",
      "130 cut flapping 6", "132 mend flapping 6", "134 cut flapping 6", "135 mend flapping 6",
    }, rows)
    assert.is_false(world.network.is_troubled)
  end)

  it("ends nothing that another fault has begun since", function()
    assert.same({"10 partition", "20 partition", "60 heal", "70 crash n1", "80 boot n1"}, run{
      {at_ms = 10, kind = "partition", groups = {{"n1"}}, for_ms = 20},
      {at_ms = 20, kind = "partition", groups = {{"n2"}}, for_ms = 40},
      {at_ms = 70, kind = "crash", node = "n1", for_ms = 10},
      {at_ms = 75, kind = "crash", node = "n1", for_ms = 1},
      {at_ms = 76, kind = "pause", node = "n1", for_ms = 1},
    })
  end)

  it("ends only itself: a partition no cut, a rate none that was set since", function()
    local world <close> = labs.world("", {nodes = 3, faults = {
      {at_ms = 10, kind = "one_way", from = {1}, to = {2}},
      {at_ms = 20, kind = "partition", groups = {{1}}, for_ms = 10},
      {at_ms = 40, kind = "loss", rate = 0.1, for_ms = 20},
      {at_ms = 50, kind = "loss", rate = 0.2, for_ms = 30},
    }})
    world:run(25)
    assert.is_true(world.network:is_cut("n3", "n1"))
    world:run(10)
    assert.is_false(world.network:is_cut("n3", "n1"))
    assert.is_true(world.network:is_cut("n1", "n2"))
    world:run(30)
    assert.equal(0.2, world.network.loss)
    world:run(30)
    assert.equal(0, world.network.loss)
  end)

  it("is the plan that was printed", function()
    for seed = 1, 10 do
      local plan = faults.plan({duration_ms = 2000}, oracles.new(seed), {"n1", "n2", "n3"})
      assert.same(run({duration_ms = 2000}, {seed = seed}, 2500),
        run(load("return " .. faults.format(plan))(), {seed = seed}, 2500))
    end
  end)
end)
