-- Faults that no protocol has to survive; only a hopeless world has them. jangada.lab.faults says
-- what a kind consists of.

local M = {}

local function one_of(chance, ids)
  return chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]
end

M.amnesia = {
  fields = {node = "node"}, rate = 0.5, overlaps = true,
  draw = function(chance, ids) return {kind = "amnesia", node = one_of(chance, ids)} end,
  begin = function(world, fault)
    local machine = world:node(fault.node)
    if not machine or machine.is_lost then return nil end
    world:wipe(machine.index)
    machine.cause = fault
    return function()
      if machine.cause == fault then world:restart(machine.index) end
    end
  end,
}

M.disk_swap = {
  fields = {node = "node", other = "node"}, rate = 0.3, overlaps = true, nodes_min = 2,
  draw = function(chance, ids)
    return {kind = "disk_swap", node = one_of(chance, ids), other = ids[chance:between(1, #ids)]}
  end,
  begin = function(world, fault)
    local a, b = world:node(fault.node), world:node(fault.other)
    if not a or not b or not world:swap_disks(a.index, b.index) then return nil end
    a.cause, b.cause = fault, fault
    return function()
      for _, machine in ipairs{a, b} do
        if machine.cause == fault then world:restart(machine.index) end
      end
    end
  end,
}

M.lying_disk = {
  fields = {node = "node"}, rate = 0.5, overlaps = true, of_disks = true,
  draw = function(chance, ids) return {kind = "lying_disk", node = one_of(chance, ids)} end,
  begin = function(world, fault)
    local machine = world:node(fault.node)
    if not machine then return nil end
    world:set_lying(machine.index, true)
    machine.causes.lie = fault
    return function()
      if machine.causes.lie == fault then world:set_lying(machine.index, false) end
    end
  end,
}

for _, kind in pairs(M) do kind.hopeless = true end

return M
