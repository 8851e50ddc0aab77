-- When turns become durable: methods of jangada.World.
--
-- A disk takes no time unless it is said to be slow. Then a node goes on while its disk is being
-- flushed: what its turns send, and what may be judged of them, is held (jangada.node.turn), turns
-- that come meanwhile join them, and when the flush is done all of them are durable together.

local delays = require "jangada.lab.delays"
local errors = require "jangada.errors"
local machines = require "jangada.lab.machine"
local node = require "jangada.node"
local plain = require "jangada.node.plain"

local World = {}

local BITS <const> = math.maxinteger -- of a draw for a law
local UNFLUSHED_MAX <const> = 256    -- turns that wait; more make the disk quick

---Raises `option_invalid` unless journals are on memory disks.
---@param what string what needs them
function World:check_simulated(what)
  if not self.disk:is_simulated() then
    errors.raise("option_invalid", "%s needs durability journal and no directory of one's own",
      what)
  end
end

---Says how long the disk of a node, or of all, takes for a flush.
---@param which integer|string|nil nil for all
---@param law table|nil of delay (jangada.lab.delays); nil restores what the world was made with
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:set_flush(which, law)
  self:check_idle()
  self:check_simulated("a slow disk")
  local flush_law = self.flush_law
  if law ~= nil then flush_law = delays.law(law, "flush_ms") end
  local machine = which ~= nil and self:node(which)
  if which ~= nil and not machine then return end
  for _, each in ipairs(machine and {machine} or self.nodes) do
    each.flush_law = flush_law
    machines.settle(each)
  end
  self:note{kind = "slow_disk", node = machine and machine.id, index = machine and machine.index,
    flush_ms = law}
end

local function judge_held(self, machine, held)
  machine.state = held.state
  node.release(machine.life, held)
  self:judge_turn(machine, held.wrote, held.seen)
end

-- All turns of a node that wait for its disk are durable.
local function release(self, machine)
  local unflushed = machine.life.unflushed
  machine.life.unflushed, machine.flush = {}, nil
  machines.settle(machine)
  self:note{kind = "flush", node = machine.id, index = machine.index, turns = #unflushed}
  for _, held in ipairs(unflushed) do judge_held(self, machine, held) end
end

-- A step; its node may have crashed, or be paused and not know yet.
local function flush(self, step)
  local machine = step.machine
  if machine.flush ~= step then return false end
  local ok, failure = pcall(self.disk.flush, self.disk, machine.id, machine.db)
  if not ok then
    if not self:stop_failed(machine, failure) then
      self:fail{kind = "store_failed", node = machine.id, message = tostring(failure)}
    end
    return
  end
  if machine.paused then
    machines.hold(machine, step, self.time_us)
    return false
  end
  release(self, machine)
end

local function delay_of(machine)
  local law, chance = machine.flush_law, machine.flushes
  if law.spread then return law.least + chance:choose(law.spread) end
  return law.of(chance:choose(BITS))
end

---Holds a turn until the disk of its node is flushed.
---@param machine jangada.Machine
---@param held jangada.HeldTurn
---@param digest integer of its state
function World:hold_turn(machine, held, digest)
  if held.wrote then self.disk:note(machine.id, machine.db) end
  held.seen = {}
  for _, invariant in ipairs(self.judges.look or {}) do
    held.seen[invariant] = invariant:look(machine, held.wrote)
  end
  local trace = self.trace
  if trace.observe and (held.wrote or digest ~= machine.digest) then
    machine.digest = digest
    trace:row{kind = "state", node = machine.id, state = plain.clone(held.state),
      wrote = held.wrote or nil, unflushed = true}
  end
  if #machine.life.unflushed >= UNFLUSHED_MAX then
    machine.flush = {machine = machine}
    flush(self, machine.flush)
  elseif not machine.flush then
    machine.flush = {run = flush, machine = machine}
    self:push(self.time_us + delay_of(machine), machine.flush)
  end
end

return World
