-- The network of a world: which message arrives, and when.
--
-- Every pair of endpoints has a link of its own in each direction, and every link two streams of
-- the oracle: one for delays, one for losses. The n-th message on a link takes the n-th answer of
-- each, whatever happens elsewhere and whatever the rates are. Messages overtake each other, since
-- each has its own delay. What a node sends to itself is neither lost nor slow.

local errors = require "jangada.errors"
local plain = require "jangada.node.plain"

local mix = plain.mix

local Network = {}
Network.__index = Network
Network.__name = "jangada.lab.Network"

local M = {}

local function microseconds(range)
  local low, high = range[1], range[2]
  if type(low) ~= "number" or type(high) ~= "number" or low < 0 or high < low
    or high > 1e9 then
    errors.raise("option_invalid", "delay_ms is {least, most}, 0 <= least <= most <= 10^9")
  end
  return math.floor(low * 1000), math.floor(high * 1000)
end

local function check_rate(rate)
  if type(rate) ~= "number" or not (rate >= 0 and rate <= 1) then
    errors.raise("option_invalid", "a rate of loss is a number from 0 to 1, not %s", tostring(rate))
  end
  return rate
end

-- links[src][dest] is the link between two endpoints, made when it is first asked for: the stream
-- of its delays, which has that of its losses as a field.
local function new_links(oracle)
  return setmetatable({}, {__index = function(links, src)
    links[src] = setmetatable({}, {__index = function(from, dest)
      local link = oracle:stream(("delay %s %s"):format(src, dest))
      link.losses = oracle:stream(("loss %s %s"):format(src, dest))
      from[dest] = link
      return link
    end})
    return links[src]
  end})
end

---Makes the network of a world.
---@param oracle table
---@param options {delay_ms: number[]|nil, loss: number|nil} delay of a message, evenly between two
---values (default {1, 10}); share of messages that get lost (default 0)
---@return table network
---Raises `option_unknown`, `option_invalid`.
function M.new(oracle, options)
  for name in pairs(options) do
    if name ~= "delay_ms" and name ~= "loss" then
      errors.raise("option_unknown", "a network has no option %s", tostring(name))
    end
  end
  local low, high = microseconds(options.delay_ms or {1, 10})
  local loss = check_rate(options.loss or 0)
  return setmetatable({
    links = new_links(oracle),
    delay_us = low, spread = high - low + 1, -- now
    base_delay_us = low, base_spread = high - low + 1,
    loss = loss, base_loss = loss,
    groups = false,                  -- during a partition: id -> number of its group
  }, Network)
end

---Decides what becomes of a message that leaves now.
---@param src string
---@param dest string
---@return integer|nil delay_us nil when it will not arrive
---@return string|nil why `cut` or `lost`
function Network:fate(src, dest)
  local link = self.links[src][dest]
  local count = link.count + 1
  link.count = count -- link:choose(self.spread), without the call
  local delay = (mix(link.seed, count) >> 1) % self.spread + self.delay_us
  if src == dest then return 1 end
  if self.groups and self:is_cut(src, dest) then return nil, "cut" end
  if self.loss > 0 then
    local losses = link.losses
    losses.count = count - 1
    if losses:chance(self.loss) then return nil, "lost" end
  end
  return delay
end

--- The method `fate` as a function, for the host: each message that leaves calls it.
M.fate = Network.fate

---Whether a partition separates two endpoints now. A client that no group names reaches all.
---@param src string
---@param dest string
---@return boolean
function Network:is_cut(src, dest)
  local groups = self.groups
  if not groups then return false end
  local a, b = groups[src], groups[dest]
  return a ~= nil and b ~= nil and a ~= b
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
end

---Ends the partition.
function Network:heal()
  self.groups = false
end

---Changes the share of messages that get lost.
---@param rate number|nil 0..1; nil restores what the network was made with
---Raises `option_invalid`.
function Network:set_loss(rate)
  self.loss = rate == nil and self.base_loss or check_rate(rate)
end

---Changes the delay of messages.
---@param range number[]|nil {least, most} in ms; nil restores what the network was made with
---Raises `option_invalid`.
function Network:set_delay(range)
  if range == nil then
    self.delay_us, self.spread = self.base_delay_us, self.base_spread
  else
    local low, high = microseconds(range)
    self.delay_us, self.spread = low, high - low + 1
  end
end

return M
