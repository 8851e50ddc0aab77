-- A machine: what a node runs on. It outlives its node: the store stays when the node crashes, and
-- a restart boots a new life from it.

local draws = require "jangada.lab.draws"
local errors = require "jangada.errors"
local node = require "jangada.node"
local plain = require "jangada.node.plain"

local M = {}

---@class jangada.Machine
---@field id string of its node
---@field index integer 1..number of nodes
---@field up boolean a node runs on it
---@field paused boolean the node is stopped; what comes up for it waits
---@field awake boolean up and not paused: messages reach the node
---@field state any `node.state` as the last turn left it, nil when down
---@field db table|nil the store, nil when down
---@field boots integer lives so far
---@field flush_law false|jangada.lab.Law how long its disk takes for a flush
---@field failed string|nil why it has stopped, if its disk is to blame: "EIO", "ENOSPC", "rot" or
---"lie"
---@field is_lost boolean it has stopped for good
---@field was_lied_to boolean|nil its disk has lied (jangada.lab.hopeless)
---@field rot table<integer, {was: string, is: string}>|nil the entries of its log that have rotted
---@field clock table|nil its clock, if that was ever wrong (jangada.lab.clocks)
---@field flush table|nil the step that will flush it, while turns wait for that

---Makes a machine; `boot` starts it.
---@param world table
---@param id string
---@param index integer
---@param peers string[] ids of the other nodes
---@return jangada.Machine
function M.new(world, id, index, peers)
  return {
    world = world, id = id, index = index, peers = peers,
    up = false, paused = false, awake = false, state = nil, db = nil, boots = 0,
    life = nil,                                   -- of jangada.node
    held = {}, held_times = {},                   -- what came up during a pause, and when
    chance = draws.stream(world.oracle:stream("node " .. id), world.draws, id), -- node:random
    last_digest = nil, changed_us = nil,          -- of its state, and since when that is so
    committed_us = nil,                           -- when it last told of a commit
    failed = nil, is_lost = false, rot = nil,     -- jangada.lab.failing
    clock = nil,                                  -- jangada.lab.clocks; nil: it is right
    causes = {},                                  -- what of it was set -> the fault that did
    cause = nil, slowed_by = nil,                 -- the faults that hold it down or paused, or slow
    flush_law = world.flush_law, flush = nil,
    flushes = world.oracle:stream("flush " .. id), -- how long its disk takes
    power = world.oracle:stream("power " .. id),  -- what a crash leaves of what was not flushed
    unflushed = {},                               -- commits that were not when it crashed
  }
end

---Opens the store of a machine, before it boots.
---@param machine jangada.Machine which is down
---@return integer lost how many of its commits its last crash has taken back
---Raises what store.open returns.
function M.open(machine)
  machine.db = machine.world.disk:open(machine.id)
  local lost, commits = 0, machine.unflushed
  local last = #commits > 0 and machine.db:info().last_tx_id
  for _, commit in ipairs(commits) do
    if commit.lsn > last then lost = lost + 1 end
  end
  machine.unflushed = {}
  return lost
end

---Boots a node from the store, which is open: its boot is a turn, which takes its disk no time.
---@param machine jangada.Machine
---@return nil|table failure of the boot turn, its digest, and whether it wrote (jangada.node.turn)
function M.boot(machine)
  local world = machine.world
  machine.up, machine.paused, machine.awake = true, false, true
  machine.boots, machine.failed = machine.boots + 1, nil
  local life, failure, digest, wrote = node.boot(world.host, machine, {
    id = machine.id, peers = machine.peers, db = machine.db,
    options = world.options, source = world.source,
  })
  machine.life = life
  M.settle(machine)
  return failure, digest, wrote
end

---Lets commits wait for the disk if it takes no time, and all before them are flushed.
---@param machine jangada.Machine
function M.settle(machine)
  local life = machine.life
  if not life then return end
  life.defers = machine.flush_law ~= false or #life.unflushed > 0
  if life.defers then machine.state = plain.clone(machine.state) end -- its own goes on
end

---Ends the node's life as a power failure would; its store keeps what was flushed.
---@param machine jangada.Machine
---@param accident {keep: integer|nil, tail: string|nil} jangada.lab.power
---@return integer unflushed how many commits were not
---@return string|nil tail what is behind those of them that survive
function M.crash(machine, accident)
  node.stop(machine.life)
  local commits, tail = machine.world.disk:crash(machine.id, machine.db, accident, machine.power)
  machine.unflushed, machine.flush = commits, nil
  machine.life, machine.db, machine.state = nil, nil, nil
  machine.up, machine.paused, machine.awake = false, false, false
  for _, event in ipairs(machine.held) do
    if event.body then machine.world.lost = machine.world.lost + 1 end
  end
  machine.held, machine.held_times = {}, {}
  return #commits, tail
end

---Keeps an event for the end of the pause.
---@param machine jangada.Machine
---@param event table message or timer
---@param time_us integer
function M.hold(machine, event, time_us)
  local n = #machine.held + 1
  machine.held[n], machine.held_times[n] = event, time_us
end

---Begins a pause.
---@param machine jangada.Machine which is up
function M.pause(machine)
  machine.paused, machine.awake = true, false
end

---Ends a pause.
---@param machine jangada.Machine which is up
---@return table[] events what came up meanwhile
---@return integer[] times_us when
function M.resume(machine)
  local held, times = machine.held, machine.held_times
  machine.paused, machine.awake, machine.held, machine.held_times = false, true, {}, {}
  return held, times
end

---The machine that is meant by an index, an id, or `leader`: the node that leads in the highest
---term, or when none does the first that is up.
---@param machines jangada.Machine[]
---@param which integer|string
---@return jangada.Machine|nil machine nil when it is `leader` and all nodes are down
---Raises `unknown_node`.
function M.find(machines, which)
  if which == "leader" then
    local leader, first
    for _, machine in ipairs(machines) do
      local state = machine.state
      first = first or machine.up and machine or nil
      if type(state) == "table" and state.role == "leader"
        and (not leader or (state.term or 0) > (leader.state.term or 0)) then
        leader = machine
      end
    end
    return leader or first
  end
  for _, machine in ipairs(machines) do
    if machine.index == which or machine.id == which then return machine end
  end
  errors.raise("unknown_node", "there is no node %s", tostring(which))
end

return M
