-- The stores of explored worlds: made once and emptied for each world, since a world is made anew
-- for each step back. It stands in the place of jangada.lab.disk.

local disks = require "jangada.lab.disk"
local plain = require "jangada.node.plain"

local mix, hash_string, try_digest = plain.mix, plain.hash_string, plain.try_digest

local Stores = {}
Stores.__index = Stores
Stores.__name = "jangada.lab.Stores"

local M = {}

---Makes them. They are to be closed.
---@param ids string[] of the nodes
---@return table stores
function M.new(ids)
  return setmetatable({
    disk = disks.new(nil, "none", ids),
    failures = {}, -- no disk fails
    spare = {},    -- id -> a DB that is open
    is_fresh = {}, -- id -> the next boot is the first of its world
  }, Stores)
end

local function empty(tx)
  local names = {}
  for name in tx:buckets() do names[#names + 1] = name end
  for _, name in ipairs(names) do tx:delete_bucket(name) end
end

---Opens the store of a node: an empty one, when its world has just begun.
---@param id string
---@return table db
function Stores:open(id)
  local db = self.spare[id] or self.disk:open(id)
  self.spare[id] = nil
  if self.is_fresh[id] then db:update(empty) end
  self.is_fresh[id] = nil
  return db
end

---Begins a world: each node's next boot is its first.
---@param ids string[]
function Stores:begin(ids)
  for _, id in ipairs(ids) do self.is_fresh[id] = true end
end

---Takes the stores of a world that is about to be closed.
---@param world table
function Stores:keep(world)
  for _, machine in ipairs(world.nodes) do
    if machine.db then self.spare[machine.id], machine.db = machine.db, nil end
  end
end

---Drops the store of a node as a crash would. All that was committed stays.
---@param db table
---@return table none of its commits can be lost
function Stores.crash(_, _, db)
  db:abandon()
  return {}
end

---Whether the disk can have accidents.
---@return boolean
function Stores.is_simulated() return false end

---For a world that is closed: the files stay.
function Stores.remove() end

---Closes the stores and removes their files.
function Stores:close()
  for _, db in pairs(self.spare) do db:close{force = true} end
  self.spare = {}
  self.disk:remove()
end
Stores.__close = Stores.close

local function fold_bucket(value, bucket)
  value = mix(value, bucket:sequence())
  for key, content in bucket:each() do
    value = mix(value, try_digest(key))
    if content then value = mix(value, hash_string(content)) end
  end
  for name, inner in bucket:buckets() do
    value = fold_bucket(mix(value, hash_string(name)), inner)
  end
  return mix(value, 1)
end

local function digest(tx)
  local value = 0
  for name, bucket in tx:buckets() do
    value = fold_bucket(mix(value, hash_string(name)), bucket)
  end
  return value
end

---The digest of all that a store holds.
---@param db table
---@return integer
function M.digest(db)
  return db:view(digest)
end

return M
