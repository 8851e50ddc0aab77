-- When what is in the journal comes into the file, and what happens when it cannot.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"

local raises = fresh.raises

local function checkpoints(db) return db:stats().checkpoints.count end

local function behind(db) return db:info().journal.behind end

describe("a checkpoint", function()
  after_each(fresh.clean)

  it("is made when the journal has no room for a commit", function()
    local rig = journals.rig()
    local before, made = checkpoints(rig.db), 0
    for i = 1, 300 do
      rig:put(("%03d"):format(i), ("v"):rep(1000))
      local info = rig.db:info().journal
      assert.is_true(info.used <= 65536)
      assert.equal(i + 1, info.lsn)
      if info.behind == 0 then made = made + 1 end
    end
    assert.equal(before + made, checkpoints(rig.db))
    assert.is_true(made >= 4 and made <= 6, made)
    rig:crash()
    rig:open()
    rig.db:view(function(tx) assert.equal(300, tx:bucket("b"):count()) end)
  end)

  it("is made when many pages have changed, long before the journal is full", function()
    local rig = journals.rig{ journal_size = 1 << 30, journal_disk = false }
    rig.db:update(function(tx)
      for i = 1, 30000 do tx:bucket("b"):put(("%05d"):format(i), ("v"):rep(300)) end
    end)
    rig.db:checkpoint()
    local before, n = checkpoints(rig.db), 0
    while checkpoints(rig.db) == before do
      n = n + 1
      assert.is_true(n < 10000)
      rig:put(("%05d"):format(n * 7919 % 30000), "new") -- each on a page of its own
    end
    assert.is_true(rig.db:info().journal.used < 1 << 20)
  end)

  it("is made after 5 seconds, when the next write begins; not for a journal in memory, where a "
    .. "simulation has time of its own #slow", function()
    local rig, simulated = journals.rig{ journal_disk = false }, journals.rig()
    for _, one in ipairs{ rig, simulated } do
      one:put("1")
      assert.equal(2, behind(one.db))
    end
    os.execute("sleep 5.1")
    assert.equal(2, behind(rig.db))
    assert.equal("1", rig:keys())
    for _, one in ipairs{ rig, simulated } do one.db:begin("write"):rollback() end
    assert.equal(0, behind(rig.db))
    assert.equal(2, behind(simulated.db))
  end)

  it("is made on demand, by snapshots, backup, check and close, and by nothing else", function()
    local ways = {
      checkpoint = function(db) db:checkpoint() end,
      snapshot = function(db) db:begin("read"):rollback() end,
      backup = function(db) db:backup(fresh.path()) end,
      check = function(db) assert.is_true((db:check())) end,
      close = function(db) db:close() end,
      view = function(db) db:view(function() end) end,
      update = function(db) db:update(function() end) end,
      flush = function(db) db:flush() end,
      sync = function(db) db:sync() end,
      stats = function(db) db:stats() end,
      info = function(db) db:info() end,
      readers = function(db) db:readers() end,
    }
    local makes = { checkpoint = 1, snapshot = 1, backup = 1, check = 1, close = 1 }
    for name, way in pairs(ways) do
      local rig = journals.rig()
      rig:put("1")
      local before = checkpoints(rig.db)
      way(rig.db)
      if name ~= "close" then
        assert.equal(before + (makes[name] or 0), checkpoints(rig.db), name)
        assert.equal(makes[name] and 0 or 2, behind(rig.db), name)
        if name ~= "backup" then way(rig.db) end -- nothing to bring in: none
        assert.equal(before + (makes[name] or 0), checkpoints(rig.db), name)
      end
      rig:crash()
      rig:open()
      assert.equal(makes[name] and 0 or 2, rig.db:info().journal.replayed, name)
      assert.equal("1", rig:keys())
      rig.db:close()
    end
  end)

  it("shows other programs what they did not see before it", function()
    if not programs.has_tools then return pending(programs.no_tools) end
    local rig = journals.rig()
    rig.db:checkpoint()
    local function entries()
      return programs.must("mdb_stat -n -s b '%s'", rig.path):match("Entries: (%d+)")
    end
    for i = 1, 3 do
      rig:put(tostring(i))
      assert.equal("0", entries())
      assert.equal(i, behind(rig.db))
    end
    rig.db:checkpoint()
    assert.equal("3", entries())
    assert.equal(0, behind(rig.db))
  end)

  it("leaves snapshots as they are, and readers older than it", function()
    local rig, snapshots = journals.rig(), {}
    for i = 1, 6 do
      rig.db:update(function(tx)
        tx:bucket("b"):put("k", tostring(i))
        tx:create_bucket("bucket " .. i):put("k", ("v"):rep(9000))
        if i > 2 then tx:delete_bucket("bucket " .. i - 2) end
      end)
      snapshots[i] = rig.db:begin("read")
      assert.equal(i + 1, snapshots[i]:id())
    end
    for i, snapshot in ipairs(snapshots) do
      assert.equal(tostring(i), snapshot:bucket("b"):get("k"))
      for n = 1, 6 do
        local there = n <= i and n > i - 2
        assert.equal(there, snapshot:bucket("bucket " .. n) ~= nil)
        if there then assert.equal(9000, #snapshot:bucket("bucket " .. n):get("k")) end
      end
    end
    assert.equal(6, #rig.db:readers())
    for _, snapshot in ipairs(snapshots) do snapshot:rollback() end
  end)

  it("at close leaves a file that needs no journal, and so does backup", function()
    local rig = journals.rig{ journal_disk = false }
    rig:put("1")
    local backup = fresh.path()
    rig.db:backup(backup)
    rig:put("2")
    rig.db:close()
    os.remove(rig.path .. "-journal")
    local expected = { [rig.path] = { "1", "2" }, [backup] = { "1" } }
    for path, keys in pairs(expected) do
      for _, options in ipairs{ { durability = "commit" }, { read_only = true }, { shared = true },
        { durability = "journal" }, { durability = "none" } } do
        local db = fresh.open(path, options)
        db:view(function(tx) assert.same(keys, fresh.keys(tx:bucket("b"):each())) end)
        db:close()
      end
      assert.is_nil(io.open(path .. "-journal")) -- nothing was written
    end
  end)

  it("after a backup does not call the file whole any more once something is written", function()
    local rig = journals.rig()
    rig.db:backup(fresh.path())
    rig:put("1")
    rig:crash()
    assert.equal(1, rig:open():info().journal.replayed)
    assert.equal("1", rig:keys())
  end)

  it("is counted, with how long it took", function()
    local rig = journals.rig()
    for i = 1, 20 do
      rig:put(tostring(i))
      rig.db:checkpoint()
    end
    local times, sum = rig.db:stats().checkpoints, 0
    assert.equal(21, times.count) -- one marked the file as in need of its journal
    for _, n in pairs(times.below) do sum = sum + n end
    assert.equal(21, sum)
    assert.equal(0, rig.db:stats().checkpoint_failures)
  end)
end)

describe("deleted trees", function()
  after_each(fresh.clean)

  -- Makes and deletes more trees than there is room for; in some of them something stays.
  local function churn(rig, from, to)
    for i = from, to do
      rig.db:update(function(tx)
        local b = tx:create_bucket("tree " .. i)
        b:put("k", tostring(i))
        b:create_bucket("own", { tree = true }):put("k", tostring(i))
      end)
      rig.db:update(function(tx)
        assert.equal(tostring(i), tx:bucket("tree " .. i):bucket("own"):get("k"))
        tx:delete_bucket("tree " .. i)
        tx:bucket("b"):put("k", tostring(i))
      end)
    end
  end

  it("make room for new ones, over crashes, too", function()
    for _, disk in ipairs{ true, false } do
      local rig = journals.rig{ trees_max = 8, journal_disk = not disk and false or nil }
      for round = 1, 8 do
        churn(rig, round * 10, round * 10 + 5)
        assert.is_true(rig.db:info().trees <= 9)
        rig:crash()
        rig:open()
        rig.db:view(function(tx)
          assert.equal(tostring(round * 10 + 5), tx:bucket("b"):get("k"))
        end)
        assert.is_true((rig.db:check()))
      end
      rig.db:close()
    end
  end)

  it("stay while a snapshot may read them: trees_full, until it ends", function()
    local rig = journals.rig{ trees_max = 8 }
    local snapshot = rig.db:begin("read")
    raises("trees_full", churn, rig, 1, 9)
    assert.is_truthy(snapshot:bucket("b"))
    snapshot:rollback()
    churn(rig, 11, 19)
    rig:crash()
    rig:open()
    rig.db:view(function(tx) assert.equal("19", tx:bucket("b"):get("k")) end)
  end)

  it("that opening removes leave the file as whole as it was", function()
    for _, crashes in ipairs{ true, false } do
      local rig = journals.rig{ journal_disk = false }
      rig.db:update(function(tx) tx:create_bucket("dead"):put("k", "v") end)
      rig.db:update(function(tx) tx:delete_bucket("dead") end)
      if crashes then rig:crash() else rig.db:close() end
      rig:open()
      assert.equal(2, rig.db:info().trees)
      rig.db:abandon()
      os.remove(rig.path .. "-journal")
      rig:open()
      assert.equal("", rig:keys())
      rig.db:close()
    end
  end)
end)

describe("near the end of the map", function()
  after_each(fresh.clean)

  it("what was acknowledged fits into the file", function()
    for _, size in ipairs{ 100, 3000 } do
      local rig = journals.rig{ size_max = 1 << 20, journal_size = 1 << 22 }
      local n, failure = 0
      repeat
        n = n + 1
        local key = ("%06d"):format(n * 7919 % 999983)
        failure = select(2, pcall(rig.put, rig, key, ("v"):rep(size)))
      until failure or n == 100000 -- there should be room for less than 10,000
      assert.equal("map_full", failure and failure.code)
      assert.equal(n, rig.db:info().last_tx_id)
      rig.db:view(function(tx) assert.equal(n - 1, tx:bucket("b"):count()) end)
      for _ = 1, 2 do
        rig:crash()
        rig:open()
        rig.db:view(function(tx) assert.equal(n - 1, tx:bucket("b"):count()) end)
      end
      assert.is_true((rig.db:check()))
      assert.is_true(rig.db:info().size > 600000)
      rig.db:close()
    end
  end)
end)
