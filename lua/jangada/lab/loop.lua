-- The loop of a world: the queue, what becomes of each event, and the verdict.
--
-- There is one queue of events, in the total order (time, sequence), and one loop that takes the
-- first event, gives it to whom it concerns and judges the node it touched. Nothing else moves
-- time. An event is one of
--
--     a message      {src=, dest=, body=}: exactly the table its receiver gets
--     a timer        of a node (jangada.node.timers)
--     a step         {run = function(world, step)}: a fault, a client's time-out, the user's own
--
-- A run that goes wrong gets a verdict (jangada.lab.verdict) and takes no further event.
--
-- These are the methods of jangada.World that make it go; jangada.lab.choosing has those that take
-- events in another order, jangada.lab.world those that a user turns it with.

local errors = require "jangada.errors"
local heaps = require "jangada.lab.heap"
local machines = require "jangada.lab.machine"
local node = require "jangada.node"
local options = require "jangada.lab.options"
local plain = require "jangada.node.plain"
local verdicts = require "jangada.lab.verdict"

local mix = plain.mix
local ODD <const> = 0x9E3779B97F4A7C15
local deliver, fire = node.deliver, node.fire
local push, pop, time_max_us = heaps.push, heaps.pop, heaps.time_max_us

local MS_MAX <const> = 1000 * 3600 * 24 * 365

local LOOK_EVENTS <const> = 4096 -- memory is looked at once in so many events

local World = {}

---------------------------------------------------------------------------------------------------
-- Verdicts

---Ends the run with a verdict, unless it has one.
---@param fields table of jangada.Verdict, but for the time
---Raises `argument_invalid`.
function World:fail(fields)
  if type(fields) ~= "table" or type(fields.kind) ~= "string"
    or type(fields.message) ~= "string" then
    errors.raise("argument_invalid", "a verdict is a table with a kind and a message, both texts")
  end
  if self.verdict then return end
  fields.time_us, fields.hopeless = self.time_us, self.hopeless or nil
  self.verdict, self.is_over = verdicts.new(fields), true
  if self.trace.observe then
    self.trace:row{kind = "verdict", node = fields.node, verdict = self.verdict}
  end
end

local function fail_turn(self, machine, failure)
  local code = type(failure.error) == "table" and failure.error.code or nil
  self:fail{kind = "handler_error", node = machine.id, message = failure.message, code = code,
    traceback = verdicts.own_part(failure.traceback)}
end

local function fail_invariant(self, invariant, id, message)
  self:fail{kind = "invariant_violated", name = invariant.name, node = id,
    message = tostring(message)}
end

---Judges what a node says it holds committed. For the host, if there is who judges it.
function World:judge_commit(machine, index, term, data)
  local judges, hash = self.judges.committed, plain.hash_string(data)
  for i = 1, #judges do
    local invariant = judges[i]
    local message = invariant:committed(machine, index, term, data, hash)
    if message then fail_invariant(self, invariant, machine.id, message) end
  end
end

---Judges what a client was told. For the client.
function World:judge_acknowledged(client, data)
  for _, invariant in ipairs(self.judges.acknowledged or {}) do
    local message = invariant:acknowledged(client, data)
    if message then fail_invariant(self, invariant, nil, message) end
  end
end

---Ends a run: asks for progress, if the option `liveness` has it, and judges what can be judged
---only then, such as what clients were told in all of it. A world that has a verdict keeps it.
---@return jangada.Verdict|nil verdict nil when all is well
---Raises `world_busy`, `world_closed`.
function World:finish()
  if self.closed then errors.raise("world_closed", "the world is closed") end
  if self.running then errors.raise("world_busy", "the world is running") end
  self:finish_liveness()
  for _, invariant in ipairs(self.judges.finish or {}) do
    local found = not self.verdict and invariant:finish()
    if type(found) == "table" then
      self:fail(found)
    elseif found then
      fail_invariant(self, invariant, nil, found)
    end
  end
  return self.verdict
end

---Judges a turn that is durable.
---@param machine jangada.Machine
---@param wrote boolean|nil
---@param seen table<table, any>|nil what invariants saw when it was run, if that was before
function World:judge_turn(machine, wrote, seen)
  local judges = self.judges.turn or {}
  for i = 1, #judges do
    local invariant = judges[i]
    local message = invariant:turn(machine, wrote, seen and (seen[invariant] or false))
    if message then fail_invariant(self, invariant, machine.id, message) end
  end
end

-- Makes the function that ends a turn of a node: it folds its state into the trace, with what the
-- turn was (the key of a message, the time of a timer), and runs the invariants on it. What follows
-- the key is what jangada.node tells of a turn.
local function new_finish(world)
  local trace = world.trace
  return function(machine, key, failure, digest, wrote, held)
    world.in_turn = false
    if failure then
      machine.state = nil
      trace.value = mix(trace.value ~ key, machine.index)
      if world:stop_failed(machine, failure.error) then return end
      return fail_turn(world, machine, failure)
    end
    local value = (trace.value ~ digest) * ODD + key -- a fold in place, as in host.transmit
    trace.value = value ~ value >> 32
    if digest ~= machine.last_digest then
      machine.last_digest, machine.changed_us = digest, world.time_us
    end
    if held then return world:hold_turn(machine, held, digest) end
    local life = machine.life
    machine.state = life.defers and plain.clone(life.node.state) or life.node.state
    if trace.observe and (wrote or digest ~= machine.digest) then
      machine.digest = digest
      trace:row{kind = "state", node = machine.id, state = plain.clone(machine.state),
        wrote = wrote or nil}
    end
    if world.judges.turn then world:judge_turn(machine, wrote) end
  end
end

---------------------------------------------------------------------------------------------------
-- Events

---Puts an event into the queue. A queue past its budget ends the run.
---@param time_us integer
---@param event table
function World:push(time_us, event)
  if time_us > time_max_us then time_us = time_max_us end
  if not push(self.heap, time_us, event, self.queue_max) then self:fail_queue() end
end

---Runs a function later.
---@param ms number from now
---@param fn fun(world: table)
---Raises `delay_invalid`, `argument_invalid`.
function World:after(ms, fn)
  if type(fn) ~= "function" then
    errors.raise("argument_invalid", "what is to be run is a function, not a %s", type(fn))
  end
  self:push(self.time_us + options.delay_us(ms), {run = fn})
end

---Counts a message that nobody gets.
---@param message table
---@param why string
function World:drop_message(message, why)
  self.lost = self.lost + 1
  if self.trace.observe then
    self.trace:row{kind = "drop", src = message.src, dest = message.dest, body = message.body,
      lost = why, message = message}
  end
end

-- A message arrives where it starts no turn: it is dropped, held, or a client's.
local function arrive_elsewhere(self, endpoint, message, key, is_cut)
  local trace = self.trace
  trace.value = mix(trace.value ~ key, endpoint.index)
  if is_cut then
    self:drop_message(message, "cut")
  elseif endpoint.is_client then
    self.delivered = self.delivered + 1
    if trace.observe then
      trace:row{kind = "deliver", src = message.src, dest = message.dest, body = message.body,
        message = message}
    end
    endpoint:receive(message)
  elseif not endpoint.up then
    self:drop_message(message, "down")
  else
    machines.hold(endpoint, message, self.time_us)
  end
end

-- Makes the function for a message that arrives. Its key is of this event alone and goes into the
-- trace with the turn.
local function new_arrive(world, finish)
  local endpoints, network, trace = world.endpoints, world.network, world.trace
  return function(message, key)
    local endpoint = endpoints[message.dest]
    local is_cut = network.is_divided and network:is_cut(message.src, message.dest)
    if is_cut or not endpoint.awake then
      return arrive_elsewhere(world, endpoint, message, key, is_cut)
    end
    world.delivered = world.delivered + 1
    if trace.observe then
      trace:row{kind = "deliver", src = message.src, dest = message.dest,
        body = plain.clone(message.body), message = message}
    end
    world.in_turn = true
    finish(endpoint, key, deliver(endpoint.life, message))
  end
end

-- Makes the function for a timer's entry that comes up; it returns false when that is of no account
-- any more.
local function new_come_up(world, finish)
  local trace = world.trace
  return function(timer, time_us)
    local life = timer._life
    if life.over then return false end
    local machine = life.owner
    if machine.paused then
      machines.hold(machine, timer, time_us)
      return false
    end
    world.in_turn = true
    local fired, failure, digest, wrote, held = fire(life, timer, time_us)
    world.in_turn = false
    if not fired then return false end
    world.timers_fired = world.timers_fired + 1
    if trace.observe then trace:row{kind = "timer", node = machine.id} end
    finish(machine, world.time_us << 8 | machine.index, failure, digest, wrote, held)
    return true
  end
end

---Gives a world the functions `finish_turn`, `arrive` and `come_up`: closures, since what they need
---of the world stays what it is.
---@param world table
function World.add_turns(world)
  local finish = new_finish(world)
  world.finish_turn, world.arrive = finish, new_arrive(world, finish)
  world.come_up = new_come_up(world, finish)
end

---------------------------------------------------------------------------------------------------
-- Time

local Guard = {
  __close = function(guard) guard.world.running, guard.world.in_turn = false, false end,
}

---Begins to take events.
---@return table guard to be closed when that ends
---Raises `world_busy`, `world_closed`.
function World:begin_run()
  if self.closed then errors.raise("world_closed", "the world is closed") end
  if self.running then
    errors.raise("world_busy", "the world runs already; world:after(0, fn) comes next")
  end
  self.running = true
  return self.guard
end

-- When a run of so many milliseconds from now ends.
local function limit_us_of(self, ms)
  if type(ms) ~= "number" or not (ms >= 0 and ms <= MS_MAX) then
    errors.raise("argument_invalid", "a run takes 0 to %d milliseconds, not %s", MS_MAX,
      tostring(ms))
  end
  return self.time_us + math.floor(ms * 1000)
end

-- The count of events at which budgets are looked at next.
local function next_look(self)
  return math.min(self.events_max, (self.events // LOOK_EVENTS + 1) * LOOK_EVENTS)
end

-- Takes events up to a time, all there are without one, until a condition holds.
local function advance(self, limit_us, is_done)
  local _guard <close> = self:begin_run()
  if is_done and is_done(self) then return true end
  local heap, arrive, come_up = self.heap, self.arrive, self.come_up
  local look_at = next_look(self)
  while not self.is_over do
    local time_us, event, key = pop(heap, limit_us)
    if not time_us then
      self.time_us = limit_us or self.time_us
      break
    end
    -- What has been overtaken (World:take) comes late: time goes forward only.
    if time_us > self.time_us then self.time_us = time_us end
    local is_event = true -- else it was of no account
    if event.body then
      arrive(event, key)
    elseif event._life then
      is_event = come_up(event, time_us)
    else
      is_event = event.run(self, event) ~= false
    end
    if is_event then
      local events = self.events + 1
      self.events = events
      if events >= look_at then
        if events >= self.events_max then self:fail_events() end
        self:check_memory()
        look_at = next_look(self)
      end
      if is_done and is_done(self) then return true end
    end
  end
  return false
end

---Runs the world for some simulated time, or until it has a verdict.
---@param ms number
---@return jangada.Verdict|nil verdict nil when all is well
---Raises `argument_invalid`, `world_busy`, `world_closed`.
function World:run(ms)
  advance(self, limit_us_of(self, ms))
  return self.verdict
end

---Runs the world until a condition holds, which is looked at after each event.
---@param is_done fun(world: table): any
---@param limit_ms number how long to run at most
---@return boolean done false when time was up or the run got a verdict
---Raises `world_busy`, `world_closed`.
function World:run_until(is_done, limit_ms)
  return advance(self, limit_us_of(self, limit_ms), is_done)
end

---Takes one event.
---@return boolean taken false when none waits, or the run has a verdict
---Raises `world_busy`, `world_closed`.
function World:step()
  local events = self.events
  return advance(self, nil, function() return self.events > events end)
end

---@param world table
---@return table guard that lets go of the world when a run ends, however it ends
function World.new_guard(world)
  return setmetatable({world = world}, Guard)
end

return World
