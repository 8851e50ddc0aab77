--- Copies all buckets of a file into an empty one, key by key, in transactions of bounded size.
--
-- Keys come in order, so each bucket is appended to: its pages end up full. A bucket within another
-- is made where its name stands among the keys, and filled later.

local description = require "jangada.cli.db.description"
local errors = require "jangada.errors"
local session = require "jangada.cli.db.session"

local copying = {}

local BATCH_COUNT_MAX <const> = 1000
local BATCH_SIZE_MAX <const> = 1 << 20
local RECORD_SIZE <const> = 64 -- what a bucket counts for, about

---@class jangada.cli.Writer
---@field db table
---@field tx table the open write transaction
---@field path string[] of the bucket that is written
---@field bucket table|nil its handle in `tx`
---@field keys (string|integer)[] not yet appended
---@field values string[]
---@field batch_size integer bytes of them
---@field tx_size integer bytes of the transaction so far
---@field tx_size_max integer
---@field copied integer keys so far
---@field progress fun(copied: integer)
local Writer = {}
Writer.__index = Writer

local function new_writer(db, tx_size_max, progress)
  return setmetatable({ db = db, tx = db:begin("write"), path = {}, bucket = nil, keys = {},
    values = {}, batch_size = 0, tx_size = 0, tx_size_max = tx_size_max, copied = 0,
    progress = progress }, Writer)
end

-- Ends the transaction if it has become large, and begins another.
function Writer:grow(size)
  self.tx_size = self.tx_size + size
  if self.tx_size < self.tx_size_max then return end
  self.tx:commit()
  self.tx, self.tx_size = self.db:begin("write"), 0
  if #self.path > 0 then self.bucket = session.find(self.tx, self.path) end
end

function Writer:flush()
  local count = #self.keys
  if count == 0 then return end
  self.bucket:append(self.keys, self.values)
  local size = self.batch_size
  self.keys, self.values, self.batch_size = {}, {}, 0
  self.copied = self.copied + count
  self.progress(self.copied)
  self:grow(size)
end

function Writer:add(key, value)
  local at = #self.keys + 1
  self.keys[at], self.values[at] = key, value
  self.batch_size = self.batch_size + #value + (type(key) == "string" and #key or 8)
  if at >= BATCH_COUNT_MAX or self.batch_size >= BATCH_SIZE_MAX then self:flush() end
end

-- Makes a bucket in the one that is written, or at the top level.
function Writer:create(node)
  self:flush()
  local parent = self.bucket or self.tx
  local bucket = parent:create_bucket(description.name(node),
    { keys = node.is_integer and "integer" or nil, tree = node.is_tree })
  if node.sequence > 0 then bucket:set_sequence(node.sequence) end
  self:grow(RECORD_SIZE)
end

function Writer:fill(node, source)
  local children = {}
  for _, child in ipairs(node.children) do children[description.name(child)] = child end
  self.path, self.bucket = node.path, session.find(self.tx, node.path)
  for key, value in source:each() do
    if value then self:add(key, value) else self:create(children[key]) end
  end
  self:flush()
end

local function check_readable(nodes)
  for node in description.each(nodes) do
    if node.is_foreign then
      errors.raise("incompatible", "the database '%s' has LMDB flags that are not supported; "
        .. "backup copies it", description.name(node))
    end
  end
end

--- Copies all buckets that a transaction sees.
---@param source table a read transaction
---@param nodes jangada.cli.Description[] of all of it
---@param db table an empty DB
---@param tx_size_max integer bytes of keys and values in one transaction
---@param progress fun(copied: integer) called with the keys copied so far
---@return integer copied keys
---Raises `incompatible` for a database that the store does not read.
function copying.copy(source, nodes, db, tx_size_max, progress)
  check_readable(nodes)
  local writer = new_writer(db, tx_size_max, progress)
  for _, node in ipairs(nodes) do
    writer.path, writer.bucket = {}, nil
    writer:create(node)
    for each in description.each{ node } do writer:fill(each, session.find(source, each.path)) end
  end
  writer.tx:commit()
  return writer.copied
end

return copying
