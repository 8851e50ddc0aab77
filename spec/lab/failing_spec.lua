-- Disks that fail, and entries of logs that rot: nodes stop, and the world goes on.
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

describe("a failing disk", function()
  it("stops its node, which answers nothing, and boots again when it serves", function()
    for _, failure in ipairs{"EIO", "ENOSPC"} do
      local world <close>, rows = new_world()
      assert.equal(1, add(world))
      world:fail_disk(1, "write", failure)
      assert.is_nil(add(world))
      assert.equal(failure, world.nodes[1].failed)
      assert.is_true(world.nodes[2].up)
      assert.is_true(world:mend_disk(1))
      assert.is_false(world:mend_disk(1))
      assert.equal(2, add(world)) -- a write that failed is not there
      assert.same({"3 crash n1 " .. failure, "12 boot n1 nil"}, rows)
      assert.is_nil(world.verdict)
    end
  end)

  it("that fails in a flush leaves open whether the commit is there", function()
    local counts = {}
    for seed = 1, 40 do
      local world <close> = new_world{seed = seed}
      assert.equal(1, add(world))
      world:fail_disk(1, "flush")
      assert.is_nil(add(world))
      world:mend_disk(1)
      local n = add(world)
      counts[n] = (counts[n] or 0) + 1
      assert.is_nil(world.verdict)
    end
    assert.is_true(counts[2] > 2 and counts[3] > 2)
    assert.is_nil(next(counts, next(counts, next(counts))))
  end)

  it("that is slow fails when it is flushed, or written to by then", function()
    for _, call in ipairs{"write", "flush"} do
      local world <close>, rows = new_world{disk = {flush_ms = {5, 5}}}
      world:client("c1"):send("n1", {type = "add"})
      world:run(3)
      world:fail_disk(1, call)
      world:run(2)
      assert.same({}, rows)
      assert.equal(0, world.nodes[1].state.n)
      world:run(3)
      assert.same({"6 crash n1 EIO"}, rows)
      world:mend_disk(1)
      assert.is_true(world.nodes[1].up)
    end
  end)

  it("fails again until it is mended", function()
    local world <close>, rows = new_world()
    world:fail_disk(1)
    add(world)
    assert.is_true(world:restart(1)) -- its boot writes
    assert.is_false(world.nodes[1].up)
    assert.same({"1 crash n1 EIO", "10 boot n1 nil", "10 crash n1 EIO"}, rows)
    world:mend_disk(1)
    assert.equal(1, add(world))
  end)

  it("is a fault that a plan begins, and ends without a word where nothing was written", function()
    local world <close>, rows = new_world{faults = {
      {at_ms = 10, kind = "failing_disk", node = 1, call = "flush", error = "EIO", for_ms = 10},
      {at_ms = 30, kind = "failing_disk", node = 1, call = "write", error = "ENOSPC", for_ms = 20},
    }}
    world:after(5, function() world:client("c1"):send("n1", {type = "add"}) end)
    world:after(35, function() world:client("c1"):send("n1", {type = "add"}) end)
    world:after(60, function() world:client("c1"):send("n1", {type = "add"}) end)
    assert.is_nil(world:run(100))
    assert.same({"36 crash n1 ENOSPC", "50 boot n1 nil"}, rows)
    assert.equal(2, world.nodes[1].state.n)
  end)

  it("fails in one of the ways there are, where it is simulated", function()
    local world <close> = new_world()
    assert.equal("option_invalid", (labs.code_of(world.fail_disk, world, 1, "read")))
    assert.equal("option_invalid", (labs.code_of(world.fail_disk, world, 1, "write", "ENOENT")))
    local other <close> = new_world{durability = "none"}
    assert.equal("option_invalid", (labs.code_of(other.fail_disk, other, 1)))
  end)

  it("does not excuse a node that raises for another reason", function()
    local world <close> = labs.world([[node:after(5, function() error("its own fault") end)]])
    world:fail_disk(1)
    assert.equal("handler_error", world:run(10).kind)
  end)
end)

describe("rot in a log", function()
  -- A Raft that has replicated something, and a list of its rows.
  local function raft(options)
    local rows = {}
    local config = {nodes = 3, observe = rows_of(rows)}
    for name, value in pairs(options or {}) do config[name] = value end
    local world = labs.raft_world(config)
    assert.is_nil(world:run(1000))
    return world, rows
  end

  it("stops the node that finds it for good, and the others go on", function()
    local world <close>, rows = raft()
    local index = world:rot("n2")
    assert.is_true(index >= 1)
    assert.equal(index, world:rot("n2", index))
    world:crash("n2")
    assert.is_true(world:restart("n2"))
    assert.is_nil(world:run(1000))
    assert.equal(3, #rows)
    assert.matches("crash n2 rot$", rows[3]) -- when it was read
    assert.is_false(world:restart("n2"))
    assert.equal("rot", world.nodes[2].failed)
    local acknowledged = world.config.clients[1].acknowledged
    world:run(1000)
    assert.is_true(world.config.clients[1].acknowledged > acknowledged)
  end)

  it("is survived wherever it is, by as many nodes as are to survive it", function()
    local found = 0
    for seed = 1, 12 do
      local world <close> = raft{seed = seed, nodes = 5}
      for _, which in ipairs{"leader", seed % 5 + 1} do
        local machine = world:node(which)
        if machine.up and world:can_spare(machine) then
          world:rot(which)
          world:run(100)
          if machine.up then
            world:crash(machine.index)
            world:restart(machine.index)
          end
        end
      end
      assert.is_nil(world:run(1500), tostring(world.verdict))
      for _, machine in ipairs(world.nodes) do found = found + (machine.is_lost and 1 or 0) end
    end
    assert.is_true(found > 12, found)
  end)

  it("befalls no more nodes than a majority can spare, unless all hope is gone", function()
    local world <close> = raft()
    assert.is_not_nil(world:rot(1, 2))
    assert.is_not_nil(world:rot(1, 2))
    assert.equal("option_invalid", (labs.code_of(world.rot, world, 2)))
    world:crash(1)
    assert.is_nil(world:rot(1))
    assert.is_true(world.nodes[2].up)
    local hopeless <close> = raft{hopeless = true}
    for n = 1, 3 do assert.is_not_nil(hopeless:rot(n)) end
    local alone <close> = raft{nodes = 1}
    assert.equal("option_invalid", (labs.code_of(alone.rot, alone, 1)))
  end)

  it("is healed by who overwrites it", function()
    local world <close> = labs.world([[
      local log = require("jangada.log").open(node.db, "replog")
      local function write() log:save{term = 1, entries = {{term = 1, data = "x"}}, first = 1} end
      node:on("write", write)
      node:on("read", function(message)
        node:reply(message, {type = "read_ok", data = log:entry(1).data})
      end)
      if log:last_index() == 0 then write() end
    ]], {nodes = 3})
    assert.equal(1, world:rot(1))
    world:client("c1"):send("n1", {type = "write"})
    world:run(20)
    world:crash(1)
    world:restart(1)
    assert.equal("x", world:request(1, {type = "read"}).data)
    assert.equal(1, world:rot(1))
    world:crash(1)
    world:restart(1)
    assert.is_nil(world:request(1, {type = "read"}))
    assert.equal("rot", world.nodes[1].failed)
  end)

  it("befalls nobody who has no log", function()
    local world <close> = new_world{nodes = 3}
    assert.is_nil(world:rot(1))
  end)
end)
