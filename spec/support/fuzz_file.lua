-- The file of the fuzzer's world (fuzz.lua), in each durability: opens, closes and kills it, waits
-- for its commits, and knows what must be there afterwards.
--
-- With a journal a crash may take back what was not acknowledged. All that may be found is kept:
-- history[lsn] = {root, serial}, from world.acked, which must survive, up to world.last. A journal
-- on a memory disk (world.disk) also has power failures, calls that fail, and rot.
local errors = require "jangada.errors"
local model = require "spec.support.model"
local ops = require "spec.support.fuzz_ops"
local store = require "jangada.store"

local file = {}

local chance, mismatch, random, UNDO = ops.chance, ops.mismatch, math.random, ops.UNDO

-- ---- what is committed, and what of it is known to be durable ----------------------------------

local function journal_of(world)
  return world.durability == "journal" and world.db:info().journal or nil
end

--- Tells whoever will kill this process what may be found: "pending N DIGEST".
function file.announce(world, root)
  world.serial = world.serial + 1
  if world.acknowledge then
    print(("pending %d %s"):format(world.serial, (ops.digest(model.write(root)))))
  end
end

-- All up to this commit must survive: "committed N".
local function acknowledge(world, lsn)
  for old = world.acked, lsn - 1 do world.history[old] = nil end
  if lsn >= world.acked and world.acknowledge then
    print("committed " .. world.history[lsn].serial)
  end
  world.acked = math.max(lsn, world.acked)
end

local function remember(world, lsn, root)
  world.last = lsn
  world.history[lsn] = { root = root, serial = world.serial }
end

--- The root is what is committed now; `waited`: and durable.
function file.committed(world, root, waited)
  local journal = journal_of(world)
  local by_checkpoint = journal and journal.lsn > world.last and journal.behind == 0
  ops.mark(world, by_checkpoint and "commit by checkpoint" or waited and "commit" or "ticket")
  world.committed = root
  remember(world, journal and journal.lsn or world.last + 1, root)
  if waited or not journal then acknowledge(world, world.last) end
end

--- Nobody knows whether that is committed: the DB is poisoned.
function file.unknown(world, root)
  remember(world, world.last + 1, root)
end

-- ---- handlers -----------------------------------------------------------------------------------

--- The handlers that ran must be these, in order.
function file.check_fired(world, what, expected)
  local wanted, got = table.concat(expected, " "), table.concat(world.fired, " ")
  world.fired = {}
  if wanted ~= got then mismatch("%s handlers: ran %s, not %s", what, got, wanted) end
end

--- Of the on_commit handlers that wait, those up to commit `must` must have run, and those up to
--- `may` may have: then it is durable.
function file.check_seen(world, what, must, may)
  local expected, waiting = {}, world.waiting
  while waiting[1] and (waiting[1].lsn <= must
    or waiting[1].lsn <= may and #expected < #world.fired) do
    acknowledge(world, waiting[1].lsn)
    expected[#expected + 1] = table.remove(waiting, 1).id
  end
  file.check_fired(world, what, expected)
end

--- The last commit that is durable.
function file.durable(world)
  local journal = journal_of(world)
  return journal and journal.flushed_lsn or world.last
end

-- ---- opening ------------------------------------------------------------------------------------

local function try_open(world)
  local o = {
    durability = world.durability, trees_max = 400, size_max = world.full and 1 << 18 or nil,
    journal_size = chance(80) and 1 << 16 or 1 << 20, journal_disk = world.disk,
    flusher = chance(50),
  }
  local db, message, code = store.open(world.path, o)
  if not db and world.full and (code == "map_full" or code == "no_space") then
    ops.mark(world, "opened larger")
    o.size_max = nil -- what the journal holds needs more than there is
    db, message, code = store.open(world.path, o)
  end
  if not db and world.rotten and code == "journal_corrupt" then
    ops.mark(world, "journal_corrupt")
    o.salvage = true
    db, message, code = store.open(world.path, o)
  end
  return db or mismatch("open: %s (%s)", message, code)
end

-- Which of the states that may be there is it? What is damaged may have become an older one.
local function identify(world, tx, lowest, has_lsn)
  local first, last = world.last, lowest
  if has_lsn then
    first = world.db:info().last_tx_id
    last = math.max(first, lowest)
  end
  local text = select(2, ops.digest(tx))
  for lsn = first, last, -1 do
    local commit = world.history[lsn]
    if commit and model.write(commit.root) == text then
      if lsn < world.last then ops.mark(world, "lost commits") end
      return commit.root
    end
  end
  if world.rotten and (first < lowest or not has_lsn) then return ops.read(tx) end
  mismatch("opened: commit %d of %d to %d, and not what it was", first, lowest, world.last)
end

--- Opens it; the durability may change now and then.
---@param lowest integer? the oldest commit that may be found; nil: what is there is taken over
function file.open(world, lowest)
  local was_journaled = world.durability == "journal"
  if world.changes and chance(30) then
    world.durability = ({ "none", "commit", "journal" })[random(3)]
  end
  world.db = try_open(world)
  world.committed = world.db:view(function(tx)
    local has_lsn = was_journaled and world.durability == "journal"
    return lowest and identify(world, tx, lowest, has_lsn) or ops.read(tx)
  end)
  world.poisoned, world.rotten, world.history, world.tickets = false, false, {}, {}
  world.waits, world.rests = ({ 5, 60, 100 })[random(3)], ({ 10, 100 })[random(2)] -- of 100
  world.snapshots, world.breaks = ({ 2, 35 })[random(2)], chance(50)
  local journal = journal_of(world)
  world.acked = journal and journal.lsn or 0
  file.announce(world, world.committed)
  remember(world, world.acked, world.committed)
  acknowledge(world, world.acked)
  if lowest then
    local clean, findings = world.db:check()
    if not clean then mismatch("check: %s %s", findings[1].code, findings[1].message) end
  end
end

-- ---- the end ------------------------------------------------------------------------------------

-- Transactions are gone. Tickets live on, and say what became of their commits.
local function all_closed(world)
  for _, tx in ipairs(world.txs) do tx.m.open = false end
  world.writer, world.failed = nil, false
  for _, ticket in ipairs(world.tickets) do
    local is_durable = ticket.h:is_durable()
    if not is_durable and ticket.lsn <= world.acked then
      mismatch("ticket of commit %d: not durable, though it was", ticket.lsn)
    end
    local ok, raised = pcall(ticket.h.wait, ticket.h)
    if ok ~= is_durable or not ok and not errors.is(raised, "db_closed") then
      mismatch("ticket of commit %d: wait gives %s", ticket.lsn, tostring(raised))
    end
    if is_durable then acknowledge(world, ticket.lsn) end
  end
  file.check_seen(world, "ticket", 0, world.last)
  world.waiting = {}
  for _, call in ipairs(world.fails and { "write", "flush", "truncate" } or {}) do
    world.disk:fail(call, 0)
  end
  world.fails = false
end

--- Closes it, with whatever is open, and opens it again.
function file.reopen(world)
  local is_open, expected = false, {}
  for _, tx in ipairs(world.txs) do is_open = is_open or tx.m.open end
  if is_open and not world.poisoned then
    local ok, raised = pcall(world.db.close, world.db)
    if ok or not errors.is(raised, "tx_open") then mismatch("close: %s", tostring(raised)) end
  end
  ops.mark(world, "close")
  local ok, raised = pcall(world.db.close, world.db, { force = true })
  if not ok and not ops.is_lawful(world, raised) then mismatch("close: %s", tostring(raised)) end
  while ok and world.waiting[1] do
    expected[#expected + 1] = table.remove(world.waiting, 1).id
  end
  for _, handler in ipairs(world.writer and world.writer.m.handlers or {}) do
    if handler.kind == "on_rollback" then expected[#expected + 1] = handler.id end
  end
  if world.poisoned then world.fired = {} else file.check_fired(world, "close", expected) end
  if ok and not world.poisoned then acknowledge(world, world.last) end
  all_closed(world)
  file.open(world, world.acked)
end

local accidents = {
  none = function() end,
  cut = function(disk) disk:cut(chance(50) and 0 or random(20000)) end,
  tear = function(disk)
    local percent = random(0, 100)
    disk:tear(function() return chance(percent) end)
  end,
  rot = function(disk, used)
    if used > 0 then disk:scribble(random(0, used - 1), "\xff") end
  end,
}
local likely = { "none", "cut", "cut", "cut", "tear", "tear", "tear", "rot" }

--- The process dies, and the power may fail; then the file is opened again.
function file.crash(world)
  local journal = not world.poisoned and journal_of(world)
  world.db:abandon()
  file.check_fired(world, "abandon", {})
  all_closed(world)
  local what = world.disk and likely[random(#likely)] or "none"
  accidents[what](world.disk, journal and journal.used or 0)
  ops.mark(world, "crash: " .. what)
  world.rotten = what == "rot"
  file.open(world, world.acked)
end

-- ---- one operation ------------------------------------------------------------------------------

--- The code with which something new is refused now, or nil: with a journal all but snapshots are
--- in one transaction of LMDB.
---@param kind string "write", "view" or "other"
function file.refusal(world, kind)
  if kind == "write" and world.writer then return "write_tx_active" end
  if world.durability ~= "journal" then return nil end
  return world.views > 0 and kind ~= "view" and "read_tx_active"
    or world.writer and "write_tx_active" or nil
end

-- Calls a method of the DB, which must be refused when others are open. Did it succeed?
local function try(world, what, kind, ...)
  local code = kind and file.refusal(world, kind)
  local ok, raised = pcall(world.db[what], world.db, ...)
  world.steps = world.steps + 1
  if code then
    if ok or not errors.is(raised, code) then
      mismatch("%s: %s, not %s", what, tostring(raised), code)
    end
    return false
  end
  if not ok and not ops.is_lawful(world, raised) then mismatch("%s: %s", what, tostring(raised)) end
  if world.poisoned then error(UNDO, 0) end
  return ok, raised
end

local function all_durable(world, what)
  file.check_seen(world, what, math.huge, math.huge)
  acknowledge(world, world.last)
end

local steps = {}

function steps.flush(world)
  if try(world, chance(50) and "flush" or "sync") then all_durable(world, "flush") end
end

function steps.checkpoint(world)
  if try(world, "checkpoint", "other") then all_durable(world, "checkpoint") end
end

function steps.ticket(world)
  local ticket = world.tickets[random(math.max(1, #world.tickets))]
  if not ticket then return end
  local durable, waits = file.durable(world), chance(50)
  local ok, is_durable
  if waits then
    ok, is_durable = pcall(ticket.h.wait, ticket.h, chance(50) and 0 or nil)
  else
    ok, is_durable = pcall(ticket.h.is_durable, ticket.h)
  end
  if ok and not is_durable then ops.mark(world, "ticket not durable") end
  if not ok and not ops.is_lawful(world, is_durable) then
    mismatch("ticket: raises %s", tostring(is_durable))
  end
  if not ok then error(UNDO, 0) end
  file.check_seen(world, "ticket", durable, file.durable(world))
  if is_durable then acknowledge(world, ticket.lsn) end
  if not is_durable and ticket.lsn <= world.acked then
    mismatch("ticket of commit %d: not durable, though it was", ticket.lsn)
  end
end

function steps.look(world)
  local journal = journal_of(world)
  if not journal then return end
  if chance(10) then world.db:durable_fd() end
  if journal.lsn ~= world.last or journal.flushed_lsn < world.acked
    or journal.flushed_lsn > journal.lsn or journal.checkpoint_lsn > journal.flushed_lsn
    or journal.behind ~= journal.lsn - journal.checkpoint_lsn or journal.used > journal.size then
    mismatch("info: lsn %d (%d), flushed %d (%d), checkpoint %d, used %d of %d", journal.lsn,
      world.last, journal.flushed_lsn, world.acked, journal.checkpoint_lsn, journal.used,
      journal.size)
  end
end

function steps.fail(world)
  if not world.disk or not world.breaks then return end
  local call = ({ "write", "flush", "truncate" })[random(3)]
  world.fails = true
  world.disk:fail(call, random(5), chance(50) and "EIO" or "ENOSPC")
end

function steps.check(world)
  local ok, clean = try(world, "check", "other")
  if ok and not clean then mismatch("check: not clean") end
end

function steps.backup(world)
  local path = world.path .. ".copy"
  local ok = try(world, "backup", "other", path)
  if not ok then return end
  local db <close> = assert(store.open(path, { read_only = true }))
  local text = select(2, db:view(ops.digest))
  os.execute(("rm '%s' '%s-lock'"):format(path, path))
  if text ~= model.write(world.committed) then mismatch("backup: holds something else") end
end

local any = { "flush", "ticket", "ticket", "look", "fail" }
local checkpoints = { "checkpoint", "check", "check", "backup" }

--- One operation on the DB itself.
function file.step(world)
  local list = chance(world.snapshots) and checkpoints or any
  steps[list[random(#list)]](world)
end

return file
