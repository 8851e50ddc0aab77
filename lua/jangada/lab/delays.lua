-- How long messages take: laws of delay, from one draw of a link's stream each.
--
--     {1, 10}                    evenly between 1 and 10 ms, as {"uniform", 1, 10}
--     {"constant", 5}
--     {"exponential", 1, 20}     1 ms at least, 20 on average
--     {"long_tail", 1, 2000}     half of them under 2 ms, a tenth over 10, a hundredth over 100...
--
-- All of it is in integers, so that a delay is the same on every machine.

local errors = require "jangada.errors"

local M = {}

local MS_MAX <const> = 1e9
local LN_2 <const> = 45426   -- in 65536ths
local FRACTION <const> = 20  -- bits of a draw that tell where in a long tail it is

---A delay by a law.
---@class jangada.lab.Law
---@field least integer microseconds
---@field spread? integer of an even law: how many delays are possible, from `least` on
---@field of fun(draw: integer): integer a delay in microseconds, from 63 random bits

-- The binary logarithm of an integer from 1 on, in 65536ths, rounded down.
local function log2(x)
  local result = 62
  while x < 1 << 62 do x, result = x << 1, result - 1 end
  local m = x >> 32 -- 1 <= m < 2, in units of 2^-30
  for _ = 1, 16 do
    m, result = m * m >> 30, result << 1
    if m >= 1 << 31 then m, result = m >> 1, result | 1 end
  end
  return result
end

local function even(least, most)
  local spread = most - least + 1
  return {least = least, spread = spread, of = function(draw) return draw % spread + least end}
end

local laws = {}

function laws.constant(us) return even(us, us) end

function laws.uniform(least, most)
  return least <= most and even(least, most) or nil
end

function laws.exponential(least, mean)
  if mean < least then return nil end
  local rest = mean - least
  return {least = least, of = function(draw)
    local shift = ((63 << 16) - log2(draw > 0 and draw or 1)) * LN_2 >> 16
    return least + (rest * shift >> 16)
  end}
end

function laws.long_tail(least, most)
  if least < 1 or most < least then return nil end
  return {least = least, of = function(draw)
    local left = (1 << FRACTION) - (draw & (1 << FRACTION) - 1)
    return math.min(most, (least << FRACTION) // left)
  end}
end

local function invalid(name)
  errors.raise("option_invalid", "%s is {least, most}, {\"constant\", ms}, {\"uniform\", least, "
    .. "most}, {\"exponential\", least, mean} or {\"long_tail\", least, most}, with least <= most "
    .. "and of a long tail > 0, in ms up to 10^9", name)
end

---Reads a law of delay.
---@param given any
---@param name string what it is called in an error
---@return jangada.lab.Law
---Raises `option_invalid`.
function M.law(given, name)
  if type(given) ~= "table" then invalid(name) end
  local first = type(given[1]) == "string" and 2 or 1
  local kind = first == 2 and given[1] or "uniform"
  local last = kind == "constant" and first or first + 1
  if not laws[kind] or #given ~= last then invalid(name) end
  local times = {}
  for i = first, last do
    local ms = given[i]
    if type(ms) ~= "number" or not (ms >= 0 and ms <= MS_MAX) then invalid(name) end
    times[#times + 1] = math.floor(ms * 1000)
  end
  return laws[kind](times[1], times[2]) or invalid(name)
end

return M
