-- Another order than that of time: who decides what happens next sees what waits, and takes one of
-- it.
--
--     local pending = world:pending()        -- messages on their way, timers, steps
--     world:take(pending[3])                 -- that comes next, whatever else is due before it
--     world:discard(pending[1])              -- a message that gets lost
--
-- These are methods of jangada.World. Who takes the first of what waits, again and again, has the
-- very run that World:run makes.

local errors = require "jangada.errors"
local heaps = require "jangada.lab.heap"
local timers = require "jangada.node.timers"

local World = {}

---@class jangada.Pending
---@field kind "message"|"timer"|"client"|"fault"|"step" `client`: a client's own time-out; `fault`:
---one begins; `step`: one ends, or what World:after was given
---@field time_us integer when it is due
---@field src string|nil of a message
---@field dest string|nil of a message
---@field body table|nil of a message: not to be changed
---@field node string|nil of a timer
---@field client string|nil
---@field fault table|nil
---@field value table what waits: a message, a timer, a step
---@field key integer

-- What waits as an entry of the queue; nil for a timer's stale one.
local function describe(time_us, value, key)
  if value.body then
    return {kind = "message", time_us = time_us, src = value.src, dest = value.dest,
      body = value.body, value = value, key = key}
  elseif value._life then
    local due_us = timers.due(value, time_us)
    return due_us and {kind = "timer", time_us = due_us, node = value._life.id, value = value,
      key = key}
  end
  local timer, client = value.due_us and value.timer, value.client
  if timer then -- on a clock that is not right
    local due_us = timers.due(timer, value.due_us)
    local at_us = due_us and timer._life.owner.clock:world(due_us)
    return at_us and {kind = "timer", time_us = at_us, node = timer._life.id, value = value,
      key = key}
  end
  return {kind = client and "client" or value.fault and "fault" or "step", time_us = time_us,
    client = client and client.id, fault = value.fault, value = value, key = key}
end

local function is_before(a, b)
  if a.time_us ~= b.time_us then return a.time_us < b.time_us end
  return a.key < b.key
end

---Lists what can happen next, in the order of time.
---@return jangada.Pending[]
function World:pending()
  local times_us, values, keys = heaps.list(self.heap)
  local list, n, seen = {}, 0, {}
  for i, value in ipairs(values) do
    local pending = not seen[value] and describe(times_us[i], value, keys[i])
    if pending then
      n, seen[value] = n + 1, true
      list[n] = pending
    end
  end
  table.sort(list, is_before)
  return list
end

local function remove(self, pending)
  local is_one = type(pending) == "table" and math.type(pending.key) == "integer"
  if not is_one or not heaps.remove(self.heap, pending.key, pending.value) then
    errors.raise("event_gone", "that event does not wait any more; world:pending() lists what does")
  end
  return pending.value
end

---Lets one event happen next. The clock goes to when it is due, if that is ahead; what is overdue
---then comes when it is taken.
---@param pending jangada.Pending of `World:pending`, since the last event
---@param time_us? integer when it happens, instead
---@return boolean taken false when the world has a verdict
---Raises `event_gone`, `world_busy`, `world_closed`.
function World:take(pending, time_us)
  local _guard <close> = self:begin_run()
  if self.is_over then return false end
  local value = remove(self, pending)
  self.time_us = time_us or math.max(self.time_us, pending.time_us)
  if pending.kind == "message" then
    self.arrive(value, pending.key)
  elseif pending.kind == "timer" then
    local timer = value.timer or value
    self.come_up(timer, timers.hasten(timer))
  else
    value.run(self, value)
  end
  self.events = self.events + 1
  if self.events >= self.events_max then self:fail_events() end
  return true
end

---Lets a message get lost.
---@param pending jangada.Pending of `World:pending`, since the last event
---@return boolean discarded false when the world has a verdict
---Raises `event_gone`, `argument_invalid` for what is no message, `world_busy`, `world_closed`.
function World:discard(pending)
  local _guard <close> = self:begin_run()
  if self.is_over then return false end
  if type(pending) == "table" and pending.kind ~= "message" then
    errors.raise("argument_invalid", "what gets lost is a message, not a %s",
      tostring(pending.kind))
  end
  local message = remove(self, pending)
  self.trace:fold_name("discard", pending.key)
  self:drop_message(message, "dropped")
  return true
end

return World
