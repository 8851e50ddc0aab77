-- The one source of everything undetermined. Whoever needs a decision asks `choose(n)` of a stream:
-- a link between two nodes, a node's own chance, a client, the plan of faults.
--
-- A stream has no state but a counter: its n-th answer is mix(seed of the stream, n), and the seed
-- of a stream is the digest of the run's seed and the stream's name. So streams do not disturb one
-- another: taking one fault, one client or one message away leaves the answers of all other
-- streams as they were.
--
-- Who wants to decide instead gives the oracle a function:
--
--     choose(n, tag, random)     way 0..n-1 of the stream `tag`; random() is what the seed says
--
-- and is asked for each decision that is one (n > 1). `recorder` and `replay` keep decisions and
-- repeat them, `enumeration` takes all ways one after the other; a person is a function that asks.

local errors = require "jangada.errors"
local plain = require "jangada.node.plain"

local mix, hash_string = plain.mix, plain.hash_string

local Oracle = {}
Oracle.__index = Oracle
Oracle.__name = "jangada.lab.Oracle"

local Stream = {}
Stream.__index = Stream
Stream.__name = "jangada.lab.Stream"

-- A stream whose decisions are asked for.
local Asked = setmetatable({}, {__index = Stream})
Asked.__index = Asked
Asked.__name = "jangada.lab.AskedStream"

local M = {}

---@alias jangada.lab.Choose fun(n: integer, tag: string, random: fun(): integer): integer

---Makes the oracle of a run.
---@param seed integer
---@param choose? jangada.lab.Choose who decides, instead of the seed
---@return table oracle
function M.new(seed, choose)
  return setmetatable({
    seed = seed,
    choose_by = choose,
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
      choose_by = self.choose_by,
    }, self.choose_by and Asked or Stream)
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

---------------------------------------------------------------------------------------------------
-- Decisions that are asked for

-- A decision by a function: the place in the stream is used up as if the seed had decided.
local function ask(self, n, random)
  local way = self.choose_by(n, self.name, random)
  if math.type(way) ~= "integer" or way < 0 or way >= n then
    errors.raise("choice_invalid", "%s: one of %d ways is 0 to %d, not %s", self.name, n, n - 1,
      tostring(way))
  end
  return way
end

function Asked:choose(n)
  local count = self.count + 1
  self.count = count
  if n == 1 then return 0 end
  return ask(self, n, function() return (mix(self.seed, count) >> 1) % n end)
end

-- Yes or no: who decides need not know how rare it is.
function Asked:chance(rate)
  local count = self.count + 1
  self.count = count
  if rate <= 0 or rate >= 1 then return rate > 0 end
  return ask(self, 2, function()
    return (mix(self.seed, count) >> 1) % 1000000 < rate * 1000000 and 1 or 0
  end) == 1
end

local function by_seed(_, _, random) return random() end

---Makes a function that writes decisions down.
---@param record table[] list that each is added to: {n=, tag=, way=}
---@param choose? jangada.lab.Choose who decides; the seed without it
---@return jangada.lab.Choose
function M.recorder(record, choose)
  choose = choose or by_seed
  return function(n, tag, random)
    local way = choose(n, tag, random)
    record[#record + 1] = {n = n, tag = tag, way = way}
    return way
  end
end

---Makes a function that decides as a record does, in its order, and after its end as another one.
---@param record {n: integer, tag: string, way: integer}[]
---@param choose? jangada.lab.Choose who decides then; the seed without it
---@return jangada.lab.Choose it raises `record_differs` when it is asked for another decision than
---was recorded
function M.replay(record, choose)
  local place = 0
  choose = choose or by_seed
  return function(n, tag, random)
    place = place + 1
    local decision = record[place]
    if not decision then return choose(n, tag, random) end
    if decision.n ~= n or decision.tag ~= tag then
      errors.raise("record_differs", "decision %d of the record is one of %s ways of %s; what is "
        .. "asked for is one of %d ways of %s", place, tostring(decision.n), tostring(decision.tag),
        n, tag)
    end
    return decision.way
  end
end

---@class jangada.lab.Enumeration
---@field choose jangada.lab.Choose decides as the path does, and takes the first way beyond it
---@field path {n: integer, tag: string, way: integer}[] the decisions so far
---@field next fun(self): boolean goes to the next path that was not taken; false when there is none

local Enumeration = {}
Enumeration.__index = Enumeration

---Makes what takes all ways, as an odometer counts: each run that asks `choose` until its end is
---one path, and `next` turns the last decision that has ways left.
---@return jangada.lab.Enumeration
function M.enumeration()
  local self = setmetatable({path = {}, place = 0}, Enumeration)
  function self.choose(n, tag)
    local path, place = self.path, self.place + 1
    self.place = place
    local decision = path[place]
    if not decision then
      decision = {n = n, tag = tag, way = 0}
      path[place] = decision
    elseif decision.n ~= n or decision.tag ~= tag then
      errors.raise("record_differs", "decision %d was one of %d ways of %s, and now is one of %d "
        .. "ways of %s: the run is not deterministic", place, decision.n, decision.tag, n, tag)
    end
    return decision.way
  end
  return self
end

function Enumeration:next()
  local path = self.path
  for place = #path, self.place + 1, -1 do path[place] = nil end -- a run that ended sooner
  self.place = 0
  while #path > 0 do
    local last = path[#path]
    if last.way + 1 < last.n then
      last.way = last.way + 1
      return true
    end
    path[#path] = nil
  end
  return false
end

return M
