-- The network of a world: which message arrives, and when.
--
-- Every pair of endpoints has a link of its own in each direction, and every link a stream of the
-- oracle for each thing that can befall a message: one for delays, one for losses, and so on. The
-- n-th message on a link takes the n-th answer of each, whatever happens elsewhere and whatever the
-- rates are. Messages overtake each other, since each has its own delay, unless links keep their
-- order (`fifo`). What a node sends to itself is neither lost nor slow.
--
-- Besides what holds for all links there are layers, each upon a set of links (links[src][dest] =
-- true): a cut, through which nothing comes; a slower law of delay; a capacity, of which each
-- message takes its share of time; a clog, which holds messages back until it is taken away.

local capacities = require "jangada.lab.capacities"
local delays = require "jangada.lab.delays"
local errors = require "jangada.errors"
local fates = require "jangada.lab.fates"
local options = require "jangada.lab.options"
local plain = require "jangada.node.plain"

local mix = plain.mix

local Network = {}
Network.__index = Network
Network.__name = "jangada.lab.Network"

local M = {}

local BITS <const> = math.maxinteger -- of a draw for a law

local RULES <const> = {delay_ms = {options.any, {1, 10}}, loss = {options.rate, 0},
  duplication = {options.rate, 0}, corruption = {options.rate, 0}, fifo = {options.boolean, false},
  fates = {options.any, {}}}

--- The rules of its options (jangada.lab.options).
M.RULES = RULES

---Raises `option_invalid` unless it is a share of messages.
---@param rate any
---@param name string what it is the rate of
---@return number rate
function M.check_rate(rate, name)
  if type(rate) ~= "number" or not (rate >= 0 and rate <= 1) then
    errors.raise("option_invalid", "a rate of %s is a number from 0 to 1, not %s", name,
      tostring(rate))
  end
  return rate
end

local check_rate = M.check_rate

-- links[src][dest] is the link between two endpoints, made when it is first asked for: the stream
-- of its delays, which has that of its losses and the fates of its single messages as fields.
local function new_links(oracle, fates_of)
  return setmetatable({}, {__index = function(links, src)
    links[src] = setmetatable({}, {__index = function(from, dest)
      local link = oracle:stream(("delay %s %s"):format(src, dest))
      link.losses = oracle:stream(("loss %s %s"):format(src, dest))
      link.fates = fates_of and fates_of[src] and fates_of[src][dest] or nil
      from[dest] = link
      return link
    end})
    return links[src]
  end})
end

-- What `fate` looks at first: whether anything can befall a message but an even delay.
local function settle(self)
  self.is_divided = self.groups ~= false or #self.cuts > 0
  self.is_rough = self.law ~= false or self.duplication > 0 or self.corruption > 0
    or self.reorder > 0 or self.fifo or #self.layers > 0
  self.is_troubled = self.is_divided or self.loss > 0 or self.is_rough or self.has_fates
end

local function check_order(fifo)
  if type(fifo) ~= "boolean" then
    errors.raise("option_invalid", "fifo is true or false, not %s", tostring(fifo))
  end
  return fifo
end

---Makes the network of a world.
---@param oracle table
---@param given table `delay_ms`, a law of delay (jangada.lab.delays, default {1, 10}); the shares
---of messages that suffer `loss`, `duplication`, `corruption` (default 0); `fifo`, whether links
---keep the order of their messages (default false); `fates` of single messages (jangada.lab.fates)
---@return table network
---Raises `option_unknown`, `option_invalid`.
function M.new(oracle, given)
  local base = options.read("network", given, RULES)
  base.delay = delays.law(base.delay_ms, "delay_ms of network")
  local fates_of = fates.read(base.fates)
  local self = setmetatable({
    oracle = oracle,
    links = new_links(oracle, fates_of),
    has_fates = fates_of ~= false,   -- some single messages have one of their own
    base = base,                     -- what it was made with
    delay_us = 0, spread = 1,        -- the delays now, when they are even
    law = false,                     -- otherwise what gives one
    loss = base.loss, duplication = base.duplication, corruption = base.corruption,
    reorder = 0, late = false,       -- share of messages that are late, and the law of how much
    fifo = base.fifo,
    groups = false,                  -- during a partition: id -> number of its group
    cuts = {},                       -- layers that let nothing through, unless they are `open`
    layers = {},                     -- layers with a `law`, a capacity (`gap_us`, `waiting`, and
                                     -- when a link is `free`), or a clog with what it has `held`
    is_divided = false, is_rough = false, is_troubled = false,
  }, Network)
  self:set_delay(nil)
  return self
end

-- The answer of one of a link's streams for the message that leaves now.
local function answer(self, link, name, src, dest)
  local stream = link[name]
  if not stream then
    stream = self.oracle:stream(("%s %s %s"):format(name, src, dest))
    link[name] = stream
  end
  stream.count = link.count - 1
  return stream
end

-- With order kept a message arrives no sooner than the one before it.
local function in_order(link, now_us, delay)
  local due_us = math.max(now_us + delay, link.last_us or 0)
  link.last_us = due_us
  return due_us - now_us
end

local function delay_by(self, law, draw)
  return law and law(draw) or draw % self.spread + self.delay_us
end

-- What the layers upon a link make of a message: the law of its delay, how long it waits (nil: it
-- is lost), and what holds it.
local function through_layers(self, link, src, dest, now_us)
  local law, wait, clog = self.law, 0, nil
  local layers = self.layers
  for i = 1, #layers do
    local layer = layers[i]
    local row = layer.links[src]
    if row and row[dest] then
      if layer.held then
        clog = clog or layer
      elseif layer.law then
        law = layer.law
      else
        local its = capacities.transmission(layer, link, now_us)
        if not its then return law, nil end
        if its > wait then wait = its end
      end
    end
  end
  return law, wait, clog
end

-- What becomes of a message when more can befall it than loss.
local function rough_fate(self, link, src, dest, draw, now_us)
  if self.corruption > 0
    and answer(self, link, "corruption", src, dest):chance(self.corruption) then
    return nil, "corrupted"
  end
  local law, wait, clog = through_layers(self, link, src, dest, now_us)
  if not wait then return nil, "overflow" end
  local delay, again = delay_by(self, law, draw) + wait, nil
  local is_late = self.reorder > 0
    and answer(self, link, "reorder", src, dest):chance(self.reorder)
  if is_late then delay = delay + self.late(answer(self, link, "late", src, dest):choose(BITS)) end
  if self.duplication > 0
    and answer(self, link, "duplication", src, dest):chance(self.duplication) then
    again = delay_by(self, law, answer(self, link, "copy", src, dest):choose(BITS)) + wait
  end
  if self.fifo and not clog then
    if not is_late then delay = in_order(link, now_us, delay) end
    if again then again = in_order(link, now_us, again) end
  end
  return delay, clog and "clogged" or again and "duplicated" or nil, again, clog
end

local function troubled_fate(self, link, src, dest, draw, now_us)
  if self.is_divided and self:is_cut(src, dest) then return nil, "cut" end
  local fates_of_link, own = link.fates, nil
  if fates_of_link then own = fates_of_link[link.count] end
  if own == false then return nil, "lost" end
  if own == true then return delay_by(self, self.law, draw) end
  if own then
    if math.type(own) then return own end
    return own[1], "duplicated", own[2]
  end
  if self.loss > 0 then
    local losses = link.losses
    losses.count = link.count - 1
    if losses:chance(self.loss) then return nil, "lost" end
  end
  if self.is_rough then return rough_fate(self, link, src, dest, draw, now_us) end
  return draw % self.spread + self.delay_us
end

---Decides what becomes of a message that leaves now.
---@param src string
---@param dest string
---@param now_us integer
---@return integer|nil delay_us nil when it will not arrive
---@return string|nil why nil when nothing befalls it; `cut`, `lost`, `overflow` or `corrupted` when
---it will not arrive, `duplicated` when it does so twice, `clogged` when it is held
---@return integer|nil again_us the delay of its copy
---@return table|nil clog what holds it, and its copy
function Network:fate(src, dest, now_us)
  local link = self.links[src][dest]
  local count = link.count + 1
  link.count = count -- link:choose, without the call
  local draw = mix(link.seed, count) >> 1
  if src == dest then return 1 end
  if self.is_troubled then return troubled_fate(self, link, src, dest, draw, now_us) end
  return draw % self.spread + self.delay_us
end

--- The method `fate` as a function, for the host: each message that leaves calls it.
M.fate = Network.fate

---Like `fate`, where the oracle asks who decides: for a delay among those there are, not for bits.
---@param self table network
---@param src string
---@param dest string
---@param now_us integer
---@return integer|nil, string|nil, integer|nil, table|nil as `fate`
function M.asked_fate(self, src, dest, now_us)
  if src == dest then return 1 end
  local link = self.links[src][dest]
  local draw = link:choose((self.law or #self.layers > 0) and BITS or self.spread)
  if self.is_troubled then return troubled_fate(self, link, src, dest, draw, now_us) end
  return draw % self.spread + self.delay_us
end

---Whether something separates two endpoints now. A client that no group names reaches all.
---@param src string
---@param dest string
---@return boolean
function Network:is_cut(src, dest)
  local groups, cuts = self.groups, self.cuts
  if groups then
    local a, b = groups[src], groups[dest]
    if a ~= nil and b ~= nil and a ~= b then return true end
  end
  for i = 1, #cuts do
    local row = not cuts[i].open and cuts[i].links[src]
    if row and row[dest] then return true end
  end
  return false
end

---Partitions the network; a partition that stands is replaced.
---@param groups string[][] ids that reach each other
---@param rest string[] ids that form one more group, but for those that `groups` names
function Network:partition(groups, rest)
  local numbers = {}
  for number, ids in ipairs(groups) do
    for _, id in ipairs(ids) do
      if numbers[id] then errors.raise("option_invalid", "%s is in two groups", id) end
      numbers[id] = number
    end
  end
  for _, id in ipairs(rest) do numbers[id] = numbers[id] or 0 end
  self.groups = numbers
  settle(self)
end

---Ends the partition; cuts stay.
function Network:rejoin()
  self.groups = false
  settle(self)
end

---Ends the partition, and all cuts.
function Network:heal()
  self.groups = false
  for _, layer in ipairs(self.cuts) do layer.over = true end
  self.cuts = {}
  settle(self)
end

local function list_of(self, layer)
  return (layer.law or layer.held or layer.gap_us) and self.layers or self.cuts
end

---Lays something upon a set of links.
---@param layer table `links`, and a `law` of delay, a capacity, `held` of a clog, or none of a cut
function Network:lay(layer)
  table.insert(list_of(self, layer), layer)
  settle(self)
end

---Takes a layer away.
---@param layer table
---@return boolean taken false when it was gone
function Network:lift(layer)
  local list = list_of(self, layer)
  for i, other in ipairs(list) do
    if other == layer then
      table.remove(list, i)
      layer.over = true
      settle(self)
      return true
    end
  end
  return false
end

-- A partition as a cut of the links between its groups.
local function cut_of(groups)
  local links = {}
  for src, a in pairs(groups) do
    links[src] = {}
    for dest, b in pairs(groups) do
      if a ~= b then links[src][dest] = true end
    end
  end
  return {shape = "partition", links = links}
end

---Lets some endpoints reach one another: no cut, clog or slowness is on the links between them any
---more; and all links lose, damage, double and delay no more than they were made to, but for loss.
---@param ids table<string, boolean>
---@return table[] clogs that are, or were, in place
function Network:free(ids)
  if self.groups then
    table.insert(self.cuts, cut_of(self.groups))
    self.groups = false
  end
  local clogs = {}
  for _, layers in ipairs{self.cuts, self.layers} do
    for _, layer in ipairs(layers) do
      for src, row in pairs(layer.links) do
        for dest in pairs(ids[src] and row or {}) do
          if ids[dest] then row[dest] = nil end
        end
      end
      if layer.held then clogs[#clogs + 1] = layer end
    end
  end
  self.loss, self.reorder, self.fifo = 0, 0, self.base.fifo
  self.duplication, self.corruption = self.base.duplication, self.base.corruption
  self:set_delay(nil)
  return clogs
end

---The fate of a message that a clog held, when the clog has gone.
---@param src string
---@param dest string
---@param delay integer what it was going to take
---@param now_us integer
---@return integer|nil delay_us nil when another clog holds it
---@return table|nil clog
function Network:release(src, dest, delay, now_us)
  for _, layer in ipairs(self.layers) do
    local row = layer.held and layer.links[src]
    if row and row[dest] then return nil, layer end
  end
  return self.fifo and in_order(self.links[src][dest], now_us, delay) or delay
end

---Changes the share of messages that suffer something.
---@param name string `loss`, `duplication` or `corruption`
---@param rate number|nil 0..1; nil restores what the network was made with
---Raises `option_invalid`.
function Network:set_rate(name, rate)
  self[name] = rate == nil and self.base[name] or check_rate(rate, name)
  settle(self)
end

---Changes the delay of messages.
---@param given table|nil a law of delay; nil restores what the network was made with
---Raises `option_invalid`.
function Network:set_delay(given)
  local law = given == nil and self.base.delay or delays.law(given, "delay_ms")
  self.delay_us, self.spread = law.least, law.spread or 1
  self.law = not law.spread and law.of
  settle(self)
end

---Lets a share of messages come late, beyond the delay that all have, so that others overtake them.
---@param rate number|nil 0..1; nil for none
---@param late_ms table|nil a law of how late
---Raises `option_invalid`.
function Network:set_reorder(rate, late_ms)
  local late = rate ~= nil and delays.law(late_ms, "late_ms")
  self.reorder = rate == nil and 0 or check_rate(rate, "reordering")
  self.late = late and late.of
  settle(self)
end

---Says whether links keep the order of their messages, of those that leave from now on.
---@param fifo boolean|nil nil restores what the network was made with
---Raises `option_invalid`.
function Network:set_fifo(fifo)
  if fifo == nil then fifo = self.base.fifo end
  self.fifo = check_order(fifo)
  settle(self)
end

return M
