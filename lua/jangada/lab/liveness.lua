-- Whether a protocol gets on once its world lets it: a core of nodes, a majority, is made well and
-- reaches one another; whatever else is wrong stays so for good, and nothing new befalls anybody.
-- Then there has to be progress within a bound. (TigerBeetle's simulator asks like this: a fault
-- that heals hides a node that only the next message would have woken up.)
--
-- These are methods of jangada.World.

local errors = require "jangada.errors"
local hosts = require "jangada.lab.host"
local machines = require "jangada.lab.machine"
local options = require "jangada.lab.options"
local plain = require "jangada.node.plain"

local World = {}

local M = {World = World}

local BOUND_MS <const> = 5000

-- What clients that count their answers have come to.
local function counts_of(clients)
  local counts = {}
  for i, client in ipairs(clients) do
    if type(client) == "table" and client.answered then counts[i] = client.answered end
  end
  return counts
end

local RULES <const> = {bound_ms = {options.time_ms, BOUND_MS}, after_ms = {options.time_ms},
  progress = {options.fn, false}}

--- The rules of its options (jangada.lab.options).
M.RULES = RULES

---Reads the option `liveness`.
---@param given table|nil `{bound_ms =` how long progress may take, default 5000`, after_ms =`
---when the core is made well, default when the world is finished`, progress =` function(world):
---whether there was some since; default whether each client that counts its answers has had one`}`
---@param clients table[]
---@return table|nil
---Raises `option_unknown`, `option_invalid`.
function M.read(given, clients)
  if not given then return nil end
  local liveness = options.read("liveness", given, RULES)
  if not liveness.progress and next(counts_of(clients)) == nil then
    errors.raise("option_invalid", "liveness needs a function progress, or clients that count "
      .. "their answers: lab.stream or lab.kv_clients")
  end
  liveness.is_judged = false
  return liveness
end

---------------------------------------------------------------------------------------------------
-- The core

-- A majority, or more, of the nodes that are not lost; nil when these are too few.
local function draw_core(self)
  local left, core = {}, {}
  for _, machine in ipairs(self.nodes) do
    if not machine.is_lost then left[#left + 1] = machine end
  end
  local least = #self.nodes // 2 + 1
  if #left < least then return nil end
  local chance = self.oracle:stream("liveness")
  for _ = 1, least + chance:choose(#left - least + 1) do
    core[#core + 1] = table.remove(left, 1 + chance:choose(#left))
  end
  table.sort(core, function(a, b) return a.index < b.index end)
  return core
end

local function make_well(self, machine)
  if machine.clock then self:set_clock(machine.index) end
  self.disk:set_failure(machine.id, nil)
  machine.flush_law = self.flush_law
  machines.settle(machine)
  self:resume(machine.index)
  if not machine.up then self:restart(machine.index) end
end

---Makes a core of nodes well, drawn from the seed; all that is wrong beyond it stays so for good,
---and no fault of the plan begins or ends any more.
---@return string[]|nil ids nil when so many nodes are lost that no majority is left
---Raises `world_busy`.
function World:heal_core()
  self:check_idle()
  local core = draw_core(self)
  if not core then return nil end
  self.core = core
  local ids, free = {}, {}
  for i, machine in ipairs(core) do ids[i], free[machine.id] = machine.id, true end
  for id, endpoint in pairs(self.endpoints) do
    if endpoint.is_client then free[id] = true end
  end
  self:note{kind = "heal", core = ids}
  for _, clog in ipairs(self.network:free(free)) do hosts.release(self, clog) end
  for _, machine in ipairs(core) do make_well(self, machine) end
  return ids
end

---------------------------------------------------------------------------------------------------
-- Progress

local function is_progress(self)
  local liveness = self.liveness
  if liveness.progress then return liveness.progress(self) end
  for i, count in pairs(liveness.counts) do
    local client = self.config.clients[i]
    if not client.done and client.answered == count then return false end
  end
  return true
end

local function ms_of(us)
  return us and ("%.3f ms"):format(us / 1000) or "the beginning"
end

local function describe(machine)
  local fields = {}
  if type(machine.state) == "table" then
    for name, value in pairs(machine.state) do
      if type(value) ~= "table" then fields[#fields + 1] = ("%s=%s"):format(name, value) end
    end
  end
  table.sort(fields)
  return ("%s: its state is the same since %s, and it told of its last commit at %s: %s"):format(
    machine.id, ms_of(machine.changed_us), ms_of(machine.committed_us), table.concat(fields, " "))
end

-- Who of the core has been the same for longest.
local function fail_stuck(self)
  local liveness, ids, lines = self.liveness, {}, {}
  local stuck
  for i, machine in ipairs(self.core) do
    ids[i], lines[i] = machine.id, describe(machine)
    if not stuck or (machine.changed_us or 0) < (stuck.changed_us or 0) then stuck = machine end
  end
  for i in pairs(plain.clone(liveness.counts)) do
    local client = self.config.clients[i]
    if not client.done then
      lines[#lines + 1] = ("c%d: it was answered %d times, the last time at %s"):format(i,
        client.answered, ms_of(client.answered_us))
    end
  end
  self:fail{kind = "stuck", node = stuck.id, story = table.concat(lines, "\n"),
    message = ("no progress in %g ms, with %s well since %s; %s is the same since %s"):format(
      liveness.bound_ms, table.concat(ids, ", "), ms_of(liveness.begun_us), stuck.id,
      ms_of(stuck.changed_us))}
end

local function judge(self)
  local liveness = self.liveness
  if liveness.is_judged then return false end
  liveness.is_judged = true
  if not is_progress(self) then fail_stuck(self) end
end

---Begins to ask. For the world.
function World:begin_liveness()
  local liveness = self.liveness
  if liveness.begun_us then return end
  liveness.begun_us, liveness.counts = self.time_us, counts_of(self.config.clients or {})
  if not self:heal_core() then
    liveness.is_judged = true -- nothing can be asked of so few
    return
  end
  self:push(self.time_us + math.floor(liveness.bound_ms * 1000), {run = judge})
end

---Runs the world until there is progress, or that has taken too long. For World:finish.
function World:finish_liveness()
  local liveness = self.liveness
  if not liveness or self.verdict then return end
  self:begin_liveness()
  if liveness.is_judged then return end
  local left_us = liveness.begun_us + math.floor(liveness.bound_ms * 1000) - self.time_us
  if self:run_until(is_progress, left_us / 1000) then liveness.is_judged = true end
end

return M
