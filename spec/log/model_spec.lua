-- The log against a plain Lua model of it: random saves, lawful and not, in transactions,
-- savepoints and rollbacks, with reopening in between. SEED=n runs one seed.
local Log = require "jangada.log"
local errors = require "jangada.errors"
local scratch = require "spec.support.scratch"

local SEEDS <const> = 25
local STEPS <const> = 150

local model = {}

function model.new()
  return { term = 0, vote = nil, commit = 0, entries = {} }
end

function model.copy(m)
  return { term = m.term, vote = m.vote, commit = m.commit, entries = { table.unpack(m.entries) } }
end

-- The rules once more, in the order of their codes in docs/log.md, on a copy that is thrown away if
-- one is broken.
function model.save(m, fields)
  local new = model.copy(m)
  if fields.term and fields.term ~= m.term then
    if fields.term < m.term then return nil, "log_term_fell" end
    new.term, new.vote = fields.term, nil
  end
  new.vote = fields.vote or new.vote
  if fields.entries then
    local first = fields.first or #m.entries + 1
    if first > #m.entries + 1 then return nil, "log_gap" end
    if first <= m.commit then return nil, "log_committed" end
    for index = #m.entries, first, -1 do new.entries[index] = nil end
    for _, entry in ipairs(fields.entries) do
      local before = new.entries[#new.entries]
      if entry.term < (before and before.term or 0) then return nil, "log_entry_term_fell" end
      if entry.term > new.term then return nil, "log_entry_term_ahead" end
      new.entries[#new.entries + 1] =
        { term = entry.term, type = entry.type or 0, data = entry.data }
    end
  end
  if fields.commit then
    if fields.commit < m.commit then return nil, "log_commit_fell" end
    if fields.commit > #new.entries then return nil, "log_commit_past_end" end
    new.commit = fields.commit
  end
  return new
end

function model.conflict_hint(m, index, term)
  index = math.min(index, #m.entries)
  while index > 0 and m.entries[index].term > term do index = index - 1 end
  return index, index > 0 and m.entries[index].term or 0
end

-- A small generator of our own, so that a seed is the same run everywhere.
local function generator(seed)
  local state = seed * 0x9E3779B97F4A7C15 + 1
  return function(m, n)
    state = state * 6364136223846793005 + 1442695040888963407
    return m + (state >> 33) % (n - m + 1)
  end
end

local function random_fields(random, m)
  local fields, last = {}, #m.entries
  if random(1, 3) == 1 then fields.term = math.max(0, m.term + random(-1, 2)) end
  if random(1, 3) == 1 then fields.vote = "n" .. random(1, 5) end
  if random(1, 4) > 1 then
    fields.entries = {}
    local term = fields.term or m.term
    for i = 1, random(0, 4) do
      fields.entries[i] = {
        term = math.max(1, term - (random(1, 12) == 1 and 1 or 0)),
        type = random(0, 1) == 1 and random(0, 255) or nil,
        data = ("d"):rep(random(0, 20)) .. random(0, 999),
      }
    end
    if random(1, 3) == 1 then fields.first = math.max(1, random(m.commit, last + 2)) end
  end
  if random(1, 3) == 1 then fields.commit = math.max(0, m.commit + random(-1, 3)) end
  return fields
end

local function compare(random, log, m)
  local last = #m.entries
  local term, vote, commit = log:hard_state()
  assert.same({ m.term, m.vote or "none", m.commit }, { term, vote or "none", commit })
  assert.equal(1, log:first_index())
  assert.equal(last, log:last_index())
  assert.equal(last > 0 and m.entries[last].term or 0, log:last_term())
  local from, to = random(1, last + 1), random(0, last + 2)
  local expected = table.move(m.entries, from, math.min(to, last), 1, {})
  assert.same(expected, log:entries(from, to))
  local index, hint_term = random(0, last + 2), random(0, m.term + 1)
  assert.equal(index == 0 and 0 or (m.entries[index] or {}).term, log:term(index))
  assert.same({ model.conflict_hint(m, index, hint_term) }, { log:conflict_hint(index, hint_term) })
  local first_of_term
  for i = last, 1, -1 do
    if m.entries[i].term == hint_term then first_of_term = i end
  end
  assert.equal(first_of_term, log:first_of_term(hint_term))
end

local function save(log, m, fields)
  local new, code = model.save(m, fields)
  local ok, failure = pcall(log.save, log, fields)
  if new then
    if not ok then error(failure, 0) end
    return new
  end
  assert.is_false(ok, code)
  if not errors.is(failure) then error(failure, 0) end
  assert.equal(code, failure.code)
  return m
end

local UNDO <const> = {}

-- Some saves in a transaction or savepoint, perhaps with savepoints in it, perhaps undone.
local function nest(random, run, log, m, depth)
  local after = m
  local ok, failure = pcall(run, function(tx)
    for _ = 1, random(1, 3) do
      if depth < 3 and random(1, 3) == 1 then
        after = nest(random, function(fn) return tx:savepoint(fn) end, log, after, depth + 1)
      else
        after = save(log, after, random_fields(random, after))
      end
      compare(random, log, after)
    end
    if random(1, 3) == 1 then error(UNDO, 0) end
  end)
  if ok then return after end
  if failure ~= UNDO then error(failure, 0) end
  return m
end

local function run(seed)
  local random = generator(seed)
  local db, path = scratch.open()
  local log, m = Log.open(db, "replog"), model.new()
  for _ = 1, STEPS do
    local what = random(1, 10)
    if what <= 5 then
      m = save(log, m, random_fields(random, m))
    elseif what <= 8 then
      m = nest(random, function(fn) return db:update(fn) end, log, m, 1)
    elseif what == 9 then
      log = Log.open(db, "replog")
    else
      db:close()
      db = scratch.open(path)
      log = Log.open(db, "replog")
    end
    compare(random, log, m)
  end
  assert.same(m.entries, Log.open(db, "replog"):entries(1))
end

describe("the log", function()
  after_each(scratch.clean)

  it("does what a plain Lua model of it does", function()
    local only = tonumber(os.getenv("SEED"))
    for seed = only or 1, only or SEEDS do
      local ok, failure = pcall(run, seed)
      if not ok then error(("SEED=%d: %s"):format(seed, tostring(failure)), 0) end
      scratch.clean()
    end
  end)
end)
