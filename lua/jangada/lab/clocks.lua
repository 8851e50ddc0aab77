-- The clocks of nodes: what node:now says, and what timers run by.
--
-- A clock that is right, as all are at first, is the world's time. One that is not has a rate, by
-- which timers run too (0: it stands still), and an offset, which is in what node:now says alone:
-- timers wait for a while, not for a date.

local errors = require "jangada.errors"
local heaps = require "jangada.lab.heap"

local World = {}

local RATE_MAX <const> = 4
local MILLION <const> = 1000000
local OFFSET_MAX_MS <const> = 1e12

local Clock = {}
Clock.__index = Clock
Clock.__name = "jangada.lab.Clock"

-- A clock that was right until now.
local function new_clock(now_us)
  return setmetatable({
    since_us = now_us,  -- in the world's time: when it got its rate,
    own_us = now_us,    -- and what it said then, but for the offset
    rate = MILLION,     -- in millionths
    offset_us = 0,
  }, Clock)
end

---What it says, but for the offset.
---@param world_us integer
---@return integer own_us
function Clock:own(world_us)
  return self.own_us + (world_us - self.since_us) * self.rate // MILLION
end

---When it says so.
---@param own_us integer
---@return integer world_us not before now
function Clock:world(own_us)
  local left = own_us - self.own_us
  if left <= 0 then return self.since_us end
  if self.rate == 0 then return heaps.time_max_us end
  return self.since_us + (left * MILLION + self.rate - 1) // self.rate
end

-- A timer's entry, on a clock that is not right.
local function come_up(world, step)
  return world.come_up(step.timer, step.due_us)
end

---Puts a timer's entry into the queue. For the host.
---@param machine jangada.Machine
---@param timer table
---@param due_us integer by its clock
function World:schedule(machine, timer, due_us)
  local clock = machine.clock
  if not clock then return self:push(due_us, timer) end
  self:push(math.max(self.time_us, clock:world(due_us)),
    {run = come_up, timer = timer, due_us = due_us})
end

-- The entries of a node's timers go to where they belong by its clock as it is now.
local function reschedule(self, machine)
  local times_us, values, keys = heaps.list(self.heap)
  local moved = {}
  for i, value in ipairs(values) do
    local timer = value._life and value or value.due_us and value.timer
    if timer and timer._life.owner == machine then
      heaps.remove(self.heap, keys[i], value)
      moved[#moved + 1] = {timer = timer, due_us = value.due_us or times_us[i]}
    end
  end
  for _, entry in ipairs(moved) do self:schedule(machine, entry.timer, entry.due_us) end
end

local function check_offset(ms)
  if type(ms) ~= "number" or not (ms >= -OFFSET_MAX_MS and ms <= OFFSET_MAX_MS) then
    errors.raise("option_invalid", "a clock is ahead by -10^12 to 10^12 ms, not %s", tostring(ms))
  end
  return math.floor(ms * 1000)
end

local function check_rate(rate)
  if type(rate) ~= "number" or not (rate >= 0 and rate <= RATE_MAX) then
    errors.raise("option_invalid", "the rate of a clock is 0 to %d, not %s", RATE_MAX,
      tostring(rate))
  end
  return math.floor(rate * MILLION + 0.5)
end

local function change(self, which, offset_us, rate)
  local machine = self:node(which)
  if not machine then return end
  local clock = machine.clock or new_clock(self.time_us)
  machine.clock = clock
  clock.own_us, clock.since_us = clock:own(self.time_us), self.time_us
  clock.offset_us = offset_us and offset_us(clock.offset_us) or clock.offset_us
  clock.rate = rate or clock.rate
  reschedule(self, machine)
  self.trace:fold_name("clock", clock.offset_us * 8 * MILLION + clock.rate)
  self:note{kind = "clock", node = machine.id, index = machine.index, rate = clock.rate / MILLION,
    offset_ms = clock.offset_us / 1000}
end

---Changes the clock of a node.
---@param which integer|string
---@param how {rate: number|nil, offset_ms: number|nil}|nil `rate`, 0 to 4: how quickly it goes, and
---timers with it; `offset_ms`: how far ahead node:now is, beyond what its rate has made of it. What
---is not named stays; nil: it goes as it should from now on, without an offset
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:set_clock(which, how)
  self:check_idle()
  how = how or {rate = 1, offset_ms = 0}
  local offset_us = how.offset_ms ~= nil and check_offset(how.offset_ms)
  change(self, which, offset_us and function() return offset_us end,
    how.rate ~= nil and check_rate(how.rate))
end

---Lets what node:now says jump, once.
---@param which integer|string
---@param ms number forward; less than 0: back
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:step_clock(which, ms)
  self:check_idle()
  local step_us = check_offset(ms)
  change(self, which, function(offset_us) return offset_us + step_us end)
end

return World
