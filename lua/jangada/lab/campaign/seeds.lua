-- The seeds of a campaign: ranges of integers, and of them every n-th where several machines share
-- them. No list of them is made: there may be millions.

local errors = require "jangada.errors"

local Seeds = {}
Seeds.__index = Seeds
Seeds.__name = "jangada.lab.Seeds"

local M = {}

---@class jangada.Seeds
---@field ranges {from: integer, to: integer, before: integer}[] ascending, apart; `before` counts
---the seeds of those before it
---@field all integer how many there are in the ranges
---@field count integer how many there are in this shard
---@field shard integer 1..shards
---@field shards integer

local function read_range(text, word)
  local from, to = word:match("^(%d+)%-(%d+)$")
  if not from then
    from = word:match("^%d+$")
    to = from
  end
  from, to = math.tointeger(tonumber(from)), math.tointeger(tonumber(to))
  if not from or not to or from > to then
    errors.raise("input_invalid",
      "seeds are A-B, or several of those with commas between, not '%s'", text)
  end
  return {from = from, to = to}
end

-- Ascending, and apart: seeds that are named twice count once.
local function normalize(ranges)
  table.sort(ranges, function(a, b) return a.from < b.from end)
  local merged = {}
  for _, range in ipairs(ranges) do
    local last = merged[#merged]
    if last and range.from <= last.to then
      last.to = math.max(last.to, range.to)
    else
      merged[#merged + 1] = range
    end
  end
  local all = 0
  for _, range in ipairs(merged) do
    range.before = all
    all = all + (range.to - range.from + 1)
  end
  return merged, all
end

---Reads seeds.
---@param text string such as `1-1000` or `3,17,100-200`
---@param shard? string `I/N`: of the seeds in their order the I-th, and every N-th after it
---@return jangada.Seeds
---Raises `input_invalid`.
function M.parse(text, shard)
  local ranges = {}
  for word in (text .. ","):gmatch("([^,]*),") do ranges[#ranges + 1] = read_range(text, word) end
  local i, n = 1, 1
  if shard then
    local first, second = shard:match("^(%d+)/(%d+)$")
    i, n = math.tointeger(tonumber(first)), math.tointeger(tonumber(second))
    if not i or not n or i < 1 or i > n then
      errors.raise("input_invalid", "a shard is I/N with I from 1 to N, not '%s'", shard)
    end
  end
  local merged, all = normalize(ranges)
  if all <= 0 then errors.raise("input_invalid", "there are too many seeds in '%s'", text) end
  return setmetatable({ranges = merged, all = all, shard = i, shards = n,
    count = (all - i) // n + 1}, Seeds)
end

---Whether a seed is one of them.
---@param seed integer
---@return boolean
function Seeds:has(seed)
  for _, range in ipairs(self.ranges) do
    if seed >= range.from and seed <= range.to then
      return (range.before + seed - range.from) % self.shards == self.shard - 1
    end
  end
  return false
end

---Goes through them, in ascending order.
---@return fun(): integer|nil
function Seeds:each()
  local at, position = 1, self.shard - 1 -- of the range, and among all seeds
  return function()
    local range = self.ranges[at]
    while range and position > range.before + range.to - range.from do
      at = at + 1
      range = self.ranges[at]
    end
    if not range then return nil end
    local seed = range.from + position - range.before
    position = position + self.shards
    return seed
  end
end

---Writes a list of seeds so that `parse` reads it.
---@param list integer[] ascending or not
---@return string
function M.format(list)
  local words, i = {}, 1
  while i <= #list do
    local j = i
    while list[j + 1] == list[j] + 1 do j = j + 1 end
    words[#words + 1] = i == j and ("%d"):format(list[i]) or ("%d-%d"):format(list[i], list[j])
    i = j + 1
  end
  return table.concat(words, ",")
end

return M
