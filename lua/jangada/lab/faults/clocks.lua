-- Faults of clocks. jangada.lab.faults says what a kind consists of.

local M = {}

local function some_node(chance, ids)
  return chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]
end

local function draw_ms(chance)
  local ms = math.floor(chance:logarithmic(1, 60000))
  return chance:chance(0.5) and -ms or ms
end

-- A fault that sets something of a clock, until it ends or another one has set the same.
local function setting(name, set, restore)
  return function(world, fault)
    local machine = world:node(fault.node)
    if not machine then return nil end
    set(world, machine.index, fault)
    machine.causes[name] = fault
    return function()
      if machine.causes[name] == fault then restore(world, machine.index) end
    end
  end
end

M.clock_offset = {
  fields = {node = "node", by_ms = "shift"},
  draw = function(chance, ids)
    return {kind = "clock_offset", node = some_node(chance, ids), by_ms = draw_ms(chance)}
  end,
  begin = setting("offset", function(world, index, fault)
    world:set_clock(index, {offset_ms = fault.by_ms})
  end, function(world, index) world:set_clock(index, {offset_ms = 0}) end),
}

M.clock_step = {
  fields = {node = "node", by_ms = "shift"},
  draw = function(chance, ids)
    return {kind = "clock_step", node = some_node(chance, ids), by_ms = draw_ms(chance)}
  end,
  begin = function(world, fault)
    local machine = world:node(fault.node)
    if not machine then return nil end
    world:step_clock(machine.index, fault.by_ms)
    return function() world:step_clock(machine.index, -fault.by_ms) end
  end,
}

M.clock_drift = {
  fields = {node = "node", rate = "clock_rate"},
  draw = function(chance, ids)
    local rate = math.floor(chance:logarithmic(0.5, 2) * 1000 + 0.5) / 1000
    return {kind = "clock_drift", node = some_node(chance, ids), rate = rate}
  end,
  begin = setting("rate", function(world, index, fault)
    world:set_clock(index, {rate = fault.rate})
  end, function(world, index) world:set_clock(index, {rate = 1}) end),
}

M.clock_freeze = {
  fields = {node = "node"},
  draw = function(chance, ids) return {kind = "clock_freeze", node = some_node(chance, ids)} end,
  begin = setting("rate", function(world, index) world:set_clock(index, {rate = 0}) end,
    function(world, index) world:set_clock(index, {rate = 1}) end),
}

for _, kind in pairs(M) do
  kind.rate = 0.25
  kind.overlaps = true -- on other nodes
end

return M
