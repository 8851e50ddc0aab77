-- What the crash proofs do to a store: random steps on two logs and some buckets, and beside them a
-- world in plain Lua tables that says what the store must then hold.
--
--   world    {logs = {log, log}, buckets = a node of spec/support/model.lua, tickets = how many
--            commits that are not waited for come next}
--   log      see logs.lua
--   session  {db, logs, path, options, reader}: the real ones
--
-- A step changes a copy of the world and gives the function that does the same to a session, whole
-- or not at all. That returns true when it is durable with all before it, a ticket when it will be,
-- nil when it wrote nothing.
require "spec.support.crash.small_chunks"
local bucket_steps = require "spec.support.crash.bucket_steps"
local data = require "spec.support.crash.data"
local errors = require "jangada.errors"
local Log = require "jangada.log"
local log_steps = require "spec.support.crash.log_steps"
local logs = require "spec.support.crash.logs"
local model = require "spec.support.model"
local ops = require "spec.support.fuzz_ops"
local store = require "jangada.store"

local workload = {}

local NAMES <const> = { "replog", { "groups", "17" } }

-- ---- worlds -----------------------------------------------------------------------------------

function workload.empty()
  local world = { logs = {}, buckets = model.node(), tickets = 0 }
  for i = 1, #NAMES do world.logs[i] = logs.new() end
  return world
end

local function copy(world)
  local new = { logs = {}, buckets = model.copy(world.buckets), tickets = world.tickets }
  for i, log in ipairs(world.logs) do new.logs[i] = logs.copy(log) end
  return new
end

--- All of a world as one string: equal worlds give equal strings.
---@return string
function workload.write(world)
  local list = {}
  for _, log in ipairs(world.logs) do logs.write(log, list) end
  list[#list + 1] = model.write(world.buckets)
  return table.concat(list, "\n")
end

--- The world that a store holds; raises where it is damaged.
---@param db jangada.DB
---@param unchecked? any true: the store itself is not checked, which may need the disk
function workload.read(db, unchecked)
  if not unchecked then
    local clean, findings = db:check()
    if not clean then
      error(("check finds %s: %s"):format(findings[1].code, findings[1].message), 0)
    end
  end
  local world = { logs = {}, buckets = db:view(ops.read), tickets = 0 }
  for i, name in ipairs(NAMES) do world.logs[i] = logs.read(db, name) end
  for _, name in ipairs{ "replog", "replog.meta", "groups" } do
    world.buckets.items[name] = nil
  end
  world.buckets.order = nil
  return world
end

-- ---- sessions ---------------------------------------------------------------------------------

-- With the flusher's thread or without; and at times a store made for the journal without one.
local function vary(options, variant)
  local varied = {}
  for name, value in pairs(options) do varied[name] = value end
  if options.durability == "journal" then
    varied.flusher = variant % 6 < 2
    if variant % 6 == 5 then varied.durability, varied.journal_size = "commit", nil end
  end
  return varied
end

--- Opens the store as the workload has it; raises where it cannot be opened.
---@param path string
---@param options table of store.open
---@param variant? integer of what may differ from one time to the next
function workload.open(path, options, variant)
  local db, message, code = store.open(path, vary(options, variant or 0))
  if not db then error(errors.new(code, message), 0) end
  local session = { db = db, logs = {}, path = path, options = options }
  local ok, failure = pcall(function()
    for i, name in ipairs(NAMES) do session.logs[i] = Log.open(db, name) end
  end)
  if ok then return session end
  db:close{ force = true }
  error(failure, 0)
end

local function open_again(session, variant)
  local new = workload.open(session.path, session.options, variant)
  session.db, session.logs, session.reader = new.db, new.logs, nil
end

-- ---- steps ------------------------------------------------------------------------------------

local LOG_STEPS <const> = { { 8, "append" }, { 3, "conflict" }, { 5, "commit" }, { 2, "vote" },
  { 3, "everything" }, { 1, "apply" }, { 1, "stable" }, { 1, "sample" }, { 4, "compact" },
  { 1, "install" }, { 1, "sweep" } }
local BUCKET_STEPS <const> = { { 6, "put" }, { 1, "delete" }, { 1, "delete_range" }, { 1, "move" } }
local STEPS <const> = { { 14, "log" }, { 5, "bucket" }, { 2, "all" }, { 6, "ticket" },
  { 1, "rollback" }, { 1, "flush" }, { 2, "checkpoint" }, { 1, "snapshot" }, { 2, "reopen" },
  { 3, "die" } }

-- A change of one of the logs: its name, and fn(session); nil where there is nothing to do.
local function some_save(world, random)
  local i, name = random(1, #NAMES), data.pick(LOG_STEPS, random)
  local how = log_steps[name](world.logs[i], random)
  if not how then return nil end
  return name, function(session)
    local real = session.logs[i]
    if type(how) == "function" then how(real) else real:save(how) end
  end
end

-- What a step does in a write transaction: fn(tx, session).
local function some_write(world, random)
  if random(1, 3) == 1 then
    local name = data.pick(BUCKET_STEPS, random)
    return name, bucket_steps[name](world, random)
  end
  local name, save = some_save(world, random)
  return name, save and function(_, session) save(session) end
end

local steps = {}

function steps.log(world, random)
  local name, save = some_save(world, random)
  return name, function(session)
    save(session)
    return name ~= "sweep" or nil -- there may be nothing to remove
  end
end

function steps.bucket(world, random)
  local name = data.pick(BUCKET_STEPS, random)
  local write = bucket_steps[name](world, random)
  return write and name, function(session)
    session.db:update(write)
    return true
  end
end

--- Both logs and a bucket in one transaction.
function steps.all(world, random)
  local first = log_steps.vote(world.logs[1], random)
  local second = log_steps.everything(world.logs[2], random)
  local write = bucket_steps.put(world, random)
  return "all", function(session)
    session.db:update(function(tx)
      session.logs[1]:save(first)
      write(tx)
      session.logs[2]:save(second)
    end)
    return true
  end
end

--- A commit that is not waited for: few come alone.
function steps.ticket(world, random)
  world.tickets = (world.tickets > 0 and world.tickets or random(1, 4)) - 1
  local name, write = some_write(world, random)
  return write and "ticket, " .. name, function(session)
    local tx <close> = session.db:begin("write")
    write(tx, session)
    return tx:commit{ wait = false }
  end
end

function steps.rollback(world, random)
  local undone, writes = copy(world), {}
  for i = 1, 3 do writes[i] = select(2, some_write(undone, random)) end
  return "rollback", function(session)
    local token = {}
    local ok, failure = pcall(session.db.update, session.db, function(tx)
      for i = 1, 3 do
        if writes[i] then writes[i](tx, session) end
      end
      error(token)
    end)
    if not ok and failure ~= token then error(failure, 0) end
  end
end

function steps.flush()
  return "flush", function(session)
    session.db:flush()
    return true
  end
end

-- After what begins an epoch of the journal several commits often wait for one flush.
local function begin_epoch(world, random)
  world.tickets = random(0, 4)
end

function steps.checkpoint(world, random)
  begin_epoch(world, random)
  return "checkpoint", function(session)
    session.db:checkpoint()
    return true
  end
end

--- A reader that keeps its snapshot while others write, and with it pages; or its end.
function steps.snapshot()
  return "snapshot", function(session)
    local reader = session.reader
    session.reader = not reader and session.db:begin("read") or nil
    if reader then reader:rollback() end
  end
end

function steps.reopen(world, random)
  local variant = random(0, 5)
  begin_epoch(world, random)
  return "reopen", function(session)
    if session.reader then session.reader:rollback() end
    session.db:close()
    open_again(session, variant)
    return true
  end
end

--- Like the death of the process: what is not written yet is lost, what is not flushed may be.
function steps.die(world, random)
  local variant = random(0, 5)
  begin_epoch(world, random)
  return "die", function(session)
    session.db:abandon()
    open_again(session, variant)
    return true, workload.read(session.db, "unchecked")
  end
end

--- The next step: a copy of the world, changed, and what makes the same of a session. A second
--- value of that is the world that it found instead: after a death.
---@param world table
---@param random table
---@return string name
---@return table world
---@return fun(session: table): any, table? run
function workload.step(world, random)
  while true do
    local new = copy(world)
    local kind = data.pick(STEPS, random)
    local name, run = steps[world.tickets > 0 and "ticket" or kind](new, random)
    if name then return name, new, run end
  end
end

return workload
