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

for _, kind in pairs(M) do kind.of_disks = true end

return M
