-- A machine: what a node runs on. It outlives its node: the store stays when the node crashes, and
-- a restart boots a new life from it.

local errors = require "jangada.errors"
local node = require "jangada.node"

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
    chance = world.oracle:stream("node " .. id),  -- node:random
    cause = nil,                                  -- the fault that holds it down or paused
  }
end

---Opens the store and boots a node from it: its boot is a turn.
---@param machine jangada.Machine which is down
---@return nil|table failure of the boot turn, its digest, and whether it wrote (jangada.node.turn)
function M.boot(machine)
  local world = machine.world
  machine.db = world.disk:open(machine.id)
  machine.up, machine.paused, machine.awake = true, false, true
  machine.boots = machine.boots + 1
  local life, failure, digest, wrote = node.boot(world.host, machine, {
    id = machine.id, peers = machine.peers, db = machine.db,
    options = world.options, source = world.source,
  })
  machine.life = life
  return failure, digest, wrote
end

---Ends the node's life as kill -9 would; its store keeps what was committed.
---@param machine jangada.Machine
function M.crash(machine)
  node.stop(machine.life)
  machine.db:abandon()
  machine.life, machine.db, machine.state = nil, nil, nil
  machine.up, machine.paused, machine.awake = false, false, false
  machine.held, machine.held_times = {}, {}
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
