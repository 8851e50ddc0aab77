-- What nodes draw, as data: the answers that `node:random` gives, in place of those of the seed.
--
--     draws = {n1 = {81, [4] = 0}, n2 = {12}, usual = 1}
--
-- A node's draws are numbered from 1 on, over its crashes; an answer is how far above the least it
-- is: of random(150, 300), 81 makes 231, and what is too much makes 300. `usual` is for all draws
-- that are not named: 0 gives the least there is, 1 the most, 0.5 the middle; without it they are
-- the seed's.

local errors = require "jangada.errors"
local options = require "jangada.lab.options"

local M = {}

local Draws = {}
Draws.__index = Draws
Draws.__name = "jangada.lab.Draws"

function Draws:choose(n)
  local stream = self.stream
  local way = stream:choose(n) -- its place is used up
  local own = self.own[stream.count]
  if own then return math.min(own, n - 1) end
  return self.usual and math.floor(self.usual * (n - 1) + 0.5) or way
end

local function check_draws(id, draws)
  if type(draws) ~= "table" then
    errors.raise("option_invalid", "the draws of %s are a table of integers", id)
  end
  for number, way in pairs(draws) do
    if math.type(number) ~= "integer" or number < 1 or math.type(way) ~= "integer" or way < 0 then
      errors.raise("option_invalid", "draws are numbered from 1 on, and integers from 0 on: not "
        .. "draw %s of %s, %s", tostring(number), id, tostring(way))
    end
  end
end

---Reads the draws of a world.
---@param given table<string, integer[]> by node, and `usual`
---@param ids string[] of the nodes
---@return table given
---Raises `option_invalid`, `unknown_node`.
function M.read(given, ids)
  local is_node = {}
  for _, id in ipairs(ids) do is_node[id] = true end
  for id, draws in pairs(given) do
    if id == "usual" then
      if type(draws) ~= "number" or not (draws >= 0 and draws <= 1) then
        errors.raise("option_invalid", "usual of draws is a number from 0 to 1, not %s",
          tostring(draws))
      end
    elseif not is_node[id] then
      errors.raise("unknown_node", "there is no node %s, which has draws", options.show(id))
    else
      check_draws(id, draws)
    end
  end
  return given
end

---The stream of what a node draws.
---@param stream table of the oracle
---@param draws table|nil of the world
---@param id string
---@return table stream with `choose(n)`
function M.stream(stream, draws, id)
  if not draws then return stream end
  return setmetatable({stream = stream, own = draws[id] or {}, usual = draws.usual}, Draws)
end

return M
