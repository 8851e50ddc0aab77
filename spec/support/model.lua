-- What a store is, in plain Lua tables: the model that the fuzzer compares the real one with.
--
--   node    {uid, items = {key -> string or node}, integer, sequence}     a bucket's content
--   tx      {root = node, writable, open, managed, level, handlers}
--   bucket  {tx, parent = bucket or nil, name, uid, closed}               a handle
--   cursor  {bucket, place = "unset"|"on"|"past"|"deleted", key, closed}
--
-- The functions mirror the methods of the store: they return what those must return, or raise
-- {code = ...} where those must raise that code ("argument": Lua's own argument error).
local model = { tx = {}, bucket = {}, cursor = {} }

local KEY_SIZE_MAX = 503

local uids = 0

function model.node(integer)
  uids = uids + 1
  return { uid = uids, items = {}, integer = integer or false, sequence = 0 }
end

--- A deep copy: what a transaction or savepoint works on. Nodes keep their uid.
function model.copy(node)
  local items = {}
  for key, item in pairs(node.items) do
    items[key] = type(item) == "table" and model.copy(item) or item
  end
  return { uid = node.uid, items = items, integer = node.integer, sequence = node.sequence,
    order = node.order }
end

--- The keys in order; kept until the node's keys change. Nobody may change the list.
function model.order(node)
  if not node.order then
    local order = {}
    for key in pairs(node.items) do order[#order + 1] = key end
    table.sort(order)
    node.order = order
  end
  return node.order
end

--- All of a node as one string.
function model.write(node, into)
  local list = into or {}
  list[#list + 1] = ("{%s %d"):format(node.integer and "i" or "s", node.sequence)
  for _, key in ipairs(model.order(node)) do
    local item = node.items[key]
    list[#list + 1] = type(key) == "string" and ("%q"):format(key) or tostring(key)
    if type(item) == "table" then model.write(item, list) else list[#list + 1] = "=" .. item end
  end
  list[#list + 1] = "}"
  return not into and table.concat(list, "\n") or nil
end

local function fail(code) error({ code = code }, 0) end

local function set(node, key, item)
  if (node.items[key] == nil) ~= (item == nil) then node.order = nil end
  node.items[key] = item
end

-- ---- checks -------------------------------------------------------------------------------

local function check_tx(tx)
  if not tx.open then fail "tx_closed" end
end

--- The node that a bucket handle leads to, or nil when it leads nowhere.
function model.node_of(bucket)
  if bucket.closed then return nil end
  local up = bucket.tx.root
  if bucket.parent then up = model.node_of(bucket.parent) end
  local node = up and up.items[bucket.name]
  return type(node) == "table" and node.uid == bucket.uid and node or nil
end

local function check_bucket(bucket)
  check_tx(bucket.tx)
  local node = model.node_of(bucket)
  if not node then fail "bucket_closed" end
  return node
end

local function check_writable(tx)
  if not tx.writable then fail "tx_not_writable" end
end

local function check_bound(node, key)
  if node.integer then
    if math.type(key) ~= "integer" then fail "argument" end
    if key < 0 then fail "key_out_of_range" end
  else
    if type(key) ~= "string" then fail "argument" end
    if #key > KEY_SIZE_MAX then fail "key_too_large" end
  end
  return key
end

local function check_key(node, key)
  check_bound(node, key)
  if key == "" then fail "key_required" end
end

local function check_name(name)
  if type(name) ~= "string" then fail "argument" end
  if name == "" then fail "bucket_name_required" end
  if #name > KEY_SIZE_MAX then fail "key_too_large" end
end

-- ---- what transactions and buckets share: the buckets in them --------------------------------

-- The node that `subject`, a tx or a bucket, stands for; its tx; itself, if it is a bucket.
local function resolve(subject)
  if subject.tx then return check_bucket(subject), subject.tx, subject end
  check_tx(subject)
  return subject.root, subject, nil
end

local both = {}

function both.bucket(subject, name)
  local node = resolve(subject)
  if type(name) ~= "string" then fail "argument" end
  local item = node.items[name]
  return type(item) == "table" and item or nil
end

local function create(subject, name, options, ensure)
  local node, tx = resolve(subject)
  check_name(name)
  local integer = options ~= nil and options.keys == "integer"
  check_writable(tx)
  if node.integer then fail "incompatible" end
  local item = node.items[name]
  if type(item) == "string" then fail "incompatible" end
  if item then
    if not ensure then fail "bucket_exists" end
    if integer and not item.integer then fail "incompatible" end
    return item
  end
  item = model.node(integer)
  set(node, name, item)
  return item
end

function both.create_bucket(subject, name, options)
  return create(subject, name, options, false)
end

function both.ensure_bucket(subject, name, options)
  return create(subject, name, options, true)
end

function both.delete_bucket(subject, name)
  local node, tx = resolve(subject)
  check_name(name)
  check_writable(tx)
  local item = not node.integer and node.items[name] or nil
  if not item then fail "bucket_not_found" end
  if type(item) == "string" then fail "incompatible" end
  set(node, name, nil)
end

function both.move_bucket(subject, name, destination)
  local node, tx = resolve(subject)
  local to, to_tx, to_bucket = resolve(destination)
  check_writable(tx)
  check_writable(to_tx)
  if tx ~= to_tx then fail "different_tx" end
  check_name(name)
  local item = not node.integer and node.items[name] or nil
  if not item then fail "bucket_not_found" end
  if type(item) == "string" then fail "incompatible" end
  if to == node then fail "same_bucket" end
  while to_bucket do
    if model.node_of(to_bucket) == item then fail "bucket_cycle" end
    to_bucket = to_bucket.parent
  end
  if to.integer then fail "incompatible" end
  local taken = to.items[name]
  if taken then fail(type(taken) == "table" and "bucket_exists" or "incompatible") end
  set(node, name, nil)
  set(to, name, item)
end

--- The names of the buckets, in order.
function both.buckets(subject)
  local node, names = resolve(subject), {}
  for _, key in ipairs(model.order(node)) do
    if type(node.items[key]) == "table" then names[#names + 1] = key end
  end
  return names
end

for name, method in pairs(both) do
  model.tx[name], model.bucket[name] = method, method
end

-- ---- items ---------------------------------------------------------------------------------

local function value_of(item)
  if type(item) == "table" then return nil end -- a bucket
  return item
end

function model.bucket.get(bucket, key)
  local node = check_bucket(bucket)
  check_bound(node, key)
  return value_of(node.items[key])
end

function model.bucket.put(bucket, key, value)
  local node = check_bucket(bucket)
  check_writable(bucket.tx)
  check_key(node, key)
  if type(value) ~= "string" then fail "argument" end
  if type(node.items[key]) == "table" then fail "incompatible" end
  set(node, key, value)
end

function model.bucket.delete(bucket, key)
  local node = check_bucket(bucket)
  check_writable(bucket.tx)
  check_key(node, key)
  if type(node.items[key]) == "table" then fail "incompatible" end
  local was = node.items[key] ~= nil
  set(node, key, nil)
  return was
end

function model.bucket.delete_range(bucket, from, to)
  local node = check_bucket(bucket)
  check_writable(bucket.tx)
  if from ~= nil then check_bound(node, from) end
  if to ~= nil then check_bound(node, to) end
  local doomed = {}
  for _, key in ipairs(model.order(node)) do
    if (from == nil or key >= from) and (to == nil or key <= to) then
      if type(node.items[key]) == "table" then fail "incompatible" end
      doomed[#doomed + 1] = key
    end
  end
  for _, key in ipairs(doomed) do set(node, key, nil) end
  return #doomed
end

function model.bucket.append(bucket, keys, values)
  local node = check_bucket(bucket)
  check_writable(bucket.tx)
  if #keys ~= #values then fail "argument" end
  local order = model.order(node)
  local last = order[#order]
  for i, key in ipairs(keys) do
    check_key(node, key)
    if i > 1 and key <= keys[i - 1] then fail "not_ascending" end
    if type(values[i]) ~= "string" then fail "argument" end
  end
  if #keys > 0 and last and keys[1] <= last then fail "not_ascending" end
  for i, key in ipairs(keys) do set(node, key, values[i]) end
  return #keys
end

function model.bucket.count(bucket)
  return #model.order(check_bucket(bucket))
end

function model.bucket.sequence(bucket)
  return check_bucket(bucket).sequence
end

function model.bucket.set_sequence(bucket, n)
  local node = check_bucket(bucket)
  check_writable(bucket.tx)
  if n < 0 then fail "argument" end
  node.sequence = n
end

function model.bucket.next_sequence(bucket)
  local node = check_bucket(bucket)
  check_writable(bucket.tx)
  if node.sequence == math.maxinteger then fail "sequence_overflow" end
  node.sequence = node.sequence + 1
  return node.sequence
end

-- ---- cursors ---------------------------------------------------------------------------------

function model.bucket.cursor(bucket)
  check_bucket(bucket)
  return { bucket = bucket, place = "unset" }
end

-- The place of the first key in the list that is not below `key`; past the list if there is none.
local function lower_bound(order, key)
  local low, high = 1, #order + 1
  while low < high do
    local middle = (low + high) // 2
    if order[middle] < key then low = middle + 1 else high = middle end
  end
  return low
end

local function check_cursor(cursor)
  local node = check_bucket(cursor.bucket)
  if cursor.closed then fail "cursor_closed" end
  return node, model.order(node)
end

local function settle(cursor, node, key, place)
  if key == nil then
    cursor.place = place or cursor.place
    return nil
  end
  cursor.place, cursor.key = "on", key
  return key, value_of(node.items[key])
end

function model.cursor.first(cursor)
  local node, order = check_cursor(cursor)
  return settle(cursor, node, order[1], "unset")
end

function model.cursor.last(cursor)
  local node, order = check_cursor(cursor)
  return settle(cursor, node, order[#order], "unset")
end

function model.cursor.seek(cursor, key)
  local node, order = check_cursor(cursor)
  check_bound(node, key)
  return settle(cursor, node, order[lower_bound(order, key)], "past")
end

function model.cursor.next(cursor)
  local node, order = check_cursor(cursor)
  if cursor.place == "unset" or cursor.place == "past" then return nil end
  local at = lower_bound(order, cursor.key)
  return settle(cursor, node, order[order[at] == cursor.key and at + 1 or at])
end

function model.cursor.prev(cursor)
  local node, order = check_cursor(cursor)
  if cursor.place == "unset" then return nil end
  if cursor.place == "past" then return settle(cursor, node, order[#order]) end
  return settle(cursor, node, order[lower_bound(order, cursor.key) - 1])
end

function model.cursor.delete(cursor)
  local node = check_cursor(cursor)
  check_writable(cursor.bucket.tx)
  if cursor.place ~= "on" then fail "cursor_unpositioned" end
  local item = node.items[cursor.key]
  if item == nil then fail "cursor_unpositioned" end
  if type(item) == "table" then fail "incompatible" end
  set(node, cursor.key, nil)
  cursor.place = "deleted"
end

--- bucket:each(options): a cursor with bounds, for `step`.
function model.bucket.each(bucket, options)
  local node = check_bucket(bucket)
  if options.from ~= nil then check_bound(node, options.from) end
  if options.to ~= nil then check_bound(node, options.to) end
  if options.prefix ~= nil then
    if node.integer then fail "argument" end
    check_bound(node, options.prefix)
  end
  local each = { bucket = bucket, left = options.limit or math.huge }
  for name, value in pairs(options) do each[name] = value end
  return each
end

--- One step of an iteration: the next key past the last one and within all bounds, or its end.
function model.step(each)
  if each.closed or not each.bucket.tx.open then fail "cursor_closed" end
  local node = check_bucket(each.bucket)
  local order = model.order(node)
  local first, last, by = 1, #order, 1
  if each.reverse then first, last, by = last, first, -1 end
  for i = each.left > 0 and first or last + by, last, by do
    local key = order[i]
    if (each.key == nil or (each.reverse and key < each.key or not each.reverse and key > each.key))
      and (each.from == nil or key >= each.from) and (each.to == nil or key <= each.to)
      and (each.prefix == nil or key:sub(1, #each.prefix) == each.prefix) then
      each.key, each.left = key, each.left - 1
      return key, value_of(node.items[key])
    end
  end
  each.closed = true
  return nil
end

return model
