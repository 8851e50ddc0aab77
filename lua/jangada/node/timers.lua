-- Timers of a node, as `node:after` and `node:every` return them.
--
-- A consensus protocol puts its election time-out off with every message it hears, and seldom lets
-- it fire. So a timer is never taken out of the world's queue: it knows when it is due, and has at
-- most one live entry in the queue, at `_queued_us` and not after `_due_us`. When that entry comes
-- up too early it is queued again; any other entry of the timer is stale. Putting a timer off is
-- two assignments.

local errors = require "jangada.errors"

local methods = {}
local meta = {__index = methods, __name = "jangada.Timer", __metatable = "jangada.Timer"}

local M = {}

local DELAY_MAX_MS <const> = 1e9 -- about twelve days

local function microseconds(ms, least_us)
  if type(ms) ~= "number" or not (ms >= 0 and ms <= DELAY_MAX_MS) then
    errors.raise("delay_invalid", "a delay is 0 to %d ms, not %s", DELAY_MAX_MS, tostring(ms))
  end
  local us = math.floor(ms * 1000)
  return us < least_us and least_us or us
end

local function arm(timer, delay_us)
  local life = timer._life
  local due_us = life.host.now_us(life.owner) + delay_us
  timer._due_us = due_us
  local queued_us = timer._queued_us
  if not queued_us or queued_us > due_us then
    timer._queued_us = due_us
    life.host.schedule(life.owner, timer, due_us)
  end
end

---Makes a timer and starts it.
---@param life table of the node (jangada.node)
---@param ms number 0 or more
---@param fn fun()
---@param is_periodic boolean fires again and again
---@return table timer
---Raises `delay_invalid`.
function M.start(life, ms, fn, is_periodic)
  local us = microseconds(ms, is_periodic and 1 or 0)
  local timer = setmetatable({
    _life = life,
    _fn = fn,
    _period_us = is_periodic and us or nil,
    _due_us = nil,    -- when to fire; nil when cancelled or fired
    _queued_us = nil, -- when the live entry in the queue comes up; nil when there is none
  }, meta)
  arm(timer, us)
  return timer
end

---Stops the timer. `reset` starts it again.
function methods:cancel()
  self._due_us = nil
end

---Starts the timer anew, whether it runs, was cancelled or has fired.
---@param ms number from now; for a periodic timer also the new period
---Raises `delay_invalid`.
function methods:reset(ms)
  local us = microseconds(ms, self._period_us and 1 or 0)
  if self._period_us then self._period_us = us end
  arm(self, us)
end

---Tells whether the timer will fire.
---@return boolean
function methods:is_running()
  return self._due_us ~= nil
end

---To be called by the world when an entry of the timer comes up.
---@param timer table
---@param time_us integer the time of the entry
---@return function|nil fn what is to be run now
function M.expire(timer, time_us)
  if timer._queued_us ~= time_us then return nil end -- a stale entry
  timer._queued_us = nil
  local due_us = timer._due_us
  if not due_us then return nil end
  if due_us > time_us then
    timer._queued_us = due_us
    timer._life.host.schedule(timer._life.owner, timer, due_us)
    return nil
  end
  timer._due_us = nil
  if timer._period_us then arm(timer, timer._period_us) end
  return timer._fn
end

---Says when a timer fires, if that entry of it is the live one. For who takes events out of order.
---@param timer table
---@param time_us integer the time of the entry
---@return integer|nil due_us nil when the entry is of no account
function M.due(timer, time_us)
  return timer._queued_us == time_us and not timer._life.over and timer._due_us or nil
end

---Lets the live entry, which the world has taken out of its queue, come up when the timer is due.
---@param timer table
---@return integer due_us the time that is to be its entry's
function M.hasten(timer)
  timer._queued_us = timer._due_us
  return timer._due_us
end

return M
