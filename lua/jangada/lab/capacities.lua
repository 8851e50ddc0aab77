-- Links of limited capacity: each carries its messages one after the other, so many a second. What
-- comes meanwhile waits, as in the queue of a router; what finds no more room is lost.

local errors = require "jangada.errors"

local M = {}

local WAITING <const> = 100 -- messages
local SECOND_US <const> = 1000000

---Makes a layer for a network (jangada.lab.network).
---@param links table<string, table<string, boolean>>
---@param per_second integer messages, 1 to 1,000,000
---@param waiting integer|nil how many may be under way on a link, default 100
---@return table layer
---Raises `option_invalid`.
function M.layer(links, per_second, waiting)
  if waiting == nil then waiting = WAITING end
  if math.type(per_second) ~= "integer" or per_second < 1 or per_second > SECOND_US then
    errors.raise("option_invalid", "per_second is how many messages a link carries, 1 to %d, "
      .. "not %s", SECOND_US, tostring(per_second))
  elseif math.type(waiting) ~= "integer" or waiting < 1 then
    errors.raise("option_invalid", "waiting is how many messages may be under way, 1 or more, "
      .. "not %s", tostring(waiting))
  end
  return {links = links, gap_us = SECOND_US // per_second, per_second = per_second,
    waiting = waiting, free = {}} -- free: link -> when it has carried what it has
end

---How long a message waits for those before it, and takes to leave.
---@param layer table
---@param link table
---@param now_us integer
---@return integer|nil us nil when there is no room for it
function M.transmission(layer, link, now_us)
  local free_us = layer.free[link] or 0
  if free_us < now_us then free_us = now_us end
  if (free_us - now_us) // layer.gap_us >= layer.waiting then return nil end
  free_us = free_us + layer.gap_us
  layer.free[link] = free_us
  return free_us - now_us
end

return M
