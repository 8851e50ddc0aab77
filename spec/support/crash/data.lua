-- The random numbers and bytes of the crash proofs.
local data = {}

--- A generator of random integers from a seed, apart from math.random: random(from, to). Its field
--- `state` can be kept and put back: then the same numbers follow. `salt` changes the bytes of what
--- `some` gives and nothing else.
---@param seed integer
---@return table random
function data.random(seed)
  return setmetatable({ state = seed * 0x9E3779B97F4A7C15 + 0x123456789, salt = 0 }, data)
end

function data.__call(self, from, to)
  self.state = self.state + 0x9E3779B97F4A7C15
  local z = self.state
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  z = z ~ (z >> 31)
  return from + (z >> 1) % (to - from + 1)
end

--- Bytes for a value: few, at times some kilobytes.
function data.some(random)
  local size = random(1, 12) == 1 and random(1000, 6000) or random(0, 300)
  local letter = string.char(97 + (random(0, 25) + random.salt) % 26)
  return letter:rep(size) .. ("%05d"):format(random(0, 99999))
end

--- Bytes that do not fit into a small journal.
function data.large(random)
  return data.some(random) .. ("L"):rep(70000)
end

--- One of {{weight, item}, ...}.
function data.pick(weights, random)
  local sum = 0
  for _, weight in ipairs(weights) do sum = sum + weight[1] end
  local at = random(1, sum)
  for _, weight in ipairs(weights) do
    at = at - weight[1]
    if at <= 0 then return weight[2] end
  end
end

return data
