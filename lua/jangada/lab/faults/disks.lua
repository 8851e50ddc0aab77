-- Faults of disks. jangada.lab.faults says what a kind consists of.

local M = {}

local function whole(x) return math.floor(x + 0.5) end

-- How long flushes take: from those of a good disk to those of one that is about to fail.
local function draw_flush(chance)
  local least = whole(chance:logarithmic(0.05, 20) * 100) / 100
  return {least, whole((least + chance:logarithmic(0.1, 200)) * 100) / 100}
end

M.slow_disk = {
  fields = {node = "node?", flush_ms = "law"}, rate = 0.5, overlaps = true,
  draw = function(chance, ids)
    local node
    if chance:chance(0.7) then
      node = chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]
    end
    return {kind = "slow_disk", node = node, flush_ms = draw_flush(chance)}
  end,
  begin = function(world, fault)
    local touched = {}
    if fault.node then
      touched[1] = world:node(fault.node)
    else
      touched = world.nodes
    end
    for _, machine in ipairs(touched) do
      world:set_flush(machine.index, fault.flush_ms)
      machine.slowed_by = fault
    end
    return function()
      for _, machine in ipairs(touched) do
        if machine.slowed_by == fault then world:set_flush(machine.index, nil) end
      end
    end
  end,
}

M.failing_disk = {
  fields = {node = "node", call = "disk_call", error = "disk_error"}, rate = 0.25, overlaps = true,
  draw = function(chance, ids)
    local node = chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]
    return {kind = "failing_disk", node = node, call = chance:chance(0.5) and "write" or "flush",
      error = chance:chance(0.5) and "EIO" or "ENOSPC"}
  end,
  begin = function(world, fault)
    local machine = world:node(fault.node)
    if not machine then return nil end
    world:fail_disk(machine.index, fault.call, fault.error)
    machine.causes.disk = fault
    return function()
      if machine.causes.disk == fault then world:mend_disk(machine.index) end
    end
  end,
}

for _, kind in pairs(M) do kind.of_disks = true end

M.bit_rot = {
  fields = {node = "node", entry = "index?"}, rate = 0.2, overlaps = true, lasts = true,
  nodes_min = 3,
  draw = function(chance, ids)
    local node = chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]
    return {kind = "bit_rot", node = node}
  end,
  begin = function(world, fault)
    local machine = world:node(fault.node)
    if machine and world:can_spare(machine) then world:rot(machine.index, fault.entry) end
  end,
}

return M
