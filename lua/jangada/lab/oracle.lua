-- The one source of everything undetermined. Whoever needs a decision asks `choose(n)` of a stream:
-- a link between two nodes, a node's own chance, a client, the plan of faults.
--
-- A stream has no state but a counter: its n-th answer is mix(seed of the stream, n), and the seed
-- of a stream is the digest of the run's seed and the stream's name. So streams do not disturb one
-- another: taking one fault, one client or one message away leaves the answers of all other
-- streams as they were.

local plain = require "jangada.node.plain"

local mix, hash_string = plain.mix, plain.hash_string

local Oracle = {}
Oracle.__index = Oracle
Oracle.__name = "jangada.lab.Oracle"

local Stream = {}
Stream.__index = Stream
Stream.__name = "jangada.lab.Stream"

local M = {}

---Makes the oracle of a run.
---@param seed integer
---@return table oracle
function M.new(seed)
  return setmetatable({
    seed = seed,
    streams = {}, -- name -> Stream
  }, Oracle)
end

---The stream of that name, the same one at every call.
---@param name string such as `link n1 n2`
---@return table stream
function Oracle:stream(name)
  local stream = self.streams[name]
  if not stream then
    stream = setmetatable({
      name = name,
      seed = mix(mix(self.seed, 0x6F7261636C65), hash_string(name)),
      count = 0, -- decisions taken
    }, Stream)
    self.streams[name] = stream
  end
  return stream
end

---Takes one decision of the stream `tag`.
---@param n integer how many ways there are, at least 1
---@param tag string the stream's name
---@return integer way 0..n-1
function Oracle:choose(n, tag)
  return self:stream(tag):choose(n)
end

---Takes the next decision.
---@param n integer how many ways there are, at least 1
---@return integer way 0..n-1, evenly but for a bias below n / 2^63
function Stream:choose(n)
  local count = self.count + 1
  self.count = count
  return (mix(self.seed, count) >> 1) % n
end

---True with the given probability.
---@param rate number 0..1, heeded to a millionth
---@return boolean
function Stream:chance(rate)
  return self:choose(1000000) < rate * 1000000
end

---An integer between two others, both possible.
---@param low integer
---@param high integer
---@return integer
function Stream:between(low, high)
  return low + self:choose(high - low + 1)
end

---A number between two positive others, evenly on a logarithmic scale: as often between 1 and 10
---as between 10 and 100.
---@param low number
---@param high number
---@return number
function Stream:logarithmic(low, high)
  return low * (high / low) ^ (self:choose(1 << 20) / ((1 << 20) - 1))
end

return M
