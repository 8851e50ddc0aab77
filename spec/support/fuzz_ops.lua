-- The operations of the fuzzer (fuzz.lua): random calls of all methods of the handles of a world,
-- each compared with the model's answer (model.lua).
local errors = require "jangada.errors"
local model = require "spec.support.model"
local store = require "jangada.store"

local ops = {}

local magic = "\x8aJangada\r\n\x1a\n\xf3\x5c\xb9\x27"
local random = math.random
local names = { "a", "b", "c", "d", "a\0", "a\0b", "\1t", "\255", ("n"):rep(502), ("n"):rep(503) }
local integers = { 0, 1, 2, 3, 4, 255, 256, 1 << 32, math.maxinteger - 1, math.maxinteger }
local UNDO = setmetatable({}, { __tostring = function() return "undone on purpose" end })

local function pick(list) return #list > 0 and list[random(#list)] or nil end
local function chance(percent) return random(100) <= percent end

-- Of the handles, mostly an open one, and mostly one that can write.
local function pick_handle(list)
  local item
  for _ = 1, 5 do
    item = pick(list)
    if not item then return nil end
    local m = item.m
    local tx = m.tx or m.bucket and m.bucket.tx or m
    if tx.open and not m.closed and (tx.writable or chance(30)) or chance(15) then break end
  end
  return item
end

-- ---- random arguments -----------------------------------------------------------------------

local function some_name()
  if chance(2) then return pick{ "", ("n"):rep(504) } end
  return pick(names)
end

local function some_key(bucket)
  local node = model.node_of(bucket)
  local integer = node and node.integer
  if chance(2) then integer = not integer end
  if chance(2) then return pick{ "", ("k"):rep(504), -1, ("k"):rep(511) } end
  if integer then return chance(70) and random(0, 40) or pick(integers) end
  return chance(30) and pick(names) or ("k%02d"):format(random(0, 40))
end

local function some_value()
  if chance(2) then return pick{ magic, magic .. "P" .. ("\0"):rep(17), magic .. "L" } end
  local size = chance(95) and random(0, 60) or random(0, 9000)
  if random(200) == 1 then size = 1 << 16 end -- more than a small journal holds
  return string.char(random(33, 126)):rep(size)
end

local function maybe(percent, value)
  if chance(percent) then return value end
  return nil
end

local function append_arguments(bucket)
  local node = model.node_of(bucket)
  local order = node and model.order(node) or {}
  local last, n, keys, values = order[#order], random(0, 6), {}, {}
  for i = 1, n do
    if node and node.integer then
      keys[i] = math.type(last) == "integer" and last < 1 << 40 and last + i or i
    else
      keys[i] = ("%s%02d"):format(#(last or "") < 400 and last or "z", i)
    end
    values[i] = some_value()
  end
  if chance(5) and n > 0 then keys[random(n)] = some_key(bucket) end
  return keys, values
end

local arguments = { -- of the methods, by name
  get = some_key,
  put = function(bucket) return some_key(bucket), some_value() end,
  delete = some_key,
  delete_range = function(bucket)
    return maybe(80, some_key(bucket)), maybe(80, some_key(bucket))
  end,
  append = append_arguments,
  set_sequence = function() return pick{ 0, 1, 7, math.maxinteger, -1 } end,
  bucket = some_name, delete_bucket = some_name,
  create_bucket = function()
    return some_name(), { keys = maybe(30, "integer"), tree = maybe(30, chance(50)) }
  end,
  each = function(bucket)
    return { from = maybe(40, some_key(bucket)), to = maybe(40, some_key(bucket)),
      reverse = maybe(40, true), limit = maybe(20, random(0, 5)),
      prefix = maybe(20, pick{ "k", "k1", "a", "\255", "" }) }
  end,
  seek = function(cursor) return some_key(cursor.bucket) end,
}
arguments.ensure_bucket = arguments.create_bucket

local bucket_methods = { "get", "get", "put", "put", "put", "put", "put", "delete", "delete_range",
  "append", "count", "sequence", "set_sequence", "next_sequence", "cursor", "each", "bucket",
  "create_bucket", "ensure_bucket", "delete_bucket", "move_bucket", "buckets" }
local cursor_methods = { "first", "last", "next", "next", "prev", "prev", "seek", "delete" }
local tx_methods = { "bucket", "bucket", "bucket", "ensure_bucket", "create_bucket",
  "delete_bucket", "move_bucket", "buckets" }

-- ---- comparing -------------------------------------------------------------------------------

local function show(value)
  if type(value) == "string" then
    return #value > 40 and ("%q... (%d)"):format(value:sub(1, 20), #value) or ("%q"):format(value)
  elseif type(value) ~= "table" then
    return tostring(value)
  elseif value.code then
    return "raises " .. value.code
  end
  local parts = {}
  for k, v in pairs(value) do
    parts[#parts + 1] = type(v) ~= "table" and ("%s=%s"):format(k, show(v)) or k .. "={}"
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function mismatch(what, ...)
  error({ mismatch = what:format(...) }, 0)
end

local function code_of(raised)
  if errors.is(raised) then return raised.code end
  if type(raised) == "string" and raised:find("bad argument", 1, true) then return "argument" end
  return tostring(raised)
end

--- Counts what a run has met.
function ops.mark(world, what)
  world.met[what] = (world.met[what] or 0) + 1
end

--- May a call raise this, though the model knows no reason? The model does not count pages, and
--- on a disk that fails on purpose (world.fails) nobody knows which call it is that fails.
function ops.is_lawful(world, raised)
  local code = code_of(raised)
  local is_lawful = code == "map_full" or code == "trees_full" or code == "no_space" and world.full
    or world.fails and (code == "poisoned" or code == "io_error" or code == "no_space")
  if is_lawful then ops.mark(world, code) end
  if is_lawful and world.fails then -- the cause may come first, and that it poisoned the DB later
    local ok, now = pcall(world.db.info, world.db)
    world.poisoned = not ok and code_of(now) == "poisoned"
  end
  return is_lawful
end

-- Calls the model and the store; both must return, or raise, the same. Returns what they return.
local function compare(world, what, expect, call)
  local wanted = table.pack(pcall(expect))
  if not wanted[1] and not wanted[2].code then error(wanted[2], 0) end
  local got = table.pack(pcall(call))
  world.steps = world.steps + 1
  if not got[1] then
    local code = code_of(got[2])
    if wanted[1] and ops.is_lawful(world, got[2]) then
      world.failed = true -- what is open is undone
      error(UNDO, 0)
    end
    if wanted[1] or wanted[2].code ~= code then
      mismatch("%s: raises %s, and should give %s", what, tostring(got[2]), show(wanted[2]))
    end
    return nil
  end
  if not wanted[1] then
    mismatch("%s: gives %s, and should raise %s", what, show(got[2]), wanted[2].code)
  end
  return wanted, got
end

local function same(what, wanted, got)
  for i = 2, math.max(wanted.n, got.n) do
    if wanted[i] ~= got[i] then
      mismatch("%s: result %d is %s, and should be %s", what, i - 1, show(got[i]), show(wanted[i]))
    end
  end
end

--- All that a transaction sees, in the form of model.write.
local function write(subject, into)
  local is_tx = subject.commit ~= nil
  local integer = not is_tx and (pcall(subject.get, subject, 0))
  into[#into + 1] = ("{%s %d"):format(integer and "i" or "s", is_tx and 0 or subject:sequence())
  if is_tx then
    for name, b in subject:buckets() do
      into[#into + 1] = ("%q"):format(name)
      write(b, into)
    end
  else
    for key, value in subject:each() do
      into[#into + 1] = type(key) == "string" and ("%q"):format(key) or tostring(key)
      if value then into[#into + 1] = "=" .. value else write(subject:bucket(key), into) end
    end
  end
  into[#into + 1] = "}"
  return into
end

local function read_items(bucket, node)
  node.integer, node.sequence = (pcall(bucket.get, bucket, 0)), bucket:sequence()
  for key, value in bucket:each() do
    node.items[key] = value or read_items(bucket:bucket(key), model.node())
  end
  return node
end

--- The model of what a transaction sees: to go on with a file that another process left.
---@param tx jangada.Tx
---@return table node
function ops.read(tx)
  local node = model.node()
  for name, bucket in tx:buckets() do
    node.items[name] = read_items(bucket, model.node())
  end
  return node
end

function ops.digest(text_or_tx)
  local text = text_or_tx
  if type(text) ~= "string" then text = table.concat(write(text_or_tx, {}), "\n") end
  return ("%08x.%d"):format(store.crc32c(text), #text), text
end

local function check_all(what, tx)
  local wanted, got = model.write(tx.m.root), select(2, ops.digest(tx.h))
  if wanted == got then return end
  local at = 1
  while wanted:byte(at) == got:byte(at) do at = at + 1 end
  mismatch("%s: holds ...%q, and should hold ...%q", what, got:sub(at - 20, at + 60),
    wanted:sub(at - 20, at + 60))
end

-- ---- handles: {m = model, h = the store's} -----------------------------------------------------

local function register(world, tx, parent, name, node, h)
  local known = world.known[h]
  if known then
    if model.node_of(known.m) ~= node then
      mismatch("bucket %q: gives a handle of another bucket", name)
    end
    return
  end
  known = { h = h, m = { tx = tx, parent = parent, name = name, uid = node.uid, closed = false } }
  world.known[h] = known
  world.buckets[#world.buckets + 1] = known
end

-- Handles whose buckets are gone, by a delete or an undo, are closed for good.
local function close_lost(world, tx)
  for _, known in pairs(world.known) do
    if known.m.tx == tx and not known.m.closed and not model.node_of(known.m) then
      known.m.closed = true
      local ok, raised = pcall(known.h.count, known.h)
      if not world.failed and not world.poisoned
        and (ok or not errors.is(raised, "bucket_closed")) then
        mismatch("bucket %q: lost, but gives %s", known.m.name, tostring(raised))
      end
    end
  end
end

local function follow_move(world, tx, parent, name, to)
  for _, known in pairs(world.known) do
    local m = known.m
    if m.tx == tx and not m.closed and m.parent == parent and m.name == name then m.parent = to end
  end
end

-- One method of a Tx or Bucket on both sides.
local function call_method(world, class, subject, method)
  local m, h = subject.m, subject.h
  local tx, parent = m.tx or m, m.tx and m
  local args = table.pack((arguments[method] or function() end)(m))
  local model_args, real_args = args, args
  if method == "move_bucket" then
    local to = chance(80) and pick_handle(world.buckets) or pick_handle(world.txs) or subject
    local name = some_name()
    model_args, real_args = { n = 2, name, to.m }, { n = 2, name, to.h }
  end
  local what = ("%s:%s(%s, %s)"):format(m.name or "tx", method, show(args[1]), show(args[2]))
  local done, wanted, got = pcall(compare, world, what, function()
    return model[class][method](m, table.unpack(model_args, 1, model_args.n))
  end, function()
    return h[method](h, table.unpack(real_args, 1, real_args.n))
  end)
  if not done then
    -- A delete closes the handles first; that nothing is deleted then does not open them again.
    if method == "delete_bucket" and wanted == UNDO then close_lost(world, tx) end
    error(wanted, 0)
  end
  if not wanted then return end
  local result = wanted[2]
  if method == "cursor" then
    table.insert(world.cursors, { m = result, h = got[2] })
  elseif method == "each" then
    table.insert(world.eaches, { m = result, h = got[3], step = got[2] })
  elseif method == "buckets" then
    local at, node = 0, parent and model.node_of(parent) or tx.root
    for name, b in got[2] do
      at = at + 1
      if result[at] ~= name then mismatch("%s: gives %q", what, name) end
      register(world, tx, parent, name, node.items[name], b)
    end
    if result[at + 1] then mismatch("%s: ends before %q", what, result[at + 1]) end
  elseif type(result) == "table" then
    if not got[2] then mismatch("%s: gives nil", what) end
    register(world, tx, parent, real_args[1], result, got[2])
  else
    same(what, wanted, got)
    if method == "delete_bucket" then close_lost(world, tx) end
    if method == "move_bucket" then
      local to = model_args[2]
      follow_move(world, tx, parent or nil, real_args[1], to.tx and to)
    end
  end
end

ops.chance, ops.compare, ops.mismatch = chance, compare, mismatch
ops.check_all, ops.close_lost, ops.UNDO = check_all, close_lost, UNDO

--- One operation on a random bucket, cursor, iteration or transaction, open or not.
function ops.handle_step(world)
  local dice = random(100)
  if dice <= 60 and #world.buckets > 0 then
    call_method(world, "bucket", pick_handle(world.buckets), pick(bucket_methods))
  elseif dice <= 75 and #world.cursors > 0 then
    local cursor, method = pick_handle(world.cursors), pick(cursor_methods)
    local key = method == "seek" and some_key(cursor.m.bucket) or nil
    local what = ("cursor:%s(%s)"):format(method, show(key))
    local wanted, got = compare(world, what, function()
      return model.cursor[method](cursor.m, key)
    end, function() return cursor.h[method](cursor.h, key) end)
    if wanted then same(what, wanted, got) end
  elseif dice <= 85 and #world.eaches > 0 then
    local each = pick_handle(world.eaches)
    local wanted, got = compare(world, "each: step", function() return model.step(each.m) end,
      function() return each.step(each.h) end)
    if wanted then same("each: step", wanted, got) end
  elseif #world.txs > 0 then
    call_method(world, "tx", pick_handle(world.txs), pick(tx_methods))
  end
end

return ops
