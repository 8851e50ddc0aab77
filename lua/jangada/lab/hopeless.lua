-- What no protocol has to survive: methods of jangada.World for worlds that are `hopeless`.
--
-- A protocol promises what it does because its disk keeps what was flushed, and is its own. Here
-- that does not hold. What is found then is no mistake of the protocol, and each verdict of such a
-- world says so; but it is good to know how bad it gets.

local errors = require "jangada.errors"

local World = {}

local function check_hopeless(self, what)
  self:check_idle()
  if not self.hopeless then
    errors.raise("option_invalid", "%s is more than a protocol can survive; a world with "
      .. "hopeless = true may have it", what)
  end
end

---Crashes a node, if it is up, and empties its disk: it boots again with nothing.
---@param which integer|string
---@return boolean wiped false when there is no such node now
---Raises `world_busy`, `unknown_node`; `option_invalid` unless the world is hopeless.
function World:wipe(which)
  check_hopeless(self, "an empty disk")
  local machine = self:node(which)
  if not machine then return false end
  if machine.up then self:crash(machine.index) end
  self.disk:wipe(machine.id)
  machine.unflushed, machine.rot, machine.failed = {}, nil, nil
  machine.is_lost, machine.was_lied_to = false, nil
  self:note{kind = "wipe", node = machine.id, index = machine.index}
  return true
end

-- What a machine knows of its disk, and what goes with it.
local OF_DISK <const> = {"unflushed", "rot", "failed", "is_lost", "was_lied_to"}

---Crashes two nodes, those of them that are up, and changes their disks: each boots again with what
---the other has stored, its term, its vote and its log.
---@param which integer|string
---@param other integer|string
---@return boolean swapped false when they are one node, or there is no such node now
---Raises `world_busy`, `unknown_node`; `option_invalid` unless the world is hopeless.
function World:swap_disks(which, other)
  check_hopeless(self, "another node's disk")
  local a, b = self:node(which), self:node(other)
  if not a or not b or a == b then return false end
  for _, machine in ipairs{a, b} do
    if machine.up then self:crash(machine.index) end
  end
  self.disk:swap(a.id, b.id)
  for _, name in ipairs(OF_DISK) do a[name], b[name] = b[name], a[name] end
  self:note{kind = "swap", node = a.id, index = a.index, other = b.id}
  return true
end

---Lets the flushes of a node's disk lie: they succeed and keep nothing, so that a crash takes all
---commits back since the last checkpoint, whoever was told of them. When they no longer lie the
---next one keeps what there is.
---@param which integer|string
---@param lies boolean
---@return boolean set false when there is no such node now
---Raises `world_busy`, `unknown_node`; `option_invalid` unless the world is hopeless, and its disks
---are simulated.
function World:set_lying(which, lies)
  check_hopeless(self, "a flush that lies")
  self:check_simulated("a flush that lies")
  if type(lies) ~= "boolean" then
    errors.raise("option_invalid", "a disk lies, true, or not, false; not %s", tostring(lies))
  end
  local machine = self:node(which)
  if not machine then return false end
  self.disk:set_lying(machine.id, machine.db, lies)
  machine.was_lied_to = machine.was_lied_to or lies
  self:note{kind = "lying_disk", node = machine.id, index = machine.index, lies = lies}
  return true
end

return World
