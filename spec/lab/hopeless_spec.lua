-- What no protocol has to survive: empty disks, those of others, flushes that lie.
local labs = require "spec.support.labs"

local COUNT <const> = [[
  node.state = {n = node.db:update(function(tx)
    local b = tx:ensure_bucket("b")
    return math.tointeger(tonumber(b:get("n") or 0))
  end)}
  node:on("add", function(message)
    node.state.n = node.state.n + 1
    node.db:update(function(tx) tx:ensure_bucket("b"):put("n", tostring(node.state.n)) end)
    node:committed(node.state.n, 1, "x")
    node:reply(message, {type = "add_ok", n = node.state.n})
  end)
]]

local function rows_of(rows)
  return function(event)
    if event.kind == "crash" or event.kind == "boot" and event.time_us > 0 then
      rows[#rows + 1] = ("%d %s %s %s"):format(event.time_us // 1000, event.kind, event.node,
        event.cause)
    end
  end
end

local function new_world(options)
  local rows = {}
  local config = {nodes = 2, network = {delay_ms = {1, 1}}, observe = rows_of(rows)}
  for name, value in pairs(options or {}) do config[name] = value end
  return labs.world(COUNT, config), rows
end

local function add(world)
  return (world:request(1, {type = "add"}, 10) or {}).n
end

local HOPELESS <const> = {amnesia = true, disk_swap = true, lying_disk = true}

describe("amnesia", function()
  it("lets a node boot with an empty disk", function()
    local world <close> = new_world{hopeless = true}
    assert.equal(1, add(world))
    assert.equal(2, add(world))
    assert.is_true(world:wipe(1))
    assert.is_false(world.nodes[1].up)
    assert.is_true(world:restart(1))
    assert.equal(0, world.nodes[1].state.n)
    world:crash(1)
    world:restart(1)
    assert.equal(0, world.nodes[1].state.n)
  end)

  it("is a fault of plans, which ends with a boot", function()
    local world <close>, rows = new_world{hopeless = true,
      faults = {{at_ms = 50, kind = "amnesia", node = "n1", for_ms = 30}}}
    assert.equal(1, add(world))
    world:run(100)
    assert.same({"50 crash n1 nil", "80 boot n1 nil"}, rows)
    assert.equal(0, world.nodes[1].state.n)
  end)

  it("is refused, by hand and in a plan, where a world is not hopeless", function()
    local world <close> = new_world()
    assert.equal(1, add(world))
    assert.equal("option_invalid", (labs.code_of(world.wipe, world, 1)))
    assert.is_true(world.nodes[1].up)
    assert.equal("option_invalid", (labs.code_of(new_world,
      {faults = {{at_ms = 50, kind = "amnesia", node = 1}}})))
  end)

  it("is drawn in hopeless worlds alone, and leaves all else as it was", function()
    local faults, oracles = require "jangada.lab.faults", require "jangada.lab.oracle"
    local seen = {}
    for seed = 1, 40 do
      local function plan(hopeless)
        return faults.plan({duration_ms = 2000}, oracles.new(seed), {"n1", "n2", "n3"},
          {disks = true, hopeless = hopeless})
      end
      local others = {}
      for _, fault in ipairs(plan(true)) do
        if HOPELESS[fault.kind] then
          seen[fault.kind] = true
        else
          others[#others + 1] = fault
        end
      end
      assert.equal(faults.format(plan(false)), faults.format(others))
    end
    assert.same(HOPELESS, seen)
  end)

  it("is told of by the verdict", function()
    local world <close> = new_world{hopeless = true}
    world:fail{kind = "wrong", message = "m"}
    assert.equal("wrong at 0.000 ms in a hopeless world: m", tostring(world.verdict))
    local other <close> = new_world()
    other:fail{kind = "wrong", message = "m"}
    assert.equal("wrong at 0.000 ms: m", tostring(other.verdict))
  end)
end)

local function hopeless(options)
  options = options or {}
  options.hopeless = true
  return new_world(options)
end

local function add_to(world, which)
  return (world:request(which, {type = "add"}, 20) or {}).n
end

describe("disks that are swapped", function()
  it("give each node what the other has stored", function()
    for _, durability in ipairs{"none", "commit", "journal"} do
      local world <close>, rows = hopeless{durability = durability}
      for n = 1, 3 do assert.equal(n, add_to(world, 1)) end
      assert.equal(1, add_to(world, 2))
      assert.is_true(world:swap_disks(1, "n2"))
      assert.is_false(world.nodes[1].up or world.nodes[2].up)
      world:restart(1)
      world:restart(2)
      assert.same({1, 3}, {world.nodes[1].state.n, world.nodes[2].state.n})
      assert.equal(2, add_to(world, 1))
      world:crash(1)
      world:restart(1)
      assert.equal(2, world.nodes[1].state.n)
      assert.equal(6, #rows)
    end
  end)

  it("are a fault of plans, which ends with both boots", function()
    local world <close>, rows = hopeless{
      faults = {{at_ms = 50, kind = "disk_swap", node = 1, other = 2, for_ms = 30}}}
    assert.equal(1, add(world))
    world:run(100)
    assert.same({"50 crash n1 nil", "50 crash n2 nil", "80 boot n1 nil", "80 boot n2 nil"}, rows)
    assert.same({0, 1}, {world.nodes[1].state.n, world.nodes[2].state.n})
  end)

  it("take what is wrong with them along", function()
    local world <close> = hopeless()
    assert.equal(1, add(world))
    world:fail_disk(1, "write")
    world:swap_disks(1, 2)
    world:restart(1)
    world:restart(2)
    assert.equal(1, add_to(world, 1))
    assert.is_nil(add_to(world, 2))
    assert.equal("EIO", world.nodes[2].failed)
  end)

  it("are not the disk of one node, and refused where a world is not hopeless", function()
    local world <close> = hopeless()
    assert.is_false(world:swap_disks(1, "n1"))
    assert.is_true(world.nodes[1].up)
    local other <close> = new_world()
    assert.equal("option_invalid", (labs.code_of(other.swap_disks, other, 1, 2)))
  end)
end)

describe("a disk whose flushes lie", function()
  it("has nothing of what it should have kept, after a crash", function()
    local world <close> = hopeless()
    assert.equal(1, add(world))
    assert.is_true(world:set_lying(1, true))
    for n = 2, 4 do assert.equal(n, add(world)) end
    world:crash(1)
    world:restart(1)
    assert.equal(1, world.nodes[1].state.n)
    assert.is_nil(world.verdict)
  end)

  it("keeps all that there is once it tells the truth", function()
    local world <close> = hopeless()
    world:set_lying(1, true)
    assert.equal(1, add(world))
    assert.equal(2, add(world))
    world:set_lying(1, false)
    assert.equal(3, add(world))
    world:crash(1)
    world:restart(1)
    assert.equal(3, world.nodes[1].state.n)
  end)

  it("says in the trace how many commits a crash has taken back", function()
    local lost
    local world <close> = hopeless{observe = function(event)
      if event.kind == "boot" then lost = event.lost end
    end}
    assert.equal(1, add(world))
    world:set_lying(1, true)
    assert.equal(2, add(world))
    assert.equal(3, add(world))
    world:crash(1)
    world:restart(1)
    assert.equal(2, lost)
  end)

  it("is found out by a store that finds another journal than it left: the node stops for good",
    function()
      local world <close>, rows = hopeless()
      assert.equal(1, add(world))
      world:crash(1)
      world:set_lying(1, true)
      world:restart(1)
      assert.equal(2, add(world)) -- behind the journal's new beginning, which is not kept either
      world:crash(1)
      assert.is_false(world:restart(1) and world.nodes[1].up)
      assert.same({"lie", true}, {world.nodes[1].failed, world.nodes[1].is_lost})
      assert.matches("crash n1 lie$", rows[#rows])
      assert.is_nil(world.verdict)
    end)

  it("is a fault of plans, and ends", function()
    local world <close> = hopeless{
      faults = {{at_ms = 50, kind = "lying_disk", node = 1, for_ms = 30}}}
    assert.equal(1, add(world))
    world:run(57)
    assert.equal(2, add(world))
    world:crash(1)
    world:restart(1)
    assert.equal(1, world.nodes[1].state.n)
    world:run(100)
    assert.equal(2, add(world))
    world:crash(1)
    world:restart(1)
    assert.equal(2, world.nodes[1].state.n)
  end)

  it("is refused where a world is not hopeless, or its disks are not simulated", function()
    local world <close> = new_world()
    assert.equal("option_invalid", (labs.code_of(world.set_lying, world, 1, true)))
    local real <close> = hopeless{durability = "none"}
    assert.equal("option_invalid", (labs.code_of(real.set_lying, real, 1, true)))
    local other <close> = hopeless()
    assert.equal("option_invalid", (labs.code_of(other.set_lying, other, 1, 1)))
  end)
end)
