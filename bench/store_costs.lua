-- What single things cost in the store, each against the same thing without what is measured.
--
-- Both sides take turns, in many short rounds; figures and ratios are those of the median round.
-- What is bounded, and by what, stands in the last column.

local screens = require "jangada.cli.screen"
local store = require "jangada.store"

local ROUNDS <const> = 41

local pipe <close> = assert(io.popen("mktemp -d"))
local directory = pipe:read("l")
local made = 0

local function fresh_path()
  made = made + 1
  return ("%s/%d.db"):format(directory, made)
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- The median seconds of two functions, which take turns, and the median of what the first took more
-- than the second, and of how many times its time.
local function time(first, second)
  local functions, seconds = { first, second }, { {}, {} }
  local differences, ratios = {}, {}
  for round = 1, ROUNDS do
    for i, fn in ipairs(functions) do
      collectgarbage()
      local started = os.clock()
      fn()
      seconds[i][round] = os.clock() - started
    end
    differences[round] = seconds[1][round] - seconds[2][round]
    ratios[round] = seconds[1][round] / seconds[2][round]
  end
  return median(seconds[1]), median(seconds[2]), median(differences), median(ratios)
end

local screen = screens.new()
local rows = {}

local function report(what, ours, against, bound, holds)
  rows[#rows + 1] = { what, ours, against, (holds and "" or "NOT ") .. bound }
end

local function fill(bucket, count, size)
  local value = ("v"):rep(size)
  for i = 1, count do bucket:put(("key %07d"):format(i), value) end
end

do -- a view with one read, over the read alone
  local N <const> = 20000
  local db <close> = assert(store.open(fresh_path()))
  db:update(function(tx) fill(tx:create_bucket("b"), 1000, 100) end)
  local function read_one(tx) return tx:bucket("b"):get("key 0000500") end
  local _, reads, difference = time(function()
    for _ = 1, N do db:view(read_one) end
  end, function()
    db:view(function(tx)
      for _ = 1, N do read_one(tx) end
    end)
  end)
  local over = difference / N * 1e6
  report("a view around a bucket and one read", ("%.2f us more"):format(over),
    ("%.2f us"):format(reads / N * 1e6), "under 1 us more", over < 1)
end

do -- reads from a nested bucket against a top-level one
  local N <const>, COUNT <const> = 40000, 10000
  local db <close> = assert(store.open(fresh_path()))
  db:update(function(tx)
    fill(tx:create_bucket("top"), COUNT, 100)
    fill(tx:create_bucket("outer"):create_bucket("nested"), COUNT, 100)
  end)
  local keys = {}
  for i = 1, 1000 do keys[i] = ("key %07d"):format(i * 7919 % COUNT + 1) end
  db:view(function(tx)
    local function read(bucket)
      return function()
        for i = 1, N do bucket:get(keys[i % 1000 + 1]) end
      end
    end
    local _, top, _, ratio = time(read(tx:bucket("outer"):bucket("nested")), read(tx:bucket("top")))
    report("a read in a nested bucket", ("%.2f times"):format(ratio),
      ("%.2f us"):format(top / N * 1e6), "at most 1.15 times", ratio <= 1.15)
  end)
end

do -- 10,000 nested buckets in the file
  local N <const>, OPENINGS <const> = 500, 50
  local few, many = fresh_path(), fresh_path()
  for path, buckets in pairs{ [few] = 1, [many] = 10000 } do
    local db <close> = assert(store.open(path, { durability = "none" }))
    db:update(function(tx)
      local outer = tx:create_bucket("outer")
      for i = 1, buckets do outer:create_bucket(("bucket %05d"):format(i)):put("k", "v") end
      tx:create_bucket("b"):put("k", "v")
    end)
  end
  local function open(path)
    return function()
      for _ = 1, OPENINGS do
        local _db <close> = assert(store.open(path, { durability = "none" }))
      end
    end
  end
  local _, without, _, ratio = time(open(many), open(few))
  report("opening a file with 10,000 nested buckets", ("%.2f times"):format(ratio),
    ("%.0f us"):format(without / OPENINGS * 1e6), "at most 1.10 times", ratio <= 1.1)
  local function commit(path)
    local db = assert(store.open(path, { durability = "none" }))
    return db, function()
      for i = 1, N do
        db:update(function(tx) tx:bucket("b"):put("k", tostring(i)) end)
      end
    end
  end
  local many_db, many_commits = commit(many)
  local few_db, few_commits = commit(few)
  _, without, _, ratio = time(many_commits, few_commits)
  many_db:close()
  few_db:close()
  report("a commit in a file with 10,000 nested buckets", ("%.2f times"):format(ratio),
    ("%.2f us"):format(without / N * 1e6), "at most 1.10 times", ratio <= 1.1)
end

do -- deleting a tree
  local COUNT <const> = 200000
  local db <close> = assert(store.open(fresh_path(), { durability = "none" }))
  local seconds = {}
  for round = 1, 3 do
    db:update(function(tx) fill(tx:create_bucket("b"), COUNT, 100) end)
    db:update(function(tx)
      local started = os.clock()
      tx:delete_bucket("b")
      seconds[round] = os.clock() - started
    end)
  end
  local ms = median(seconds) * 1000
  report("deleting a bucket of 200,000 keys", ("%.2f ms"):format(ms), "-", "under 5 ms", ms < 5)
end

screen:table({ "what", "costs", "against", "bound" }, rows)
os.execute("rm -r " .. directory)
