-- A fuzzer of the store: random operations on all handles, stale ones too, compared one by one
-- with a model (model.lua). The verdicts: no signal, no hang, equal to the model. A program:
--
--   lua5.4 spec/support/fuzz.lua --seconds N --seed S [--file PATH] [--acknowledge] [--resume]
--
-- With --acknowledge each commit is flushed, and prints "pending DIGEST" before and "committed
-- DIGEST" after, DIGEST being that of all that is then committed: whoever kills the process must
-- find one of the last two in the file. With --resume it goes on with the file as it is; with
-- --digest FILE it checks a file and prints the digest of it.
local errors = require "jangada.errors"
local model = require "spec.support.model"
local ops = require "spec.support.fuzz_ops"
local store = require "jangada.store"

local chance, mismatch, UNDO = ops.chance, ops.mismatch, ops.UNDO
local items_max = 1500 -- more, and each check of all takes too long

-- ---- transactions -----------------------------------------------------------------------------

local function new_tx(world, h, writable, managed)
  local root = writable and model.copy(world.committed) or world.committed
  local tx = { h = h, m = { root = root, writable = writable, managed = managed, open = true,
    level = 1, handlers = {} } }
  if writable then world.writer = tx end
  table.insert(world.txs, tx)
  return tx
end

-- Handlers that were registered after the first `from`: those of one kind must have run, in order.
local function check_handlers(world, tx, kind, from)
  local expected = {}
  for i = from + 1, #tx.m.handlers do
    if tx.m.handlers[i].kind == kind then expected[#expected + 1] = tx.m.handlers[i].id end
    tx.m.handlers[i] = nil
  end
  local wanted, got = table.concat(expected, " "), table.concat(world.fired, " ")
  world.fired = {}
  if wanted ~= got then mismatch("%s handlers: ran %s, not %s", kind, got, wanted) end
end

local function ended(world, tx, committed)
  tx.m.open = false
  if not tx.m.writable then return end
  world.writer = nil
  if committed then world.committed = tx.m.root end
  check_handlers(world, tx, committed and "on_commit" or "on_rollback", 0)
  if committed and world.acknowledge then print("committed " .. world.pending) end
end

local function announce(world, tx)
  if not world.acknowledge then return end
  world.pending = ops.digest(model.write(tx.m.root))
  print("pending " .. world.pending)
end

local function register_handler(world)
  local tx = world.txs[math.random(#world.txs)]
  if not tx then return end
  local kind = chance(50) and "on_commit" or "on_rollback"
  world.handler = world.handler + 1
  local id = world.handler
  ops.compare(world, "tx:" .. kind, function()
    if not tx.m.open then error({ code = "tx_closed" }, 0) end
    if not tx.m.writable then error({ code = "tx_not_writable" }, 0) end
    table.insert(tx.m.handlers, { kind = kind, id = id })
  end, function() tx.h[kind](tx.h, function() table.insert(world.fired, id) end) end)
end

local function is_full(raised)
  return errors.is(raised, "map_full") or errors.is(raised, "tx_failed")
end

local function end_tx(world, tx, method)
  local m = tx.m
  local will_commit = m.open and not m.managed and m.level == 1 and m.writable
  if method == "commit" and will_commit then announce(world, tx) end
  local ok, raised = pcall(tx.h[method], tx.h)
  local code = not m.open and "tx_closed" or m.managed and "tx_managed"
    or m.level > 1 and "savepoint_active" or method == "commit" and not m.writable
    and "tx_not_writable" or nil
  if ok then
    if code then mismatch("%s: succeeds, and should raise %s", method, code) end
    ended(world, tx, method == "commit")
  elseif code then
    if not errors.is(raised, code) then
      mismatch("%s: %s, not %s", method, tostring(raised), code)
    end
  elseif method == "commit" and is_full(raised) then
    ended(world, tx, false)
  else
    mismatch("%s: raises %s", method, tostring(raised))
  end
end

local steps -- below

-- Steps in a savepoint of a writing transaction, kept or undone.
local function savepoint(world, depth)
  local tx = world.writer
  if not tx then return end
  local m, saved, handlers = tx.m, tx.m.root, #tx.m.handlers
  m.root, m.level = model.copy(saved), m.level + 1
  local ok, raised = pcall(tx.h.savepoint, tx.h, function()
    steps(world, math.random(30), depth + 1)
    if chance(40) then error(UNDO, 0) end
  end)
  m.level = m.level - 1
  if ok then return end
  if raised ~= UNDO then error(raised, 0) end
  m.root, world.failed = saved, false
  check_handlers(world, tx, "on_rollback", handlers)
  ops.close_lost(world, m)
end

local function check_refused(what, _, raised)
  if not errors.is(raised, "write_tx_active") then
    mismatch("%s within a write transaction: %s", what, tostring(raised))
  end
end

local function managed(world, kind, depth)
  if kind == "update" and world.writer then
    return check_refused("update", pcall(world.db.update, world.db, print))
  end
  local tx
  local ok, raised = pcall(world.db[kind], world.db, function(h)
    tx = new_tx(world, h, kind == "update", true)
    steps(world, math.random(40), depth + 1)
    if chance(20) then error(UNDO, 0) end
    if kind == "update" then announce(world, tx) end
  end)
  if not ok and raised ~= UNDO and not is_full(raised) then error(raised, 0) end
  ended(world, tx, ok)
  if kind == "update" then world.failed = false end
  if world.failed then error(UNDO, 0) end -- a write transaction around it
end

local function begin(world, kind)
  if kind == "write" and world.writer then
    return check_refused("begin", pcall(world.db.begin, world.db, "write"))
  end
  local open = 0
  for _, tx in ipairs(world.txs) do open = open + (tx.m.open and 1 or 0) end
  if open < 5 then new_tx(world, world.db:begin(kind), kind == "write", false) end
end

-- ---- the file -----------------------------------------------------------------------------------

local function open(world)
  world.db = assert(store.open(world.path, {
    durability = world.acknowledge and "commit" or "none", trees_max = 400,
    size_max = world.full and 1 << 18 or nil,
  }))
end

local function check_committed(world, what)
  local tx = { m = { root = world.committed } }
  world.db:view(function(h)
    tx.h = h
    ops.check_all(what, tx)
  end)
end

local function reopen(world)
  local any = false
  for _, tx in ipairs(world.txs) do any = any or tx.m.open end
  local ok, raised = pcall(world.db.close, world.db)
  if ok == any or (not ok and not errors.is(raised, "tx_open")) then
    mismatch("close: %s", tostring(raised))
  end
  world.db:close{ force = true }
  for _, tx in ipairs(world.txs) do
    if tx.m.open then ended(world, tx, false) end
  end
  open(world)
  check_committed(world, "reopened")
  local clean, findings = world.db:check()
  if not clean then mismatch("check: %s %s", findings[1].code, findings[1].message) end
end

-- Forgets handles, so that the collector finds some.
local function forget(world)
  for _, list in ipairs{ world.buckets, world.cursors, world.eaches, world.txs } do
    for i = #list, 1, -1 do
      local item = list[i]
      local live = list == world.txs and item.m.open
      if not live and (chance(30) or #list > 60) then
        list[i] = list[#list]
        list[#list] = nil
      end
    end
  end
  if chance(20) then collectgarbage() end
end

local function check_open(world)
  for _, tx in ipairs(world.txs) do
    if tx.m.open then ops.check_all("transaction", tx) end
  end
  -- The file must not grow without end: a bucket of the top level goes when there is much.
  local _, items = model.write(world.committed):gsub("\n", "")
  if items > items_max and not world.writer and chance(80) then
    local names = model.order(world.committed)
    local name = names[math.random(#names)]
    world.db:update(function(h)
      local tx = new_tx(world, h, true, true)
      h:delete_bucket(name)
      model.tx.delete_bucket(tx.m, name)
      announce(world, tx)
    end)
    ended(world, world.writer, true)
  end
end

-- ---- the run ----------------------------------------------------------------------------------

local function step(world, depth)
  if not world.writer and depth == 0 and chance(4) then
    if chance(50) then begin(world, "write") else managed(world, "update", 0) end
    return
  end
  local dice = math.random(1000)
  if dice <= 930 then
    ops.handle_step(world)
  elseif dice <= 940 then
    register_handler(world)
  elseif dice <= 955 then
    if depth < 3 then savepoint(world, depth) end
  elseif dice <= 965 then
    if depth < 3 then managed(world, chance(70) and "update" or "view", depth) end
  elseif dice <= 972 then
    begin(world, chance(65) and "write" or "read")
  elseif dice <= 985 then
    local tx = world.txs[math.random(#world.txs)]
    if tx then end_tx(world, tx, chance(60) and "commit" or "rollback") end
  elseif dice <= 996 then
    forget(world)
  elseif depth == 0 then
    if chance(50) then check_open(world) else reopen(world) end
  end
end

function steps(world, n, depth)
  for _ = 1, n do
    local ok, raised = pcall(step, world, depth)
    if not ok then
      -- UNDO must undo what is open: a savepoint or managed function by passing on, else here.
      if raised ~= UNDO or depth > 0 then error(raised, 0) end
      if world.writer then end_tx(world, world.writer, "rollback") end
      world.failed = false
    end
  end
end

local fuzz = {}

--- Runs for some seconds; raises when the store and the model differ.
---@param options {seconds: number, seed: integer, path: string, acknowledge: boolean?,
---resume: boolean?}
---@return integer steps how many operations were compared
function fuzz.run(options)
  math.randomseed(options.seed)
  local world = {
    path = options.path, acknowledge = options.acknowledge, full = options.seed % 4 == 3,
    txs = {}, buckets = {}, cursors = {}, eaches = {}, known = setmetatable({}, { __mode = "k" }),
    committed = model.node(), fired = {}, handler = 0, steps = 0,
  }
  open(world)
  if options.resume then world.committed = world.db:view(ops.read) end
  local deadline = os.clock() + options.seconds
  repeat
    local ok, raised = pcall(steps, world, 200, 0)
    if not ok then
      local text = type(raised) == "table" and raised.mismatch or tostring(raised)
      error(("seed %d, after %d operations: %s"):format(options.seed, world.steps, text), 0)
    end
  until os.clock() > deadline
  reopen(world)
  world.db:close()
  return world.steps
end

local function main(...)
  local options, list = { seconds = 10, seed = os.time() }, { ... }
  local i = 1
  while list[i] do
    local name = list[i]:match("^%-%-(%a+)$") or error("unknown argument: " .. list[i], 0)
    local is_flag = name == "acknowledge" or name == "resume"
    options[name] = is_flag or list[i + 1]
    i = i + (is_flag and 1 or 2)
  end
  io.stdout:setvbuf("line")
  if options.digest then
    local db <close> = assert(store.open(options.digest, { lock_timeout_ms = 10000 }))
    assert(db:check())
    return print((db:view(ops.digest)))
  end
  options.seconds, options.seed = tonumber(options.seconds), math.tointeger(options.seed)
  options.path = options.file or os.tmpname()
  if not options.file then os.remove(options.path) end
  local count = fuzz.run(options)
  print(("seed %d: %d operations, all as the model says"):format(options.seed, count))
  if not options.file then os.remove(options.path) os.remove(options.path .. "-lock") end
end

if arg and arg[0] and arg[0]:find("fuzz.lua", 1, true) then
  local ok, message = pcall(main, ...)
  if not ok then
    io.stderr:write(tostring(message), "\n")
    os.exit(1)
  end
end

return fuzz
