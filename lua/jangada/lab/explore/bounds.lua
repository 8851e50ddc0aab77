-- The bounds of an exploration.
--
--     messages      how many may arrive on one way (no bound)
--     timeouts      how many timers may fire, of nodes and clients (3)
--     crashes       how many nodes may crash (0); each may boot again at any time after it
--     drops         how many messages may get lost (0)
--     duplicates    how many may arrive a second time (0)
--     maybes        how often node:maybe may be true (0)
--     depth         all of these together (100)
--     choices       a decision of up to so many ways is taken in each way (4), of any other one the
--                   first way
--     states        how many may be met (10^6)
--     sleep         whether sleep sets are used (true)

local errors = require "jangada.errors"

local M = {}

--- The names of what is used up on a way, in order.
M.budgets = {"messages", "timeouts", "crashes", "drops", "duplicates", "maybes"}

--- What never comes to an end.
M.UNBOUNDED = math.maxinteger

--- The bounds that are not given.
M.defaults = {
  messages = M.UNBOUNDED, timeouts = 3, crashes = 0, drops = 0, duplicates = 0, maybes = 0,
  depth = 100, choices = 4, states = 1000000, sleep = true,
}

---Reads bounds.
---@param given table
---@return table bounds with their defaults
---Raises `option_unknown`, `option_invalid`.
function M.read(given)
  local bounds = {}
  for name, value in pairs(M.defaults) do bounds[name] = value end
  for name, value in pairs(given) do
    local default = bounds[name]
    if default == nil then
      errors.raise("option_unknown", "an exploration has no bound %s", tostring(name))
    elseif type(default) == "boolean" and type(value) ~= "boolean" then
      errors.raise("option_invalid", "%s is true or false, not %s", name, tostring(value))
    elseif type(default) ~= "boolean" and (math.type(value) ~= "integer" or value < 0) then
      errors.raise("option_invalid", "the bound of %s is an integer from 0 on, not %s", name,
        tostring(value))
    end
    bounds[name] = value
  end
  return bounds
end

return M
