-- What a user does to the network of a world: methods of jangada.World.
--
-- A node is meant by its index, its id or `leader`, a client by its id; where several can be, by a
-- list. What lies upon some links only (a cut, a clog, a slower delay) is given back as a handle,
-- which `mend` ends.

local capacities = require "jangada.lab.capacities"
local cuts = require "jangada.lab.cuts"
local delays = require "jangada.lab.delays"
local errors = require "jangada.errors"
local hosts = require "jangada.lab.host"

local World = {}

---------------------------------------------------------------------------------------------------
-- Who is meant

-- The id of a node or client; nil when it is `leader` and all nodes are down.
local function id_of(self, which)
  local endpoint = self.endpoints[which]
  if not (endpoint and endpoint.is_client) then endpoint = self:node(which) end
  return endpoint and endpoint.id
end

-- The ids that one, or a list, means; all there are for nil.
local function ids_of(self, which)
  local ids = {}
  if which == nil then
    for id in pairs(self.endpoints) do ids[#ids + 1] = id end
  elseif type(which) == "table" then
    for _, one in ipairs(which) do ids[#ids + 1] = id_of(self, one) end
  else
    ids[1] = id_of(self, which)
  end
  return ids
end

local function check_some(which, name)
  if which == nil or type(which) == "table" and #which == 0 then
    errors.raise("option_invalid", "%s is a node, a client or a list of these", name)
  end
end

---------------------------------------------------------------------------------------------------
-- All links

---Partitions the network: endpoints of different groups do not reach each other. Nodes that no
---group names form one more; clients that no group names reach all.
---@param ... (integer|string)[] groups, or one list of groups
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:partition(...)
  self:check_idle()
  local groups = {...}
  if #groups == 1 and type(groups[1][1]) == "table" then groups = groups[1] end
  local named, texts = {}, {}
  for i, group in ipairs(groups) do
    named[i] = ids_of(self, group)
    texts[i] = table.concat(named[i], ",")
  end
  self.network:partition(named, self.ids)
  local text = table.concat(texts, "|")
  self.trace:fold_name(text, 0)
  self:note{kind = "partition", groups = named}
end

---Ends the partition; cuts stay.
---Raises `world_busy`.
function World:rejoin()
  self:check_idle()
  self.network:rejoin()
  self:note{kind = "heal"}
end

---Ends the partition, and all cuts.
---Raises `world_busy`.
function World:heal()
  self:check_idle()
  self.network:heal()
  self:note{kind = "heal"}
end

local function set_rate(self, name, rate)
  self:check_idle()
  self.network:set_rate(name, rate)
  self:note{kind = name, rate = self.network[name]}
end

---Changes the share of messages that get lost.
---@param rate number|nil 0..1; nil restores what the world was made with
---Raises `world_busy`, `option_invalid`.
function World:set_loss(rate) set_rate(self, "loss", rate) end

---Changes the share of messages that arrive twice, each time with a delay of its own.
---@param rate number|nil 0..1; nil restores what the world was made with
---Raises `world_busy`, `option_invalid`.
function World:set_duplication(rate) set_rate(self, "duplication", rate) end

---Changes the share of messages that are damaged on their way, which is noticed: they are dropped.
---@param rate number|nil 0..1; nil restores what the world was made with
---Raises `world_busy`, `option_invalid`.
function World:set_corruption(rate) set_rate(self, "corruption", rate) end

---Changes the delay of messages.
---@param law table|nil {least, most} in ms, or another law (jangada.lab.delays); nil restores what
---the world was made with
---Raises `world_busy`, `option_invalid`.
function World:set_delay(law)
  self:check_idle()
  self.network:set_delay(law)
  self:note{kind = "delay", delay_ms = law}
end

---Lets a share of messages come late, so that others overtake them, even where order is kept.
---@param rate number|nil 0..1; nil for none
---@param late_ms table|nil a law of how much later (jangada.lab.delays), default {10, 200}
---Raises `world_busy`, `option_invalid`.
function World:set_reorder(rate, late_ms)
  self:check_idle()
  if rate ~= nil and late_ms == nil then late_ms = {10, 200} end
  self.network:set_reorder(rate, late_ms)
  self:note{kind = "reorder", rate = self.network.reorder, late_ms = late_ms}
end

---Says whether links keep the order of their messages, of those that leave from now on.
---@param fifo boolean|nil nil restores what the world was made with
---Raises `world_busy`, `option_invalid`.
function World:set_fifo(fifo)
  self:check_idle()
  self.network:set_fifo(fifo)
  self:note{kind = "fifo", fifo = self.network.fifo}
end

---------------------------------------------------------------------------------------------------
-- Some links

local function note_links(self, kind, layer)
  local links = cuts.list(layer.links)
  self.trace:fold_name(table.concat(links, " "), 0)
  self:note{kind = kind, shape = layer.shape, links = links, delay_ms = layer.delay_ms,
    per_second = layer.per_second, waiting = layer.waiting}
end

local function lay(self, layer)
  self.network:lay(layer)
  note_links(self, layer.shape and "cut" or layer.held and "clog"
    or layer.law and "slow" or "capacity", layer)
  return layer
end

---Ends a cut, a clog, a slowness or a capacity.
---@param layer table|nil what the verb that began it returned
---@return boolean mended false when it was over
---Raises `world_busy`, `option_invalid`.
function World:mend(layer)
  self:check_idle()
  if type(layer) ~= "table" or not layer.links then
    errors.raise("option_invalid", "mend takes what one_way, clog and the like have returned")
  end
  if not self.network:lift(layer) then return false end
  note_links(self, "mend", layer)
  if layer.held then hosts.release(self, layer) end
  return true
end

---Cuts one way: what `from` sends does not reach `to`.
---@param from integer|string|(integer|string)[]
---@param to integer|string|(integer|string)[]
---@return table layer for `mend`
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:one_way(from, to)
  self:check_idle()
  check_some(from, "from")
  check_some(to, "to")
  return lay(self, {shape = "one_way", links = cuts.one_way(ids_of(self, from), ids_of(self, to))})
end

---Cuts between two of them, or two lists, both ways; all others reach both.
---@param from integer|string|(integer|string)[]
---@param to integer|string|(integer|string)[]
---@return table layer for `mend`
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:partial(from, to)
  self:check_idle()
  check_some(from, "from")
  check_some(to, "to")
  return lay(self, {shape = "partial", links = cuts.partial(ids_of(self, from), ids_of(self, to))})
end

---Cuts one node off from all others, and from the clients there are.
---@param which integer|string `leader` for the leader only
---@return table|nil layer for `mend`; nil when it is `leader` and all nodes are down
---Raises `world_busy`, `unknown_node`.
function World:isolate(which)
  self:check_idle()
  local id = id_of(self, which)
  return id and lay(self, {shape = "isolate", links = cuts.isolate(id, ids_of(self, nil))})
end

---Cuts the nodes into two sides that reach each other only through one node.
---@param which integer|string
---@param side (integer|string)[]|nil one side; nil for the first half of the other nodes
---@return table|nil layer for `mend`; nil when it is `leader` and all nodes are down
---Raises `world_busy`, `unknown_node`.
function World:bridge(which, side)
  self:check_idle()
  local id = id_of(self, which)
  side = side and ids_of(self, side)
  return id and lay(self, {shape = "bridge", links = cuts.bridge(id, side, self.ids)})
end

---Cuts the nodes into a ring: each reaches only its two neighbours.
---@param order (integer|string)[]|nil all nodes, around the ring; nil for their own order
---@return table layer for `mend`
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:ring(order)
  self:check_idle()
  local ids, seen = order and ids_of(self, order) or self.ids, {}
  for _, id in ipairs(ids) do
    if seen[id] then errors.raise("option_invalid", "%s is twice in the ring", id) end
    seen[id] = true
  end
  if #ids ~= #self.ids then
    errors.raise("option_invalid", "a ring is of all %d nodes, not %d", #self.ids, #ids)
  end
  return lay(self, {shape = "ring", links = cuts.ring(ids)})
end

---Cuts all links between nodes but those of one: the others reach only it.
---@param which integer|string
---@return table|nil layer for `mend`; nil when it is `leader` and all nodes are down
---Raises `world_busy`, `unknown_node`.
function World:star(which)
  self:check_idle()
  local id = id_of(self, which)
  return id and lay(self, {shape = "star", links = cuts.star(id, self.ids)})
end

local function check_time(ms, name)
  if type(ms) ~= "number" or not (ms >= 0.001 and ms <= 1e9) then
    errors.raise("option_invalid", "%s is a time from 0.001 to 10^9 ms, not %s", name, tostring(ms))
  end
  return math.floor(ms * 1000)
end

local function flip(world, step)
  local layer = step.layer
  if layer.over then return false end
  layer.open = not layer.open
  note_links(world, layer.open and "mend" or "cut", layer)
  world:push(world.time_us + (layer.open and layer.open_us or layer.cut_us), step)
end

---Isolates a node again and again, with time between.
---@param which integer|string
---@param cut_ms number how long each time
---@param open_ms number how long it is not
---@return table|nil layer for `mend`; nil when it is `leader` and all nodes are down
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:flapping(which, cut_ms, open_ms)
  self:check_idle()
  local cut_us, open_us = check_time(cut_ms, "cut_ms"), check_time(open_ms, "open_ms")
  local id = id_of(self, which)
  if not id then return nil end
  local layer = lay(self, {shape = "flapping", cut_us = cut_us, open_us = open_us,
    links = cuts.isolate(id, ids_of(self, nil))})
  self:push(self.time_us + cut_us, {run = flip, layer = layer})
  return layer
end

---Gives some links a slower delay, or a quicker one.
---@param from integer|string|(integer|string)[]|nil nil for all there are
---@param to integer|string|(integer|string)[]|nil nil for all there are
---@param law table of delay (jangada.lab.delays)
---@return table layer for `mend`
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:slow(from, to, law)
  self:check_idle()
  local of = delays.law(law, "delay_ms").of
  return lay(self, {law = of, delay_ms = law,
    links = cuts.one_way(ids_of(self, from), ids_of(self, to))})
end

---Limits how many messages some links carry: each link so many a second, one after the other; what
---comes meanwhile waits, and what finds too many waiting is lost. The delay comes on top.
---@param from integer|string|(integer|string)[]|nil nil for all there are
---@param to integer|string|(integer|string)[]|nil nil for all there are
---@param per_second integer messages, 1 to 1,000,000
---@param waiting? integer how many may be under way on a link, default 100
---@return table layer for `mend`
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:capacity(from, to, per_second, waiting)
  self:check_idle()
  return lay(self, capacities.layer(cuts.one_way(ids_of(self, from), ids_of(self, to)), per_second,
    waiting))
end

---Clogs some links: what is sent on them from now on is held, and leaves when that is over.
---@param from integer|string|(integer|string)[]|nil nil for all there are
---@param to integer|string|(integer|string)[]|nil nil for all there are
---@return table layer for `mend`
---Raises `world_busy`, `unknown_node`.
function World:clog(from, to)
  self:check_idle()
  return lay(self, {held = {}, links = cuts.one_way(ids_of(self, from), ids_of(self, to))})
end

return World
