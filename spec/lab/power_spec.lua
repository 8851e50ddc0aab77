local oracles = require "jangada.lab.oracle"
local power = require "jangada.lab.power"
local store = require "jangada.store"
local temporary = require "spec.support.temporary"

describe("a power failure", function()
  local place = {}
  setup(function() place.path, place.owner = temporary.directory() end)
  teardown(function() place = {} end)

  local function open(rig)
    local db, message = store.open(rig.path, {durability = "journal", journal_size = 1 << 16,
      journal_disk = rig.disk})
    return assert(db, message)
  end

  local runs = 0
  local function new_rig()
    runs = runs + 1
    return {path = ("%s/%d.db"):format(place.path, runs), disk = store.memory_disk()}
  end

  -- Commits the next item without waiting for it; its value is of that many bytes.
  local function commit(rig, db, size)
    rig.n = (rig.n or 0) + 1
    local tx = db:begin("write")
    tx:ensure_bucket("b"):put(("%03d"):format(rig.n), ("v"):rep(size))
    tx:commit{wait = false}
    local journal = db:info().journal
    return {lsn = journal.lsn, used = journal.used, checkpoint_lsn = journal.checkpoint_lsn}
  end

  -- How many items there are; they are the first ones.
  local function count(db)
    return db:view(function(tx)
      local n = 0
      for key in tx:bucket("b"):each() do
        n = n + 1
        assert.equal(("%03d"):format(n), key)
      end
      return n
    end)
  end

  -- Some commits that are flushed and five that are not, then the failure: how many survive.
  local function fail(accident, seed, size, flushed)
    local rig = new_rig()
    local db = open(rig)
    for _ = 1, flushed or 3 do commit(rig, db, size) end
    db:flush()
    local commits = {}
    for i = 1, 5 do commits[i] = commit(rig, db, size) end
    local tail = power.fail(db, rig.disk, commits, accident, oracles.new(seed):stream("power"))
    db = open(rig)
    local survived = count(db) - (flushed or 3)
    commit(rig, db, size) -- it serves on
    db:flush()
    db:close()
    return survived, tail
  end

  it("leaves as many commits as it is told, and garbage behind them, or nothing", function()
    for _, tail in ipairs{"cut", "scribbled"} do
      for keep = 0, 6 do
        for _, size in ipairs{1, 300, 2000} do
          assert.equal(math.min(keep, 5), (fail({keep = keep, tail = tail}, keep + size, size)))
        end
      end
    end
  end)

  it("that tears leaves these, and of the sectors behind them any", function()
    local counts = {}
    for seed = 1, 40 do
      local survived = fail({keep = 2, tail = "torn"}, seed, 700)
      assert.is_true(survived >= 2 and survived <= 5)
      counts[survived] = (counts[survived] or 0) + 1
    end
    assert.is_true(counts[2] > 5 and (counts[3] or 0) > 2, counts[2])
  end)

  it("draws what it is not told", function()
    local kept, tails = {}, {}
    for seed = 1, 60 do
      local survived, tail = fail({}, seed, 100)
      kept[survived], tails[tail] = true, true
    end
    for n = 0, 5 do assert.is_true(kept[n], n) end
    assert.same({cut = true, torn = true, scribbled = true}, tails)
  end)

  it("leaves what a checkpoint has brought into the file, whatever it is told", function()
    for seed, tail in ipairs{"cut", "torn", "scribbled"} do
      for keep = 0, 5 do
        local rig, commits = new_rig(), {}
        local db = open(rig)
        commit(rig, db, 10)
        db:flush()
        for i = 1, 5 do
          commits[i] = commit(rig, db, 10)
          if i == 3 then db:checkpoint() end
        end
        power.fail(db, rig.disk, commits, {keep = keep, tail = tail},
          oracles.new(seed):stream("power"))
        db = open(rig)
        local survived = count(db) - 1
        if tail == "torn" then
          assert.is_true(survived >= math.max(3, keep))
        else
          assert.equal(math.max(3, keep), survived)
        end
        db:close()
      end
    end
  end)
end)
