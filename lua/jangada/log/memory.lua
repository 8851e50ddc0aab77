--- A store in memory, as much of one as a log asks for: `Log.memory()` is a log on it, and
--- `Log.open(memory.open(), "replog")` the same by hand, for several logs in one store.
--
-- It has the faces of jangada.store, DB, Tx, Bucket and Cursor, with transactions that can be
-- rolled back, and savepoints. Nothing is ever on a disk, and what a read transaction sees is what
-- there is. The values are the bytes that a file would hold, so one code writes and reads both.

local errors = require "jangada.errors"
local store = require "jangada.store"

local raise = errors.raise
local unpack = string.unpack

local memory = {}

---------------------------------------------------------------------------------------------------
-- Buckets: sorted keys, keys[low] to keys[high], and the value of each. Every change leaves a
-- function that undoes it in the DB's list.

local Bucket = { __name = "jangada.memory.Bucket" }
Bucket.__index = Bucket

local function new_bucket(db, name, keys_are_integers)
  return setmetatable({ db = db, own_name = name, is_integer = keys_are_integers, keys = {},
    low = 1, high = 0, values = {}, children = {}, number = 0 }, Bucket)
end

local function note_undo(self, undo)
  local tx = self.db.tx
  if not tx then raise("tx_not_writable", "a bucket in memory is written to in an update") end
  tx.undo[#tx.undo + 1] = undo
end

-- The position of the first key that is not below a key.
local function find(self, key)
  local keys, low, high = self.keys, self.low, self.high + 1
  while low < high do
    local middle = (low + high) // 2
    if keys[middle] < key then low = middle + 1 else high = middle end
  end
  return low
end

local function insert(self, key, value)
  if self.values[key] == nil then
    local at = find(self, key)
    table.move(self.keys, at, self.high, at + 1)
    self.keys[at], self.high = key, self.high + 1
  end
  self.values[key] = value
end

-- The positions of the keys from one to another; the second below the first, if there are none.
local function range_of(self, from, to)
  local first = from == nil and self.low or find(self, from)
  if to == nil then return first, self.high end
  local last = find(self, to)
  return first, self.keys[last] == to and last or last - 1
end

-- Removes the keys from one to another; returns them and their values.
local function remove(self, from_key, to_key)
  local from, to = range_of(self, from_key, to_key)
  local keys, removed = self.keys, { keys = {}, values = {} }
  for at = from, to do
    local key = keys[at]
    removed.keys[#removed.keys + 1], removed.values[#removed.values + 1] = key, self.values[key]
    self.values[key] = nil
  end
  if from > to then return removed end
  if from == self.low then -- from the front, as compaction does: nothing has to move
    for at = from, to do keys[at] = nil end
    self.low = to + 1
  else
    table.move(keys, to + 1, self.high, from)
    for at = self.high - (to - from), self.high do keys[at] = nil end
    self.high = self.high - (to - from + 1)
  end
  return removed
end

local function put_back(self, removed)
  for i = #removed.keys, 1, -1 do insert(self, removed.keys[i], removed.values[i]) end
end

function Bucket:get(key)
  return self.values[key]
end

function Bucket:put(key, value)
  local old = self.values[key]
  note_undo(self, function()
    if old == nil then
      remove(self, key, key)
    else
      self.values[key] = old
    end
  end)
  insert(self, key, value)
end

function Bucket:delete(key)
  return self:delete_range(key, key) > 0
end

function Bucket:delete_range(from, to)
  local removed
  note_undo(self, function() put_back(self, removed) end)
  removed = remove(self, from, to)
  return #removed.keys
end

-- The values are a table, or one string that store.pack_records made: each behind its size.
local function append_packed(self, first, packed)
  local keys, values, high, key = self.keys, self.values, self.high, first
  local at, size = 1, #packed
  while at <= size do
    high = high + 1
    keys[high], values[key], at = key, unpack(">s4", packed, at)
    key = key + 1
  end
  self.high = high
  return key - first
end

local function append_list(self, first, list)
  local keys, values, high = self.keys, self.values, self.high
  for i = 1, #list do
    local key = first + i - 1
    keys[high + i], values[key] = key, list[i]
  end
  self.high = high + #list
  return #list
end

function Bucket:append(first, values)
  if self.high >= self.low and self.keys[self.high] >= first then
    raise("not_ascending", "append: the first key is not past the bucket's last")
  end
  local last = first - 1
  note_undo(self, function() remove(self, first, last) end)
  local count = (type(values) == "string" and append_packed or append_list)(self, first, values)
  last = first + count - 1
  return count
end

function Bucket:records(layout, from, to, bytes_max)
  local columns, count = {}, 0
  local left = bytes_max or math.maxinteger
  for key = from, to do
    local value = self.values[key]
    if value == nil then return count, self:columns(layout, columns, "is missing") end
    local fields = table.pack(store.unpack_record(layout, key, value))
    if fields[1] == nil then return count, self:columns(layout, columns, fields[2]) end
    left = left - #fields[fields.n]
    if left < 0 and count > 0 then break end
    count = count + 1
    for i = 1, fields.n do
      columns[i] = columns[i] or {}
      columns[i][count] = fields[i]
    end
  end
  return count, self:columns(layout, columns, nil)
end

-- The columns one by one, also where there is no row, and what is wrong behind them.
function Bucket.columns(_, layout, columns, fault)
  local n = 0
  for name, kind in layout:gmatch("([^ :]*):([^ ])") do
    if name ~= "" and kind ~= "C" then
      n = n + 1
      columns[n] = columns[n] or {}
    end
  end
  columns[n + 1] = fault
  return table.unpack(columns, 1, n + 1)
end

function Bucket:each(options)
  options = options or {}
  local prefix, left = options.prefix, options.limit or math.maxinteger
  local from, to = options.from, options.to
  local function is_in(key)
    return (from == nil or key >= from) and (to == nil or key <= to)
      and (prefix == nil or key:sub(1, #prefix) == prefix)
  end
  -- A walk over what was there when it began, without what was deleted on the way.
  local chosen = {}
  for at = prefix and find(self, prefix) or from and find(self, from) or self.low, self.high do
    local key = self.keys[at]
    if is_in(key) then
      chosen[#chosen + 1] = key
    elseif #chosen > 0 then
      break
    end
  end
  local at, step = options.reverse and #chosen + 1 or 0, options.reverse and -1 or 1
  return function()
    repeat
      at = at + step
    until chosen[at] == nil or self.values[chosen[at]] ~= nil
    left = left - 1
    if left < 0 or chosen[at] == nil then return nil end
    return chosen[at], self.values[chosen[at]]
  end
end

function Bucket:count()
  return self.high - self.low + 1
end

function Bucket:sequence()
  return self.number
end

function Bucket:next_sequence()
  local old = self.number
  note_undo(self, function() self.number = old end)
  self.number = old + 1
  return self.number
end

---------------------------------------------------------------------------------------------------
-- Cursors

local Cursor = { __name = "jangada.memory.Cursor" }
Cursor.__index = Cursor
Cursor.__close = function() end

function Bucket:cursor()
  return setmetatable({ owner = self, key = nil }, Cursor)
end

local function stand(self, at)
  local key = self.owner.keys[at]
  if key == nil then return nil end
  self.key = key
  return key, self.owner.values[key]
end

function Cursor:first()
  return stand(self, self.owner.low)
end

function Cursor:last()
  return stand(self, self.owner.high)
end

function Cursor:seek(key)
  return stand(self, find(self.owner, key))
end

function Cursor:next()
  local at = self.key ~= nil and find(self.owner, self.key)
  if not at then return nil end
  return stand(self, self.owner.keys[at] == self.key and at + 1 or at)
end

---------------------------------------------------------------------------------------------------
-- Buckets in buckets, and in the transaction

local function create(children, db, name, options)
  if children[name] then raise("bucket_exists", "create_bucket: '%s' exists", name) end
  local made = new_bucket(db, name, options ~= nil and options.keys == "integer")
  note_undo(made, function() children[name] = nil end)
  children[name] = made
  return made
end

local function ensure(children, db, name, options)
  local found = children[name]
  if not found then return create(children, db, name, options) end
  if options and options.keys == "integer" and not found.is_integer then
    raise("incompatible", "ensure_bucket: '%s' exists and its keys are strings", name)
  end
  return found
end

local function delete(children, db, name)
  local old = children[name]
  if not old then raise("bucket_not_found", "delete_bucket: there is no '%s'", name) end
  note_undo({ db = db }, function() children[name] = old end)
  children[name] = nil
end

function Bucket:bucket(name) return self.children[name] end
function Bucket:create_bucket(name, options)
  return create(self.children, self.db, name, options)
end
function Bucket:ensure_bucket(name, options)
  return ensure(self.children, self.db, name, options)
end
function Bucket:delete_bucket(name) delete(self.children, self.db, name) end
function Bucket:name() return self.own_name end

local Tx = { __name = "jangada.memory.Tx" }
Tx.__index = Tx

function Tx:bucket(name) return self.owner.children[name] end
function Tx:create_bucket(name, options)
  return create(self.owner.children, self.owner, name, options)
end
function Tx:ensure_bucket(name, options)
  return ensure(self.owner.children, self.owner, name, options)
end
function Tx:delete_bucket(name) delete(self.owner.children, self.owner, name) end
function Tx:is_writable() return self.undo ~= nil end
function Tx:db() return self.owner end

function Tx:on_rollback(fn)
  if not self.undo then raise("tx_not_writable", "on_rollback: it is a read transaction") end
  self.handlers[#self.handlers + 1] = fn
end

-- Undoes what was done since a mark, and tells who wants to know.
local function roll_back(self, undone, told)
  for i = #self.undo, undone + 1, -1 do
    self.undo[i]()
    self.undo[i] = nil
  end
  local handlers = table.move(self.handlers, told + 1, #self.handlers, 1, {})
  for i = #self.handlers, told + 1, -1 do self.handlers[i] = nil end
  return handlers
end

local function run(handlers)
  for _, handler in ipairs(handlers) do handler() end
end

function Tx:savepoint(fn, ...)
  local undone, told = #self.undo, #self.handlers
  local results = table.pack(pcall(fn, self, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  run(roll_back(self, undone, told))
  error(results[2], 0)
end

local function finish(self)
  if self.owner.tx ~= self then raise("tx_closed", "the transaction has ended") end
  self.owner.tx = nil
end

function Tx:commit()
  finish(self)
end

function Tx:rollback()
  local handlers = roll_back(self, 0, 0)
  finish(self)
  run(handlers)
end

function Tx:__close()
  if self.owner.tx == self then self:rollback() end
end

---------------------------------------------------------------------------------------------------
-- The DB

local DB = { __name = "jangada.memory.DB" }
DB.__index = DB

function DB:begin(kind)
  if kind ~= "write" then return setmetatable({ owner = self }, Tx) end
  if self.tx then raise("write_tx_active", "a write transaction of this DB is open already") end
  self.tx = setmetatable({ owner = self, undo = {}, handlers = {} }, Tx)
  return self.tx
end

function DB:write_tx()
  return self.tx
end

function DB:view(fn, ...)
  return fn(self:begin("read"), ...)
end

function DB:update(fn, ...)
  local tx <close> = self:begin("write")
  local results = table.pack(fn(tx, ...))
  tx:commit()
  return table.unpack(results, 1, results.n)
end

function DB:close()
  if self.tx then self.tx:rollback() end
end

--- A new, empty store in memory.
---@return table db
function memory.open()
  return setmetatable({ tx = nil, children = {} }, DB)
end

return memory
