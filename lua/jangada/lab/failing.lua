-- Disks that fail, and what rots on them: methods of jangada.World.
--
-- A node whose disk fails in a commit stops as a failed node, like one that crashes: it boots again
-- when its disk serves again. A node that finds a damaged entry in its log stops for good. Neither
-- is a mistake of the protocol, and the world goes on. For good only as many nodes may be lost as a
-- majority can spare, unless the world is hopeless.

local errors = require "jangada.errors"
local machines = require "jangada.lab.machine"

local World = {}

local CALLS <const> = {write = true, flush = true}
local FAILURES <const> = {EIO = true, ENOSPC = true}

-- What a store raises when its disk has failed, and when it is not as it was left.
local CODES <const> = {io_error = true, no_space = true, poisoned = true}
local LIES <const> = {journal_corrupt = true, journal_foreign = true, journal_missing = true}

local function check_failure(call, failure)
  if not CALLS[call] or not FAILURES[failure] then
    errors.raise("option_invalid", "a disk fails in a write or a flush, with EIO or ENOSPC; not in "
      .. "%s with %s", tostring(call), tostring(failure))
  end
end

---Lets the disk of a node fail the next time that it is used.
---@param which integer|string
---@param call? "write"|"flush" in which call, default "write"
---@param failure? "EIO"|"ENOSPC" how, default "EIO"
---Raises `world_busy`, `unknown_node`, `option_invalid`.
function World:fail_disk(which, call, failure)
  self:check_idle()
  self:check_simulated("a failing disk")
  call, failure = call or "write", failure or "EIO"
  check_failure(call, failure)
  local machine = self:node(which)
  if not machine then return end
  self.disk:set_failure(machine.id, {call = call, error = failure})
  self:note{kind = "failing_disk", node = machine.id, index = machine.index, call = call,
    error = failure}
end

---Lets the disk of a node serve again, and boots the node if it has stopped because of its disk.
---@param which integer|string
---@return boolean mended false when it does not fail
---Raises `world_busy`, `unknown_node`.
function World:mend_disk(which)
  self:check_idle()
  local machine = self:node(which)
  if not machine or not self.disk.failures[machine.id] then return false end
  self.disk:set_failure(machine.id, nil)
  self:note{kind = "failing_disk", node = machine.id, index = machine.index}
  if machine.failed then self:restart(machine.index) end
  return true
end

---Whether one more node may be lost for good: this one.
---@param machine jangada.Machine
---@return boolean
function World:can_spare(machine)
  local lost = 0
  for _, other in ipairs(self.nodes) do
    if other.rot and other ~= machine then lost = lost + 1 end
  end
  return self.hopeless or lost < (#self.nodes - 1) // 2
end

-- Flips a bit of an entry: its index, what it was and what it is; nil when there is none.
local function flip_bit(tx, which, chance)
  local bucket = tx:bucket("replog")
  local cursor = bucket and bucket:cursor()
  local first = cursor and cursor:first()
  if math.type(first) ~= "integer" then return nil end
  local index = which or chance:between(first, (cursor:last()))
  local was = bucket:get(index)
  if not was then return nil end
  local place = chance:between(1, #was)
  local is = was:sub(1, place - 1) .. string.char(was:byte(place) ~ 1 << chance:choose(8))
    .. was:sub(place + 1)
  bucket:put(index, is)
  return index, was, is
end

---Flips a bit of an entry in a node's log, the bucket `replog`. Who finds that stops for good.
---@param which integer|string
---@param index? integer of the entry; drawn without it
---@return integer|nil index nil when the node is down, or has no such entry
---Raises `world_busy`, `unknown_node`; `option_invalid` when as many nodes as a majority can spare
---have rot already.
function World:rot(which, index)
  self:check_idle()
  local machine = self:node(which)
  if not machine or not machine.up then return nil end
  if not self:can_spare(machine) then
    errors.raise("option_invalid", "rot on %s is more than %d nodes can survive; a world with "
      .. "hopeless = true may have it", machine.id, #self.nodes)
  end
  local disk, id = self.disk, machine.id
  local failure = disk.failures[id]
  if failure then disk:set_failure(id, nil) end -- it is not the node that writes
  local entry, was, is = machine.db:update(flip_bit, index, self.oracle:stream("rot " .. id))
  disk:flush(id, machine.db)
  if failure then disk:set_failure(id, failure) end
  if not entry then return nil end
  machine.rot = machine.rot or {}
  local before = machine.rot[entry]
  machine.rot[entry] = {was = before and before.is == was and before.was or was, is = is}
  self.trace:fold_name("rot", entry)
  self:note{kind = "rot", node = machine.id, index = machine.index, entry = entry}
  return entry
end

-- Why a node that raises this has to stop, and is not to blame; nil when it is.
local function cause_of(self, machine, failure)
  local code = errors.is(failure) and failure.code
  local failing = self.disk.failures[machine.id]
  if failing and CODES[code] then return failing.error end
  if machine.was_lied_to and LIES[code] then return "lie" end
  return machine.rot and code == "log_damaged" and "rot" or nil
end

---Stops a node that its disk does not serve, if that is why it failed.
---@param machine jangada.Machine
---@param failure any what was raised
---@return boolean stopped false when the disk is not to blame
function World:stop_failed(machine, failure)
  local cause = cause_of(self, machine, failure)
  if not cause then return false end
  local unflushed, tail
  if machine.life then unflushed, tail = machines.crash(machine, {}) end
  machine.failed, machine.is_lost = cause, cause == "rot" or cause == "lie"
  self:note{kind = "crash", node = machine.id, index = machine.index, cause = cause,
    unflushed = tail and unflushed, tail = tail}
  return true
end

return World
