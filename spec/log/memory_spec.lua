-- The store in memory against the real one: the same calls give the same answers.
local Log = require "jangada.log"
local logs = require "spec.support.logs"
local memory = require "jangada.log.memory"
local scratch = require "spec.support.scratch"
local store = require "jangada.store"

local raises = logs.raises

local function gather(iterator, ...)
  local found = {}
  for key, value in iterator, ... do found[#found + 1] = { key, value } end
  return found
end

-- What a bucket holds and says of itself.
local function content(bucket)
  local cursor = bucket:cursor()
  return {
    all = gather(bucket:each()), count = bucket:count(), sequence = bucket:sequence(),
    first = { cursor:first() }, last = { cursor:last() },
    reverse = gather(bucket:each{ reverse = true, limit = 3 }),
  }
end

-- A small generator of our own, so that a seed is the same run everywhere.
local function generator(seed)
  local state = seed * 0x9E3779B97F4A7C15 + 1
  return function(m, n)
    state = state * 6364136223846793005 + 1442695040888963407
    return m + (state >> 33) % (n - m + 1)
  end
end

local steps = {
  function(random, bucket, key) bucket:put(key(), tostring(random(1, 99))) end,
  function(_, bucket, key) return bucket:delete(key()) end,
  function(_, bucket, key) return bucket:get(key()) end,
  function(_, bucket, key)
    local from, to = key(), key()
    if from > to then from, to = to, from end
    return bucket:delete_range(from, to)
  end,
  function(_, bucket, key) return bucket:delete_range(nil, key()) end,
  function(_, bucket) return bucket:next_sequence() end,
  function(_, bucket, key) return { bucket:cursor():seek(key()) } end,
  function(_, bucket, key) return gather(bucket:each{ from = key(), limit = 3 }) end,
  function(_, bucket, key) return gather(bucket:each{ to = key(), reverse = true }) end,
  function(random, bucket, key)
    if type(key()) ~= "string" then
      local last = bucket:cursor():last() or 0
      return bucket:append(last + random(1, 3), { "a", "b", "c" })
    end
    return gather(bucket:each{ prefix = key():sub(1, 2), reverse = random(0, 1) == 1 })
  end,
}

local UNDO <const> = {}

local function run(db, seed)
  local random, told = generator(seed), {}
  local function tell(value) told[#told + 1] = value == nil and "nil" or value end
  local function key_of(kind)
    return function()
      if kind == "integer" then return random(1, 40) end
      return ("k%d/%d"):format(random(1, 3), random(1, 9))
    end
  end
  local function change(parent)
    for _ = 1, random(1, 12) do
      local kind = random(0, 1) == 1 and "integer" or "string"
      local bucket = parent:ensure_bucket(kind, { keys = kind })
      tell(steps[random(1, #steps)](random, bucket, key_of(kind)))
      tell(content(bucket))
    end
  end
  local function nest(tx, depth)
    change(tx)
    if depth < 3 and random(1, 2) == 1 then
      tx:on_rollback(function() tell("rolled back " .. depth) end)
      tell((pcall(tx.savepoint, tx, function()
        tx:on_rollback(function() tell("undone " .. depth) end)
        nest(tx, depth + 1)
        if random(1, 2) == 1 then error(UNDO, 0) end
      end)))
      change(tx:ensure_bucket("nested"))
    end
    if random(1, 6) == 1 and tx:bucket("nested") then tx:delete_bucket("nested") end
  end
  for _ = 1, 20 do
    tell((pcall(db.update, db, function(tx)
      nest(tx, 1)
      if random(1, 3) == 1 then error(UNDO, 0) end
    end)))
    db:view(function(tx)
      for _, name in ipairs{ "integer", "string" } do
        local bucket = tx:bucket(name)
        tell(bucket and content(bucket))
      end
      local nested = tx:bucket("nested")
      tell(nested and nested:bucket("string") and content(nested:bucket("string")))
    end)
  end
  return told
end

describe("a store in memory", function()
  after_each(scratch.clean)

  local function compare(first, last)
    for seed = first, last do
      local expected, found = run(scratch.open(), seed), run(memory.open(), seed)
      for i, answer in ipairs(expected) do
        assert.same(answer, found[i], ("SEED=%d, answer %d"):format(seed, i))
      end
      assert.equal(#expected, #found)
      scratch.clean()
    end
  end

  it("answers as one in a file does", function()
    local only = tonumber(os.getenv("SEED"))
    compare(only or 1, only or 20)
  end)

  it("answers so to more seeds #slow", function() compare(21, 60) end)

  it("reads records as a bucket in a file does", function()
    local layout = "n:I4 :T sum:T :C text:*"
    for _, db in ipairs{ scratch.open(), memory.open() } do
      db:update(function(tx)
        local bucket = tx:create_bucket("b", { keys = "integer" })
        local rows = {}
        for i = 1, 5 do rows[i] = { n = i, text = ("x"):rep(i) } end
        assert.equal(5, bucket:append(1, (store.pack_records(layout, 1, rows))))
        local function read(...) return table.pack(bucket:records(layout, ...)) end
        assert.same({ n = 5, 2, { 2, 3 }, { 3, 6 }, { "xx", "xxx" }, nil }, read(2, 3))
        assert.equal(2, read(1, 5, 3)[1])
        assert.equal(1, read(1, 5, 0)[1])
        assert.same({ n = 5, 0, {}, {}, {}, "is missing" }, read(6, 7))
        bucket:put(2, "short")
        assert.matches("^is damaged: it has 5 bytes", read(1, 5)[5])
        assert.equal(1, read(1, 5)[1])
      end)
    end
  end)

  it("refuses what one in a file refuses", function()
    for _, db in ipairs{ scratch.open(), memory.open() } do
      db:update(function(tx)
        local bucket = tx:create_bucket("b", { keys = "integer" })
        tx:create_bucket("s")
        bucket:append(3, { "x" })
        raises("not_ascending", bucket.append, bucket, 3, { "y" })
        raises("bucket_exists", tx.create_bucket, tx, "b")
        raises("bucket_not_found", tx.delete_bucket, tx, "c")
        raises("incompatible", tx.ensure_bucket, tx, "s", { keys = "integer" })
        raises("write_tx_active", db.update, db, print)
      end)
      db:view(function(tx)
        raises("tx_not_writable", tx.on_rollback, tx, print)
        local bucket = tx:bucket("b")
        raises("tx_not_writable", bucket.put, bucket, 1, "x")
      end)
      local tx = db:begin("write")
      tx:commit()
      raises("tx_closed", tx.commit, tx)
      raises("tx_closed", tx.rollback, tx)
    end
  end)
end)

describe("Log.memory", function()
  it("gives a log of its own each time", function()
    local one, two = Log.memory(), Log.memory()
    one:save{ term = 1 }
    assert.equal(0, (two:hard_state()))
  end)

  it("holds a large log, and gives its memory back when it is compacted", function()
    local log, batch = Log.memory(), {}
    for i = 1, 1000 do batch[i] = { term = 1, data = ("x"):rep(100) } end
    log:save{ term = 1 }
    collectgarbage()
    local empty = collectgarbage("count")
    for _ = 1, 50 do log:save{ entries = batch } end
    collectgarbage()
    local full = collectgarbage("count")
    assert.is_true(full - empty > 5000)
    log:save{ commit = 50000, snapshot = { index = 50000, term = 1 }, compact = 49990 }
    while log:sweep() > 0 do end
    collectgarbage()
    assert.is_true(collectgarbage("count") - empty < (full - empty) / 3)
    assert.equal(10, log:stats().entries)
  end)
end)
