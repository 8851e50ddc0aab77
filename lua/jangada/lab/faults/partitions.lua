-- Faults that cut the network: jangada.lab.faults says what a kind consists of, jangada.lab.cuts
-- what each shape cuts.

local M = {}

local function whole(x) return math.floor(x + 0.5) end

local function some_node(chance, ids, leader_rate)
  return chance:chance(leader_rate) and "leader" or ids[chance:between(1, #ids)]
end

local function shuffled(chance, ids)
  local order = table.move(ids, 1, #ids, 1, {})
  for i = #order, 2, -1 do
    local j = chance:between(1, i)
    order[i], order[j] = order[j], order[i]
  end
  return order
end

-- A cut that is a layer: it ends with it.
local function cutting(fields, draw, verb)
  return {
    fields = fields, draw = draw, rate = 0.25,
    begin = function(world, fault)
      local layer = verb(world, fault)
      return layer and function() world:mend(layer) end
    end,
  }
end

M.partition = {
  fields = {groups = "groups"},
  rate = 0.6,
  draw = function(chance, ids)
    if chance:chance(0.3) then return {kind = "partition", groups = {{"leader"}}} end
    local side = {}
    for _, id in ipairs(ids) do
      if chance:chance(0.5) then side[#side + 1] = id end
    end
    if #side == 0 or #side == #ids then side = {ids[chance:between(1, #ids)]} end
    return {kind = "partition", groups = {side}}
  end,
  begin = function(world, fault)
    world:partition(fault.groups)
    local groups = world.network.groups
    return function()
      if world.network.groups == groups then world:rejoin() end
    end
  end,
}

M.one_way = cutting({from = "nodes", to = "nodes"}, function(chance, ids)
  local order = shuffled(chance, ids)
  local side = {table.unpack(order, 1, chance:between(1, math.max(1, #order - 1)))}
  local rest = {table.unpack(order, #side + 1)}
  if chance:chance(0.3) then side, rest = {"leader"}, ids end
  if chance:chance(0.5) then side, rest = rest, side end
  return {kind = "one_way", from = side, to = rest}
end, function(world, fault) return world:one_way(fault.from, fault.to) end)

M.partial = cutting({from = "nodes", to = "nodes"}, function(chance, ids)
  local order = shuffled(chance, ids)
  return {kind = "partial", from = {chance:chance(0.3) and "leader" or order[1]}, to = {order[2]}}
end, function(world, fault) return world:partial(fault.from, fault.to) end)

M.isolate = cutting({node = "node"}, function(chance, ids)
  return {kind = "isolate", node = some_node(chance, ids, 0.5)}
end, function(world, fault) return world:isolate(fault.node) end)

M.bridge = cutting({node = "node", side = "nodes?"}, function(chance, ids)
  local order = shuffled(chance, ids)
  return {kind = "bridge", node = order[1], side = {table.unpack(order, 2, 1 + #ids // 2)}}
end, function(world, fault) return world:bridge(fault.node, fault.side) end)

M.ring = cutting({order = "nodes?"}, function(chance, ids)
  return {kind = "ring", order = shuffled(chance, ids)}
end, function(world, fault) return world:ring(fault.order) end)

M.star = cutting({node = "node"}, function(chance, ids)
  return {kind = "star", node = some_node(chance, ids, 0.3)}
end, function(world, fault) return world:star(fault.node) end)

M.flapping = cutting({node = "node", cut_ms = "time", open_ms = "time"}, function(chance, ids)
  return {kind = "flapping", node = some_node(chance, ids, 0.3),
    cut_ms = whole(chance:logarithmic(5, 300)), open_ms = whole(chance:logarithmic(5, 300))}
end, function(world, fault) return world:flapping(fault.node, fault.cut_ms, fault.open_ms) end)

-- With fewer nodes there is nothing to cut.
for name, kind in pairs(M) do
  kind.nodes_min = ({partition = 1, bridge = 3, star = 3, ring = 4})[name] or 2
end

return M
