-- A fuzzer of the store: random operations on all handles, stale ones too, compared one by one
-- with a model (model.lua). The verdicts: no signal, no hang, equal to the model. A program:
--
--   lua5.4 spec/support/fuzz.lua --seconds N --seed S [--durability D] [--file F] [--acknowledge]
--
-- It goes on with a file that is there. With --acknowledge it prints "pending N DIGEST" before
-- commit N, DIGEST being that of all that is then committed, and "committed N" once that and all
-- before it must survive: whoever kills the process must find a DIGEST from the last of these on.
-- With --digest FILE it checks a file and prints the digest of it.
local errors = require "jangada.errors"
local file = require "spec.support.fuzz_file"
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

-- Takes away the handlers that were registered after the first `from`; those of one kind.
local function take_handlers(tx, kind, from)
  local taken = {}
  for i = from + 1, #tx.m.handlers do
    if tx.m.handlers[i].kind == kind then taken[#taken + 1] = tx.m.handlers[i].id end
    tx.m.handlers[i] = nil
  end
  return taken
end

---@param outcome string "committed", "queued": that, but not waited for; "rolled back"; "unknown"
local function ended(world, tx, outcome)
  tx.m.open = false
  if not tx.m.writable then return end
  world.writer = nil
  if outcome == "rolled back" then
    file.check_fired(world, "on_rollback", take_handlers(tx, "on_rollback", 0))
  elseif outcome == "unknown" then
    file.check_fired(world, "unknown", {})
    file.unknown(world, tx.m.root)
  else
    local waited = outcome == "committed"
    file.committed(world, tx.m.root, waited)
    for _, id in ipairs(take_handlers(tx, "on_commit", 0)) do
      table.insert(world.waiting, { id = id, lsn = world.last })
    end
    file.check_seen(world, "on_commit", waited and math.huge or 0, file.durable(world))
  end
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

local function may_fail(world, raised)
  return ops.is_lawful(world, raised) or errors.is(raised, "tx_failed")
end

local function end_tx(world, tx, method)
  local m, waits = tx.m, chance(world.waits)
  local will_commit = m.open and not m.managed and m.level == 1 and m.writable
  if method == "commit" and will_commit then file.announce(world, m.root) end
  local ok, raised = pcall(tx.h[method], tx.h, not waits and { wait = false } or nil)
  local code = not m.open and "tx_closed" or m.managed and "tx_managed"
    or m.level > 1 and "savepoint_active" or method == "commit" and not m.writable
    and "tx_not_writable" or nil
  if ok then
    if code then mismatch("%s: succeeds, and should raise %s", method, code) end
    ended(world, tx, method ~= "commit" and "rolled back" or waits and "committed" or "queued")
    if raised then table.insert(world.tickets, { h = raised, lsn = world.last }) end
  elseif code then
    if not errors.is(raised, code) then
      mismatch("%s: %s, not %s", method, tostring(raised), code)
    end
  elseif method == "commit" and may_fail(world, raised) then
    ended(world, tx, world.poisoned and "unknown" or "rolled back")
    if world.poisoned then error(UNDO, 0) end
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
  file.check_fired(world, "on_rollback", take_handlers(tx, "on_rollback", handlers))
  ops.close_lost(world, m)
  if world.poisoned then error(UNDO, 0) end
end

local function check_refused(what, code, ok, raised)
  if ok or not errors.is(raised, code) then
    mismatch("%s: %s, and should raise %s", what, tostring(raised), code)
  end
end

local function managed(world, kind, depth)
  local is_update = kind == "update"
  local code, tx = file.refusal(world, is_update and "write" or "view"), nil
  if code then return check_refused(kind, code, pcall(world.db[kind], world.db, print)) end
  if not is_update then world.views = world.views + 1 end
  local ok, raised = pcall(world.db[kind], world.db, function(h)
    tx = new_tx(world, h, is_update, true)
    steps(world, math.random(40), depth + 1)
    if chance(20) then error(UNDO, 0) end
    if is_update then file.announce(world, tx.m.root) end
    tx.m.returned = true
  end)
  if not is_update then world.views = world.views - 1 end
  if not ok and raised ~= UNDO and not may_fail(world, raised) then error(raised, 0) end
  if tx then
    local is_unknown = world.poisoned and tx.m.returned
    ended(world, tx, ok and "committed" or is_unknown and "unknown" or "rolled back")
  end
  if is_update then world.failed = false end
  if world.failed or world.poisoned then error(UNDO, 0) end -- a write transaction around it
end

local function begin(world, kind)
  local code = file.refusal(world, kind == "write" and kind or "other")
  if code then return check_refused("begin", code, pcall(world.db.begin, world.db, kind)) end
  local open = 0
  for _, tx in ipairs(world.txs) do open = open + (tx.m.open and 1 or 0) end
  if open >= 5 then return end
  local ok, h = pcall(world.db.begin, world.db, kind)
  if ok then
    new_tx(world, h, kind == "write", false)
  elseif not ops.is_lawful(world, h) then
    mismatch("begin: raises %s", tostring(h))
  elseif world.poisoned then
    error(UNDO, 0)
  end
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
    begin(world, "write")
    local tx = world.writer
    if not tx then return end
    ops.compare(world, "delete_bucket", function() model.tx.delete_bucket(tx.m, name) end,
      function() tx.h:delete_bucket(name) end)
    end_tx(world, tx, "commit")
  end
end

-- ---- the run ----------------------------------------------------------------------------------

local function step(world, depth)
  if not world.writer and depth == 0 and chance(4) then
    if chance(world.waits) then managed(world, "update", 0) else begin(world, "write") end
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
    begin(world, chance(world.snapshots) and "read" or "write")
  elseif dice <= 985 then
    local tx = chance(50) and world.writer or world.txs[math.random(#world.txs)]
    if tx then end_tx(world, tx, chance(60) and "commit" or "rollback") end
  elseif dice <= 990 then
    file.step(world)
  elseif dice <= 996 then
    forget(world)
  elseif depth == 0 then
    local what = chance(world.rests) and math.random(2) or 0
    if what == 1 then file.reopen(world) elseif what == 2 then file.crash(world)
    else check_open(world) end
  end
end

function steps(world, n, depth)
  for _ = 1, n do
    local ok, raised = pcall(step, world, depth)
    if not ok then
      -- UNDO must undo what is open: a savepoint or managed function by passing on, else here.
      if raised ~= UNDO or depth > 0 then error(raised, 0) end
      if world.poisoned then
        file[chance(50) and "crash" or "reopen"](world)
      elseif world.writer then
        end_tx(world, world.writer, "rollback")
      end
      world.failed = false
    end
  end
end

local fuzz = {}

--- Runs for some seconds; raises when the store and the model differ.
---@param options {seconds: number, seed: integer, path: string, durability: string?,
---acknowledge: boolean?}
---@return integer steps how many operations were compared
---@return table<string, integer> met what happened, how often
function fuzz.run(options)
  local seed, durability = options.seed, options.durability or "none"
  math.randomseed(seed)
  local world = {
    path = options.path, acknowledge = options.acknowledge, full = seed % 4 == 3,
    durability = durability, changes = not options.acknowledge and seed // 8 % 4 == 3,
    disk = durability == "journal" and not options.acknowledge and (seed + seed // 4) % 2 == 0
      and store.memory_disk() or nil,
    txs = {}, buckets = {}, cursors = {}, eaches = {}, known = setmetatable({}, { __mode = "k" }),
    fired = {}, waiting = {}, handler = 0, steps = 0, views = 0, serial = 0, met = {},
  }
  file.open(world)
  local deadline = os.clock() + options.seconds
  repeat
    local ok, raised = pcall(steps, world, 200, 0)
    if not ok then
      local text = type(raised) == "table" and raised.mismatch or tostring(raised)
      error(("seed %d, after %d operations: %s"):format(options.seed, world.steps, text), 0)
    end
  until os.clock() > deadline
  file.reopen(world)
  world.db:close()
  return world.steps, world.met
end

local function main(...)
  local options, list = { seconds = 10, seed = os.time() }, { ... }
  local i = 1
  while list[i] do
    local name = list[i]:match("^%-%-(%a+)$") or error("unknown argument: " .. list[i], 0)
    local is_flag = name == "acknowledge"
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
  local count, met = fuzz.run(options)
  local facts = {}
  for what, n in pairs(met) do facts[#facts + 1] = ("%s %d"):format(what, n) end
  table.sort(facts)
  print(("seed %d: %d operations, all as the model says (%s)"):format(options.seed, count,
    table.concat(facts, ", ")))
  if options.file then return end
  for _, kind in ipairs{ "", "-lock", "-journal" } do os.remove(options.path .. kind) end
end

if arg and arg[0] and arg[0]:find("fuzz.lua", 1, true) then
  local ok, message = pcall(main, ...)
  if not ok then
    io.stderr:write(tostring(message), "\n")
    os.exit(1)
  end
end

return fuzz
