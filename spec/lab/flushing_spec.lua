-- What a node may show while its disk is being flushed, and what of that a crash takes back.
local labs = require "spec.support.labs"

-- Counts what it is told, and says so to who asked; `peek` writes nothing.
local COUNT <const> = [[
  node.state = {n = node.db:view(function(tx)
    local b = tx:bucket("b")
    return b and math.tointeger(tonumber(b:get("n"))) or 0
  end)}
  node:on("add", function(message)
    node.state.n = node.state.n + 1
    node.db:update(function(tx) tx:ensure_bucket("b"):put("n", tostring(node.state.n)) end)
    node:trace("added", {n = node.state.n})
    node:committed(node.state.n, 1, "x")
    node:reached("added")
    node:reply(message, {type = "add_ok", n = node.state.n})
  end)
  node:on("peek", function(message) node:reply(message, {type = "peek_ok", n = node.state.n}) end)
]]

-- A world of it whose links take 1 ms and whose flushes 10 ms; and its rows of some kinds, as text.
local function new_world(options)
  local rows = {}
  local config = {network = {delay_ms = {1, 1}}, disk = {flush_ms = {10, 10}},
    observe = function(event)
      if event.kind == "state" then
        rows[#rows + 1] = ("%d state %d%s"):format(event.time_us // 1000, event.state.n,
          event.unflushed and " unflushed" or "")
      elseif event.kind == "flush" then
        rows[#rows + 1] = ("%d flush %d"):format(event.time_us // 1000, event.turns)
      elseif event.kind == "deliver" and event.dest:find("^c") then
        rows[#rows + 1] = ("%d %s %d"):format(event.time_us // 1000, event.body.type, event.body.n)
      elseif event.kind == "crash" then
        rows[#rows + 1] = ("%d crash %s %s"):format(event.time_us // 1000, event.unflushed,
          event.tail)
      elseif event.kind == "boot" then
        rows[#rows + 1] = ("%d boot %s"):format(event.time_us // 1000, event.lost)
      elseif event.kind == "trace" or event.kind == "commit" or event.kind == "reached" then
        rows[#rows + 1] = ("%d %s"):format(event.time_us // 1000, event.kind)
      end
    end}
  for name, value in pairs(options or {}) do config[name] = value end
  local world = labs.world(COUNT, config)
  return world, rows
end

local function send(world, ...)
  for _, kind in ipairs{...} do world:client("c1"):send("n1", {type = kind}) end
end

describe("a slow disk", function()
  it("holds what turns send and tell until it is flushed, for all of them together", function()
    local world <close>, rows = new_world()
    send(world, "add")
    world:run(4)
    send(world, "add", "peek")
    world:run(3)
    assert.equal(0, world.nodes[1].state.n)
    assert.same({}, world.marks)
    world:run(20)
    assert.same({"0 boot nil", "0 state 0", "1 state 1 unflushed", "5 state 2 unflushed",
      "11 flush 3", "11 trace", "11 commit", "11 reached", "11 trace", "11 commit", "11 reached",
      "12 add_ok 1", "12 add_ok 2", "12 peek_ok 2"}, rows)
    assert.equal(2, world.nodes[1].state.n)
    assert.same({added = 2}, world.marks)
    send(world, "peek") -- nothing is being flushed
    world:run(3)
    assert.equal("29 peek_ok 2", rows[#rows])
  end)

  it("forgets the last turns in a crash, any number of them, and nobody has seen these", function()
    for keep = 0, 4 do
      for _, tail in ipairs{"cut", "scribbled"} do
        local world <close>, rows = new_world()
        send(world, "add")
        world:run(15)
        send(world, "add", "peek", "add", "add")
        world:run(5)
        assert.equal(1, world.nodes[1].state.n)
        world:crash(1, {keep = keep, tail = tail})
        assert.equal(("20 crash 3 " .. tail), rows[#rows])
        local kept, at = math.min(keep, 3), #rows + 1
        world:restart(1)
        assert.equal("20 boot " .. tostring(kept < 3 and 3 - kept or nil), rows[at])
        world:run(50)
        assert.equal(1 + kept, world.nodes[1].state.n)
        assert.same({added = 1}, world.marks)
      end
    end
  end)

  it("forgets as many as chance will have it when nobody says how many", function()
    local counts = {}
    for seed = 1, 60 do
      local world <close> = new_world{seed = seed, faults = {
        {at_ms = 5, kind = "crash", node = 1, for_ms = 0},
      }}
      send(world, "add", "add", "add")
      assert.is_nil(world:run(50))
      counts[world.nodes[1].state.n] = true
    end
    for n = 0, 3 do assert.is_true(counts[n], n) end
  end)

  it("lets nothing be judged that a crash takes back", function()
    local modest = {name = "modest", turn = function(_, machine)
      return machine.state.n > 1 and "it counts" or nil
    end}
    local world <close> = new_world{invariants = {modest}}
    send(world, "add", "add")
    world:run(5)
    world:crash(1, {keep = 0})
    world:restart(1)
    assert.is_nil(world:run(50))
    send(world, "add", "add")
    local verdict = world:run(50)
    assert.equal("modest", verdict.name)
    assert.equal(66000, verdict.time_us)
  end)

  it("lets invariants see each turn as it was", function()
    local seen = {}
    local keen = {name = "keen",
      look = function(_, machine) return labs.stored(machine.world, 1, "b", "n") or "none" end,
      turn = function(_, machine, wrote, what)
        seen[#seen + 1] = {wrote or false, machine.state.n, what}
      end}
    local world <close> = new_world{invariants = {keen}}
    send(world, "add", "add")
    world:run(30)
    assert.same({{false, 0}, {true, 1, "1"}, {true, 2, "2"}}, seen)
  end)

  it("that is flushed during a pause says so after it", function()
    local world <close>, rows = new_world()
    send(world, "add")
    world:run(5)
    world:pause(1)
    world:run(20)
    assert.equal(0, world.nodes[1].state.n)
    world:resume(1)
    world:run(3)
    assert.equal("25 flush 1", rows[4])
    send(world, "add")
    world:run(5)
    world:pause(1)
    world:run(20)
    world:crash(1, {keep = 0})
    world:restart(1)
    world:run(1)
    assert.equal(2, world.nodes[1].state.n) -- it was on the disk
  end)

  it("takes the time that it is said to take, until it is said to be quick again", function()
    local world <close>, rows = new_world{disk = {}}
    world:set_flush(1, {30, 30})
    send(world, "add")
    world:run(5)
    world:set_flush(1, nil)
    send(world, "add")
    world:run(60)
    assert.equal("31 flush 2", rows[5])
    send(world, "add")
    world:run(3)
    assert.equal("67 add_ok 3", rows[#rows])
    assert.equal("option_invalid", (labs.code_of(world.set_flush, world, 1, {5, 1})))
    assert.equal("option_invalid", (labs.code_of(world.crash, world, 1, {keep = -1})))
    assert.equal("option_invalid", (labs.code_of(world.crash, world, 1, {tail = "bent"})))
  end)

  it("lets no more than so many turns wait", function()
    local world <close>, rows = new_world{disk = {flush_ms = {100000, 100000}}}
    for _ = 1, 300 do send(world, "add") end
    world:run(2)
    assert.equal(256, world.nodes[1].state.n)
    local flushes = 0
    for _, row in ipairs(rows) do flushes = flushes + (row:find("flush 256") and 1 or 0) end
    assert.equal(1, flushes)
  end)

  it("is one that is simulated", function()
    for _, options in ipairs{{durability = "none", disk = {flush_ms = {1, 2}}},
      {durability = "none", faults = {{at_ms = 1, kind = "slow_disk", flush_ms = {1, 2}}}}} do
      assert.equal("option_invalid", (labs.code_of(labs.world, COUNT, options)))
    end
    assert.equal("option_invalid", (labs.code_of(labs.world, COUNT, {disk = {flush_ms = 5}})))
    assert.equal("option_unknown", (labs.code_of(labs.world, COUNT, {disk = {size = 5}})))
  end)

  it("is a fault that a plan begins and ends", function()
    local world <close>, rows = new_world{disk = {}, faults = {
      {at_ms = 10, kind = "slow_disk", node = 1, flush_ms = {"constant", 5}, for_ms = 20},
      {at_ms = 50, kind = "slow_disk", flush_ms = {"constant", 7}, for_ms = 20},
    }}
    for at_ms = 0, 80, 20 do world:after(at_ms, function() send(world, "add") end) end
    world:run(100)
    local answers = {}
    for _, row in ipairs(rows) do answers[#answers + 1] = row:match("^(%d+) add_ok") end
    assert.same({"2", "27", "42", "69", "82"}, answers)
  end)
end)

describe("Raft on slow disks", function()
  it("keeps its promises through crashes that take turns back", function()
    local lost, unflushed = 0, 0
    for seed = 1, 8 do
      local plan = {}
      for i = 1, 40 do
        plan[i] = {at_ms = i * 100, kind = "crash", node = i % 3 == 0 and "leader" or i % 5 + 1,
          for_ms = 60}
      end
      local world <close> = labs.raft_world{seed = seed, nodes = 5, faults = plan,
        disk = {flush_ms = {1, 40}}, observe = function(event)
          if event.kind == "boot" then lost = lost + (event.lost or 0) end
          if event.kind == "crash" then unflushed = unflushed + (event.unflushed or 0) end
        end}
      assert.is_nil(world:run(5000))
    end
    assert.is_true(lost > 10 and unflushed > lost, lost)
  end)
end)
