-- A world: nodes, their network, their disks and their time, all simulated and all from one seed.
--
-- These are the verbs a user has: faults, clients, and what there is to see of a run. Those of the
-- network are in jangada.lab.links, of the disks in jangada.lab.flushing and jangada.lab.failing,
-- of the clocks in jangada.lab.clocks, the loop that makes a world go (run, run_until, step, after)
-- in jangada.lab.loop.

local budgets = require "jangada.lab.budgets"
local choosing = require "jangada.lab.choosing"
local clients = require "jangada.lab.client"
local clocks = require "jangada.lab.clocks"
local errors = require "jangada.errors"
local failing = require "jangada.lab.failing"
local hopeless = require "jangada.lab.hopeless"
local flushing = require "jangada.lab.flushing"
local heaps = require "jangada.lab.heap"
local hosts = require "jangada.lab.host"
local invariants = require "jangada.lab.invariants"
local liveness = require "jangada.lab.liveness"
local links = require "jangada.lab.links"
local loop = require "jangada.lab.loop"
local machines = require "jangada.lab.machine"
local plain = require "jangada.node.plain"
local power = require "jangada.lab.power"

local World = {}
for _, methods in ipairs{loop, choosing, links, flushing, failing, hopeless, clocks,
  liveness.World, budgets} do
  for name, method in pairs(methods) do World[name] = method end
end
World.__index = World
World.__name = "jangada.World"

local M = {}

local REQUEST_TIMEOUT_MS <const> = 1000

---------------------------------------------------------------------------------------------------
-- Faults

---Raises `world_closed`, or `world_busy` while a node's turn is under way.
function World:check_idle()
  if self.closed then errors.raise("world_closed", "the world is closed") end
  if self.in_turn then
    errors.raise("world_busy", "a node's turn is under way; use world:after(0, fn)")
  end
end

---Takes something that was done to the world into its trace.
---@param event table a row: `kind`, and of a node its `index`
function World:note(event)
  self.trace:fold_name(event.kind, event.index or 0)
  if self.trace.observe then self.trace:row(event) end
end

---The machine of a node.
---@param which integer|string index, id, or `leader`
---@return jangada.Machine
---Raises `unknown_node`.
function World:node(which)
  return machines.find(self.nodes, which)
end

---Boots a machine that is down. For lab.new and `restart`.
---@param machine jangada.Machine
function World:boot(machine)
  local is_open, lost = pcall(machines.open, machine)
  if not is_open then
    if self:stop_failed(machine, lost) then return end
    return self:fail{kind = "store_failed", node = machine.id, message = tostring(lost)}
  end
  if lost > 0 then self.trace:fold_name("lost", lost) end
  self:note{kind = "boot", node = machine.id, index = machine.index,
    lost = lost > 0 and lost or nil}
  machine.cause = nil
  for _, invariant in ipairs(self.judges.booted or {}) do invariant:booted(machine) end
  self.in_turn = true
  self.finish_turn(machine, machine.index, machines.boot(machine))
end

local function check_accident(accident)
  local keep, tail = accident.keep, accident.tail
  if keep ~= nil and (math.type(keep) ~= "integer" or keep < 0) then
    errors.raise("option_invalid", "keep is how many commits survive a crash, not %s",
      tostring(keep))
  end
  if tail ~= nil and not power.is_tail(tail) then
    errors.raise("option_invalid", "the tail of a journal is cut, torn or scribbled, not %s",
      tostring(tail))
  end
end

---Crashes a node: what its disk has flushed stays, of what it has not any prefix.
---@param which integer|string
---@param accident? {keep: integer|nil, tail: "cut"|"torn"|"scribbled"|nil} how many commits that
---were not flushed survive, and what is behind these in the journal; what it does not say is drawn
---@return boolean crashed false when it was down
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:crash(which, accident)
  self:check_idle()
  check_accident(accident or {})
  local machine = self:node(which)
  if not machine or not machine.up then return false end
  local unflushed, tail = machines.crash(machine, accident or {})
  self:note{kind = "crash", node = machine.id, index = machine.index,
    unflushed = tail and unflushed, tail = tail}
  return true
end

---Boots a crashed node from its store.
---@param which integer|string
---@return boolean restarted false when it was up, or is lost for good
---Raises `world_busy`, `unknown_node`.
function World:restart(which)
  self:check_idle()
  local machine = self:node(which)
  if not machine or machine.up or machine.is_lost or self.verdict then return false end
  self:boot(machine)
  return true
end

---Stops a node without ending it: what comes up for it waits.
---@param which integer|string
---@return boolean paused false when it was down or paused
---Raises `world_busy`, `unknown_node`.
function World:pause(which)
  self:check_idle()
  local machine = self:node(which)
  if not machine or not machine.up or machine.paused then return false end
  self:note{kind = "pause", node = machine.id, index = machine.index}
  machines.pause(machine)
  return true
end

-- A timer that came up during a pause keeps its time: it may have been put off since.
local function come_up_late(self, step)
  if step.life.over then return false end
  return self.come_up(step.timer, step.time_us)
end

---Lets a paused node go on: all that waited comes at once, in its order.
---@param which integer|string
---@return boolean resumed false when it was not paused
---Raises `world_busy`, `unknown_node`.
function World:resume(which)
  self:check_idle()
  local machine = self:node(which)
  if not machine or not machine.paused then return false end
  self:note{kind = "resume", node = machine.id, index = machine.index}
  local held, times_us = machines.resume(machine)
  for i, event in ipairs(held) do
    if event._life then
      event = {run = come_up_late, timer = event, life = event._life, time_us = times_us[i]}
    end
    self:push(self.time_us, event)
  end
  return true
end

---------------------------------------------------------------------------------------------------
-- Clients

---The client of that id, made if there is none.
---@param id string
---@return table client (jangada.lab.client)
function World:client(id)
  local endpoint = self.endpoints[id]
  if not endpoint then
    self.client_count = self.client_count + 1
    endpoint = clients.new(self, id, #self.nodes + self.client_count)
    self.endpoints[id] = endpoint
  elseif not endpoint.is_client then
    errors.raise("option_invalid", "%s is a node", id)
  end
  return endpoint
end

---Asks a node as client `c0` and runs the world until the answer is there.
---@param which integer|string
---@param body table plain data with a string `type`
---@param timeout_ms number|nil default 1000
---@return table|nil body of the reply, nil when there was none in time
---Raises `world_busy`, `not_plain`.
function World:request(which, body, timeout_ms)
  local machine = self:node(which)
  if not machine then return nil end
  timeout_ms = timeout_ms or REQUEST_TIMEOUT_MS
  local reply, is_over
  self:client("c0"):request(machine.id, body, timeout_ms, function(answer)
    reply, is_over = answer, true
  end)
  self:run_until(function() return is_over end, timeout_ms)
  return reply
end

---Lets an invariant look at this world from now on. It is told of no boot, turn or commit before.
---@param invariant table see jangada.lab.invariants
---Raises `option_invalid`.
function World:watch(invariant)
  invariants.add(self, invariants.check(invariant))
end

---------------------------------------------------------------------------------------------------
-- Results

---The hash of everything that has happened.
---@return string hexadecimal, 16 digits: the same for the same seed, in every process
function World:hash()
  return self.trace:hash()
end

---What the run was.
---@return table
function World:report()
  local nodes = {}
  for i, machine in ipairs(self.nodes) do
    nodes[i] = {id = machine.id, up = machine.up, boots = machine.boots,
      state = plain.clone(machine.state)}
  end
  return {
    seed = self.seed, verdict = self.verdict, hash = self:hash(), time_ms = self.time_us / 1000,
    events = self.events, timers = self.timers_fired, sent = self.sent,
    delivered = self.delivered, lost = self.lost, corrupted = self.corrupted,
    duplicated = self.duplicated, marks = plain.clone(self.marks), nodes = nodes,
  }
end

---Closes the stores and removes the files, unless they are in a directory the user named.
function World:close()
  if self.closed then return end
  self.closed = true
  for _, machine in ipairs(self.nodes) do
    if machine.db then machine.db:close{force = true} end
    machine.up = false
  end
  self.disk:remove()
end

World.__close = World.close
World.__gc = World.close

---Makes a world that stands at time 0, its nodes not yet booted. lab.new does.
---@param parts table what the world is made of
---@return table world
function M.new(parts)
  local world = {
    seed = parts.seed,
    oracle = parts.oracle,           -- where every decision comes from
    network = parts.network,
    disk = parts.disk,
    trace = parts.trace,
    source = parts.source,           -- the compiled protocol
    options = parts.options,         -- of the protocol
    config = parts.config,           -- the options of lab.new, with their defaults
    events_max = parts.events_max,   -- budgets
    queue_max = parts.queue_max,
    messages_max = parts.config.messages_max,
    memory_max = parts.config.memory_max,
    requests_max = parts.requests_max, requests = 0, -- that clients may send, and have sent
    operations_max = parts.operations_max, -- what lab.stream and lab.kv_clients do at most
    draws = parts.draws,             -- what node:random gives instead (jangada.lab.draws)
    maybe_rate = parts.maybe_rate,   -- how often node:maybe is true
    liveness = parts.liveness,       -- jangada.lab.liveness
    core = nil,                      -- the machines that were made well, once they are
    hopeless = parts.hopeless,       -- what no protocol survives may happen
    flush_law = parts.flush_law,     -- the law of how long flushes take, false for no time
    plan = parts.plan,               -- the faults, jangada.lab.faults
    causes = {},                     -- kind -> the fault that set it, of those that set something

    time_us = 0,
    heap = heaps.new(),
    verdict = nil,                   -- jangada.Verdict once something is wrong
    is_over = false,                 -- there is one; quicker to see than what is nil, and so looked
                                     -- for in the class too
    nodes = {},                      -- jangada.Machine by index
    ids = parts.ids,                 -- of the nodes, by index
    endpoints = {},                  -- id -> machine or client
    client_count = 0,
    invariants = {},                 -- all of them
    judges = {},                     -- name of a function -> the invariants that have it, or false
    marks = {},                      -- name -> how often reached

    events = 0, timers_fired = 0, sent = 0, delivered = 0, lost = 0,
    corrupted = 0, duplicated = 0,   -- the first among the lost, the second not among the sent
    in_turn = false,                 -- a node's turn is under way
    running = false,                 -- the loop is
    closed = false,
  }
  world.host = hosts.new(world)
  world.guard = World.new_guard(world)
  World.add_turns(world)
  parts.trace.world = world
  return setmetatable(world, World)
end

return M
