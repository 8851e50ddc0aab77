-- The log against a plain Lua model of it: random saves, lawful and not, in transactions,
-- savepoints and rollbacks, with sweeps and reopening in between. SEED=n runs one seed.
local Log = require "jangada.log"
local errors = require "jangada.errors"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local SEEDS <const> = 10
local SEEDS_SLOW <const> = 25
local STEPS <const> = 150

---------------------------------------------------------------------------------------------------
-- The model: entries by index, from base + 1 to last

local model = {}

function model.new()
  return { term = 0, vote = nil, commit = 0, applied = 0, base = 0, base_term = 0, last = 0,
    entries = {}, snapshot = nil, stable = {} }
end

function model.copy(m)
  local copy = {}
  for name, value in pairs(m) do copy[name] = value end
  copy.entries, copy.stable = {}, {}
  for index, entry in pairs(m.entries) do copy.entries[index] = entry end
  for key, value in pairs(m.stable) do copy.stable[key] = value end
  return copy
end

function model.term(m, index)
  if index == m.base then return m.base_term end
  return m.entries[index] and m.entries[index].term
end

local function move_base(m, index, term)
  for i = m.base + 1, index do m.entries[i] = nil end
  m.base, m.base_term = index, term
end

-- The rules once more; each gives the code of what is broken.
local function save_snapshot(m, new, fields)
  local snapshot, first = fields.snapshot, fields.first
  if m.snapshot and (snapshot.index < m.snapshot.index
    or snapshot.index == m.snapshot.index and snapshot.term ~= m.snapshot.term) then
    return "log_snapshot_fell"
  end
  if snapshot.term > new.term then return "log_entry_term_ahead" end
  if model.term(m, snapshot.index) ~= snapshot.term then
    if snapshot.index <= m.commit then return "log_committed" end
    if snapshot.term < model.term(m, m.commit) then return "log_entry_term_fell" end
    if first ~= snapshot.index + 1 then return "log_snapshot_mismatch" end
    new.entries, new.last = {}, snapshot.index
    move_base(new, snapshot.index, snapshot.term)
  elseif first and not fields.entries then
    if first ~= snapshot.index + 1 then return "log_bad_field" end
    new.later_base = snapshot.index
  end
  new.snapshot = snapshot
end

local function save_entries(m, new, fields)
  local first = fields.first or new.last + 1
  if first > new.last + 1 then return "log_gap" end
  local covered = fields.snapshot and fields.snapshot.index or 0
  if first <= math.max(m.commit, covered) then return "log_committed" end
  for index = new.last, first, -1 do new.entries[index] = nil end
  new.last = first - 1
  for _, entry in ipairs(fields.entries) do
    if entry.term < model.term(new, new.last) then return "log_entry_term_fell" end
    if entry.term > new.term then return "log_entry_term_ahead" end
    new.last = new.last + 1
    new.entries[new.last] = { term = entry.term, type = entry.type or 0, data = entry.data }
  end
end

local function save_bounds(m, new, fields)
  if fields.commit then
    if fields.commit < m.commit then return "log_commit_fell" end
    if fields.commit > new.last then return "log_commit_past_end" end
    new.commit = fields.commit
  end
  if fields.snapshot and fields.snapshot.index > new.commit then
    return "log_snapshot_past_commit"
  end
  local compact = fields.compact or 0
  local covered = new.snapshot and new.snapshot.index or 0
  if compact > covered then return "log_compact_past_snapshot" end
  compact = math.max(compact, new.later_base or 0)
  if compact > new.base then move_base(new, compact, model.term(new, compact)) end
  new.later_base = nil
  if fields.applied then
    if fields.applied < m.applied then return "log_applied_fell" end
    if fields.applied > new.commit then return "log_applied_past_commit" end
    new.applied = fields.applied
  end
end

function model.save(m, fields)
  local new = model.copy(m)
  if fields.first and not (fields.entries or fields.snapshot) then return nil, "log_bad_field" end
  if fields.term and fields.term ~= m.term then
    if fields.term < m.term then return nil, "log_term_fell" end
    new.term, new.vote = fields.term, nil
  end
  new.vote = fields.vote or new.vote
  local code = fields.snapshot and save_snapshot(m, new, fields)
  code = code or fields.entries and save_entries(m, new, fields)
  code = code or save_bounds(m, new, fields)
  if code then return nil, code end
  for key, value in pairs(fields.stable or {}) do new.stable[key] = value or nil end
  return new
end

function model.conflict_hint(m, index, term)
  index = math.min(index, m.last)
  while index > m.base and m.entries[index].term > term do index = index - 1 end
  if index < m.base or model.term(m, index) > term then return 0, 0 end
  return index, model.term(m, index)
end

---------------------------------------------------------------------------------------------------
-- Chance

-- A small generator of our own, so that a seed is the same run everywhere.
local function generator(seed)
  local state = seed * 0x9E3779B97F4A7C15 + 1
  return function(m, n)
    state = state * 6364136223846793005 + 1442695040888963407
    return m + (state >> 33) % (n - m + 1)
  end
end

local function random_entries(random, term)
  local entries = {}
  for i = 1, random(0, 4) do
    entries[i] = {
      term = math.max(1, term - (random(1, 12) == 1 and 1 or 0)),
      type = random(0, 1) == 1 and random(0, 255) or nil,
      data = ("d"):rep(random(0, 20)) .. random(0, 999),
    }
  end
  return entries
end

local function random_snapshot(random, m, fields)
  local index = math.max(1, random(1, 3) == 1 and m.last + random(0, 5)
    or random(math.max(0, m.base - 1), math.max(m.commit + 1, m.base)))
  local term = math.max(1, random(1, 5) == 1 and m.term - random(0, 1)
    or model.term(m, index) or m.term)
  fields.snapshot = { index = index, term = term, info = "s" .. random(0, 99) }
  if random(1, 2) == 1 then fields.first = index + (random(1, 8) == 1 and 0 or 1) end
  if index > m.commit and random(1, 4) > 1 then fields.commit = index end
end

local function random_fields(random, m)
  local fields = {}
  if random(1, 3) == 1 then fields.term = math.max(0, m.term + random(-1, 2)) end
  if random(1, 3) == 1 then fields.vote = "n" .. random(1, 5) end
  if random(1, 4) > 1 then
    fields.entries = random_entries(random, fields.term or m.term)
    if random(1, 3) == 1 then fields.first = math.max(1, random(m.commit, m.last + 2)) end
  end
  if random(1, 3) == 1 then fields.commit = math.max(0, m.commit + random(-1, 3)) end
  if random(1, 6) == 1 then random_snapshot(random, m, fields) end
  if random(1, 6) == 1 then fields.compact = random(0, m.commit + 1) end
  if random(1, 6) == 1 then fields.applied = math.max(0, m.applied + random(-1, 2)) end
  if random(1, 8) == 1 then
    fields.stable = { ["k" .. random(1, 3)] = random(1, 3) > 1 and "v" .. random(1, 99) }
  end
  return fields
end

---------------------------------------------------------------------------------------------------
-- The comparison

local function compare_entries(random, log, m)
  assert.same({ m.base + 1, m.last }, { log:first_index(), log:last_index() })
  assert.equal(model.term(m, m.last), log:last_term())
  local from, to = random(m.base + 1, m.last + 1), random(0, m.last + 2)
  local expected = table.move(m.entries, from, math.min(to, m.last), 1, {})
  assert.same(expected, log:entries(from, to))
  local walked = {}
  for _, entry in log:each(from, to) do walked[#walked + 1] = entry end
  assert.same(expected, walked)
  assert.is_nil(log:entries(m.base, m.last))
end

local function compare(random, log, m)
  local term, vote, commit = log:hard_state()
  assert.same({ m.term, m.vote or "none", m.commit, m.applied },
    { term, vote or "none", commit, log:applied() })
  compare_entries(random, log, m)
  local index, hint_term = random(0, m.last + 2), random(0, m.term + 1)
  assert.equal(model.term(m, index), log:term(index))
  assert.same({ model.conflict_hint(m, index, hint_term) }, { log:conflict_hint(index, hint_term) })
  local first_of_term, bytes, terms = nil, 0, 0
  for i = m.last, m.base + 1, -1 do
    if m.entries[i].term == hint_term then first_of_term = i end
    bytes = bytes + #m.entries[i].data
    if i == m.base + 1 or m.entries[i].term ~= m.entries[i - 1].term then terms = terms + 1 end
  end
  assert.equal(first_of_term, log:first_of_term(hint_term))
  local stats, snapshot = log:stats(), log:snapshot()
  assert.same({ m.last - m.base, bytes, terms }, { stats.entries, stats.bytes, stats.terms })
  assert.same(m.snapshot and { m.snapshot.index, m.snapshot.term, m.snapshot.info },
    snapshot and { snapshot.index, snapshot.term, snapshot.info })
  for i = 1, 3 do assert.equal(m.stable["k" .. i], log:stable("k" .. i)) end
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

local function run(kind, seed)
  local random = generator(seed)
  local db = kind.open()
  local log, m = Log.open(db, "replog"), model.new()
  for _ = 1, STEPS do
    local what = random(1, 11)
    if what <= 5 then
      m = save(log, m, random_fields(random, m))
    elseif what <= 8 then
      m = nest(random, function(fn) return db:update(fn) end, log, m, 1)
    elseif what == 9 then
      log = Log.open(db, "replog")
    elseif what == 10 then
      log:sweep(64)
    else
      db = kind.reopen(db)
      log = Log.open(db, "replog")
    end
    compare(random, log, m)
  end
  assert.same({}, log:verify())
  local copy = Log.memory()
  log:copy_to(copy)
  compare(random, copy, m)
end

for _, kind in ipairs(logs.kinds) do
  describe("the log, " .. kind.name, function()
    after_each(scratch.clean)

    local function agree(first, last)
      for seed = first, last do
        local ok, failure = pcall(run, kind, seed)
        if not ok then error(("SEED=%d: %s"):format(seed, tostring(failure)), 0) end
        scratch.clean()
      end
    end

    it("does what a plain Lua model of it does", function()
      local only = tonumber(os.getenv("SEED"))
      agree(only or 1, only or SEEDS)
    end)

    it("does so for more seeds #slow", function() agree(SEEDS + 1, SEEDS_SLOW) end)
  end)
end
