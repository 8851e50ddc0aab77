-- Faults of the links: what happens to messages on their way. jangada.lab.faults says what a kind
-- consists of.

local M = {}

local function whole(x) return math.floor(x + 0.5) end

-- A fault that sets something of the network, until it ends or another of its kind has set it.
local function setting(kind, set)
  return function(world, fault)
    set(world, fault)
    world.causes[kind] = fault
    return function()
      if world.causes[kind] == fault then set(world, {}) end
    end
  end
end

local function rate_of(chance, least, most)
  return whole(chance:logarithmic(least, most) * 1000) / 1000
end

-- A law of delay: even, or with a tail.
local function draw_law(chance, most_ms)
  local least = whole(chance:logarithmic(1, most_ms / 4))
  local more = least + whole(chance:logarithmic(1, most_ms))
  local which = chance:choose(4)
  if which == 0 then return {"constant", more} end
  if which == 1 then return {"uniform", least, more} end
  if which == 2 then return {"exponential", least, more} end
  return {"long_tail", least, more * 10}
end

-- One link, or all from or to a node.
local function draw_links(chance, ids, fault)
  local i = chance:between(1, #ids)
  local which = chance:choose(3)
  if which ~= 0 then fault.from = {ids[i]} end
  if which ~= 1 then fault.to = {ids[(i + chance:between(0, #ids - 2)) % #ids + 1]} end
  return fault
end

M.loss = {
  fields = {rate = "rate"}, rate = 0.6,
  draw = function(chance) return {kind = "loss", rate = rate_of(chance, 0.005, 0.5)} end,
  begin = setting("loss", function(world, fault) world:set_loss(fault.rate) end),
}

M.delay = {
  fields = {delay_ms = "law"}, rate = 0.6,
  draw = function(chance)
    local low = whole(chance:logarithmic(1, 50))
    return {kind = "delay", delay_ms = {low, low + whole(chance:logarithmic(1, 200))}}
  end,
  begin = setting("delay", function(world, fault) world:set_delay(fault.delay_ms) end),
}

M.duplication = {
  fields = {rate = "rate"}, rate = 0.4,
  draw = function(chance) return {kind = "duplication", rate = rate_of(chance, 0.005, 0.5)} end,
  begin = setting("duplication", function(world, fault) world:set_duplication(fault.rate) end),
}

M.corruption = {
  fields = {rate = "rate"}, rate = 0.25,
  draw = function(chance) return {kind = "corruption", rate = rate_of(chance, 0.005, 0.3)} end,
  begin = setting("corruption", function(world, fault) world:set_corruption(fault.rate) end),
}

M.reorder = {
  fields = {rate = "rate", late_ms = "law"}, rate = 0.4,
  draw = function(chance)
    return {kind = "reorder", rate = rate_of(chance, 0.005, 0.7), late_ms = draw_law(chance, 400)}
  end,
  begin = setting("reorder", function(world, fault)
    world:set_reorder(fault.rate, fault.late_ms)
  end),
}

M.fifo = {
  fields = {}, rate = 0.25,
  draw = function() return {kind = "fifo"} end,
  begin = setting("fifo", function(world, fault) world:set_fifo(fault.kind and true or nil) end),
}

M.slow = {
  fields = {from = "nodes?", to = "nodes?", delay_ms = "law"}, rate = 0.4, nodes_min = 2,
  draw = function(chance, ids)
    return draw_links(chance, ids, {kind = "slow", delay_ms = draw_law(chance, 200)})
  end,
  begin = function(world, fault)
    local layer = world:slow(fault.from, fault.to, fault.delay_ms)
    return function() world:mend(layer) end
  end,
}

M.capacity = {
  fields = {from = "nodes?", to = "nodes?", per_second = "pace", waiting = "index?"}, rate = 0.25,
  nodes_min = 2,
  draw = function(chance, ids)
    local per_second, waiting = chance:logarithmic(10, 2000), chance:logarithmic(2, 200)
    return draw_links(chance, ids, {kind = "capacity", per_second = whole(per_second),
      waiting = whole(waiting)})
  end,
  begin = function(world, fault)
    local layer = world:capacity(fault.from, fault.to, fault.per_second, fault.waiting)
    return function() world:mend(layer) end
  end,
}

M.clog = {
  fields = {from = "nodes?", to = "nodes?"}, rate = 0.25, nodes_min = 2,
  draw = function(chance, ids) return draw_links(chance, ids, {kind = "clog"}) end,
  begin = function(world, fault)
    local layer = world:clog(fault.from, fault.to)
    return function() world:mend(layer) end
  end,
}

return M
