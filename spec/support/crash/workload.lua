-- What the crash proofs do to a store: random steps on two logs and some buckets, each one
-- transaction, and beside them a world in plain Lua tables that says what the store must then hold.
--
--   world    {logs = {log, log}, buckets = a node of spec/support/model.lua}
--   log      {first, term, vote, commit, entries = {{term, type, data}, ...}}
--   session  {db, logs, path, options}: the real ones
--
-- A step changes a copy of the world and gives the function that does the same to a session.
local errors = require "jangada.errors"
local Log = require "jangada.log"
local model = require "spec.support.model"
local ops = require "spec.support.fuzz_ops"
local store = require "jangada.store"

local workload = {}

local NAMES <const> = { "replog", { "groups", "17" } }
local ENTRIES_MAX <const> = 60
local ITEMS_MAX <const> = 40

-- ---- worlds -----------------------------------------------------------------------------------

function workload.empty()
  local world = { logs = {}, buckets = model.node() }
  for i = 1, #NAMES do world.logs[i] = { first = 1, term = 0, commit = 0, entries = {} } end
  return world
end

local function copy(world)
  local new = { logs = {}, buckets = model.copy(world.buckets) }
  for i, log in ipairs(world.logs) do
    local fields = {}
    for name, value in pairs(log) do fields[name] = value end
    fields.entries = table.move(log.entries, 1, #log.entries, 1, {})
    new.logs[i] = fields
  end
  return new
end

--- All of a world as one string: equal worlds give equal strings.
---@return string
function workload.write(world)
  local list = {}
  for _, log in ipairs(world.logs) do
    list[#list + 1] = ("log from %d, term %d, vote %s, commit %d"):format(log.first, log.term,
      log.vote or "-", log.commit)
    for i, entry in ipairs(log.entries) do
      list[#list + 1] = ("%d: %d %d %s"):format(log.first + i - 1, entry.term, entry.type,
        entry.data)
    end
  end
  list[#list + 1] = model.write(world.buckets)
  return table.concat(list, "\n")
end

local function read_log(db, name)
  local real = Log.open(db, name)
  local term, vote, commit = real:hard_state()
  local log = { first = real:first_index(), term = term, vote = vote, commit = commit,
    entries = {} }
  for _, entry in real:each() do log.entries[#log.entries + 1] = entry end
  return log
end

--- The world that a store holds; raises where it is damaged.
---@param db jangada.DB
function workload.read(db)
  local clean, findings = db:check()
  if not clean then
    error(("check finds %s: %s"):format(findings[1].code, findings[1].message), 0)
  end
  local world = { logs = {}, buckets = db:view(ops.read) }
  for i, name in ipairs(NAMES) do world.logs[i] = read_log(db, name) end
  for _, name in ipairs{ "replog", "replog.meta", "groups" } do
    world.buckets.items[name] = nil
  end
  world.buckets.order = nil
  return world
end

-- ---- sessions ---------------------------------------------------------------------------------

--- Opens the store as the workload has it; raises where it cannot be opened.
---@param path string
---@param options table of store.open
function workload.open(path, options)
  local db, message, code = store.open(path, options)
  if not db then error(errors.new(code, message), 0) end
  local session = { db = db, logs = {}, path = path, options = options }
  local ok, failure = pcall(function()
    for i, name in ipairs(NAMES) do session.logs[i] = Log.open(db, name) end
  end)
  if ok then return session end
  db:close{ force = true }
  error(failure, 0)
end

local function reopen(session)
  session.db:close()
  local new = workload.open(session.path, session.options)
  session.db, session.logs = new.db, new.logs
end

-- ---- steps on logs ----------------------------------------------------------------------------

local function some_data(random)
  local size = random(1, 12) == 1 and random(1000, 6000) or random(0, 300)
  return string.char(random(97, 122)):rep(size) .. random(0, 99999)
end

local function last_of(log) return log.first + #log.entries - 1 end

local function term_of(log, index)
  local entry = log.entries[index - log.first + 1]
  return entry and entry.term or 0
end

-- Replaces what there is from `first` on; returns the fields of a save.
local function add_entries(log, random, first, count)
  local entries, term = {}, term_of(log, first - 1)
  for i = #log.entries, first - log.first + 1, -1 do log.entries[i] = nil end
  for i = 1, count do
    term = random(math.max(term, log.term - 1, 1), log.term)
    entries[i] = { term = term, type = random(0, 3), data = some_data(random) }
    log.entries[#log.entries + 1] = entries[i]
  end
  return { first = first, entries = entries }
end

local logs = {}

function logs.append(log, random)
  if log.term == 0 or #log.entries > ENTRIES_MAX then return nil end
  return add_entries(log, random, last_of(log) + 1, random(1, 3) == 1 and random(2, 20) or 1)
end

function logs.conflict(log, random)
  local first = math.max(log.first, log.commit + 1)
  if first > last_of(log) then return nil end
  return add_entries(log, random, random(first, last_of(log)), random(0, 6))
end

function logs.commit(log, random)
  if log.commit >= last_of(log) then return nil end
  log.commit = random(log.commit + 1, last_of(log))
  return { commit = log.commit }
end

function logs.vote(log, random)
  log.term = log.term + random(1, 2)
  log.vote = random(1, 3) > 1 and "n" .. random(1, 5) or nil
  return { term = log.term, vote = log.vote }
end

--- As a follower does when a new leader writes over its tail.
function logs.everything(log, random)
  local fields = logs.vote(log, random)
  local more = logs.conflict(log, random) or logs.append(log, random) or {}
  fields.first, fields.entries = more.first, more.entries
  local moved = logs.commit(log, random)
  fields.commit = moved and moved.commit
  return fields
end

-- ---- steps on buckets -------------------------------------------------------------------------

local BUCKETS <const> = { "a", "b", "c" }

local function set(node, key, item)
  node.items[key], node.order = item, nil
end

local function ensure(node, name, options)
  local item = node.items[name]
  if not item then
    item = model.node(options and options.keys == "integer")
    set(node, name, item)
  end
  return item, function(parent) return parent:ensure_bucket(name, options) end
end

local buckets = {}

-- Puts and deletes in one bucket, sometimes in a nested one, too.
function buckets.put(world, random)
  local name, doing = BUCKETS[random(1, #BUCKETS)], {}
  local kind = random(1, 3)
  local node, get = ensure(world.buckets, name)
  local nested, get_nested
  if kind > 1 then nested, get_nested = ensure(node, "nested", { tree = kind == 3 }) end
  for _ = 1, random(1, 8) do
    local key = ("k%02d"):format(random(1, ITEMS_MAX))
    local value = random(1, 4) > 1 and some_data(random) or nil
    local inner = nested ~= nil and random(1, 2) == 1
    set(inner and nested or node, key, value)
    doing[#doing + 1] = { key, value, inner }
  end
  node.sequence = node.sequence + 1
  return function(tx)
    local bucket = get(tx)
    local inner = get_nested and get_nested(bucket)
    for _, item in ipairs(doing) do
      local into = item[3] and inner or bucket
      if item[2] then into:put(item[1], item[2]) else into:delete(item[1]) end
    end
    bucket:next_sequence()
  end
end

function buckets.delete(world, random)
  local name = BUCKETS[random(1, #BUCKETS)]
  if not world.buckets.items[name] then return nil end
  set(world.buckets, name, nil)
  return function(tx) tx:delete_bucket(name) end
end

function buckets.delete_range(world, random)
  local name = BUCKETS[random(1, #BUCKETS)]
  local node = world.buckets.items[name]
  if not node then return nil end
  local from = random(1, ITEMS_MAX)
  local to = random(from, ITEMS_MAX)
  for i = from, to do set(node, ("k%02d"):format(i), nil) end
  return function(tx) tx:bucket(name):delete_range(("k%02d"):format(from), ("k%02d"):format(to)) end
end

-- ---- steps ------------------------------------------------------------------------------------

local function pick(weights, random)
  local sum = 0
  for _, weight in ipairs(weights) do sum = sum + weight[1] end
  local at = random(1, sum)
  for _, weight in ipairs(weights) do
    at = at - weight[1]
    if at <= 0 then return weight[2] end
  end
end

local LOG_STEPS <const> = { { 8, "append" }, { 3, "conflict" }, { 4, "commit" }, { 2, "vote" },
  { 3, "everything" } }
local BUCKET_STEPS <const> = { { 6, "put" }, { 1, "delete" }, { 1, "delete_range" } }

local steps = {}

function steps.log(world, random)
  local i, name = random(1, #NAMES), pick(LOG_STEPS, random)
  local fields = logs[name](world.logs[i], random)
  if not fields then return nil end
  return name, function(session) session.logs[i]:save(fields) end
end

function steps.bucket(world, random)
  local name = pick(BUCKET_STEPS, random)
  local write = buckets[name](world, random)
  return write and name, function(session) session.db:update(write) end
end

--- Both logs and a bucket in one transaction.
function steps.all(world, random)
  local first, second = logs.vote(world.logs[1], random), logs.everything(world.logs[2], random)
  local write = buckets.put(world, random)
  return "all", function(session)
    session.db:update(function(tx)
      session.logs[1]:save(first)
      write(tx)
      session.logs[2]:save(second)
    end)
  end
end

function steps.rollback(world, random)
  local undone = copy(world)
  local fields, write = logs.vote(undone.logs[1], random), buckets.put(undone, random)
  return "rollback", function(session)
    local token = {}
    local ok, failure = pcall(session.db.update, session.db, function(tx)
      session.logs[1]:save(fields)
      write(tx)
      error(token)
    end)
    if not ok and failure ~= token then error(failure, 0) end
  end
end

function steps.reopen()
  return "reopen", reopen
end

local STEPS <const> = { { 14, "log" }, { 5, "bucket" }, { 2, "all" }, { 1, "rollback" },
  { 1, "reopen" } }

--- The next step: a copy of the world, changed, and what makes the same of a session, whole or not
--- at all.
---@param world table
---@param random fun(from: integer, to: integer): integer
---@return string name
---@return table world
---@return fun(session: table) run
function workload.step(world, random)
  while true do
    local new = copy(world)
    local name, run = steps[pick(STEPS, random)](new, random)
    if name then return name, new, run end
  end
end

--- A generator of random integers from a seed, apart from math.random.
---@param seed integer
---@return fun(from: integer, to: integer): integer
function workload.random(seed)
  local state = seed * 0x9E3779B97F4A7C15 + 0x123456789
  return function(from, to)
    state = state + 0x9E3779B97F4A7C15
    local z = state
    z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    z = z ~ (z >> 31)
    return from + (z >> 1) % (to - from + 1)
  end
end

return workload
