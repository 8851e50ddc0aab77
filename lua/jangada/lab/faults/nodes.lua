-- Faults of nodes: they crash, they pause. jangada.lab.faults says what a kind consists of.

local M = {}

local function of_node(kind)
  return function(chance, ids)
    return {kind = kind, node = chance:chance(0.3) and "leader" or ids[chance:between(1, #ids)]}
  end
end

M.crash = {
  fields = {node = "node", keep = "count?", tail = "tail?"},
  draw = of_node("crash"),
  begin = function(world, fault)
    local machine = world:node(fault.node)
    if not machine or not world:crash(machine.index, fault) then return nil end
    machine.cause = fault
    return function()
      if machine.cause == fault then world:restart(machine.index) end
    end
  end,
}

M.pause = {
  fields = {node = "node"},
  draw = of_node("pause"),
  begin = function(world, fault)
    local machine = world:node(fault.node)
    if not machine or not world:pause(machine.index) then return nil end
    machine.cause = fault
    return function()
      if machine.cause == fault then world:resume(machine.index) end
    end
  end,
}

for _, kind in pairs(M) do
  kind.overlaps = true -- several nodes may be down at once
  kind.rate = 0.6
end

return M
