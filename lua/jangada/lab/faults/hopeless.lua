-- Faults that no protocol has to survive; only a hopeless world has them. jangada.lab.faults says
-- what a kind consists of.

local M = {}

M.amnesia = {
  fields = {node = "node"}, rate = 0.5, overlaps = true,
  draw = function(chance, ids)
    return {kind = "amnesia", node = chance:chance(0.3) and "leader"
      or ids[chance:between(1, #ids)]}
  end,
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

for _, kind in pairs(M) do kind.hopeless = true end

return M
