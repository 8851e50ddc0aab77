-- When what is in the journal comes into the file, and what happens when it cannot.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"
local store = require "jangada.store"

local raises, run_held = fresh.raises, journals.run_held

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

  it("is made after 5 seconds, when the next write begins #slow", function()
    local rig = journals.rig()
    rig:put("1")
    assert.equal(2, behind(rig.db))
    os.execute("sleep 5.1")
    assert.equal(2, behind(rig.db))
    assert.equal("1", rig:keys())
    rig.db:begin("write"):rollback()
    assert.equal(0, behind(rig.db))
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

describe("with a full disk", function()
  after_each(fresh.clean)

  -- Fills the journal: commits until one raises; prints how many, and what it raised.
  local fill_journal = [[
    local n, failure = 0
    repeat
      n = n + 1
      failure = code(put, ("%03d"):format(n), true, ("v"):rep(3000))
    until failure ~= "ok"
    print(n > 10, failure)
  ]]

  it("commits go on until the journal is full, too; then they raise no_space", function()
    local output, path = run_held([[
      put("000", true)
      fill()
    ]] .. fill_journal .. [[
      print(db:view(function(tx) return tx:bucket("b"):count() end) == n)
      print(code(put, "x", false, ("v"):rep(3000)), code(put, "large", true, ("v"):rep(80000)))
      print(code(put, "small", true), code(put, "small, too"))
      print(code(db.checkpoint, db), code(db.begin, db, "read"), code(db.backup, db, path .. "-b"))
      print(code(db.check, db), code(db.view, db, type), code(db.flush, db))
      print(db:stats().checkpoint_failures > 0, db:info().journal.behind > 10)
      io.open(path .. "-n", "w"):write(n):close()
      db:abandon()
    ]])
    assert.equal("true\tno_space\ntrue\nno_space\tno_space\nok\tok\n"
      .. "no_space\tno_space\tno_space\nno_space\tok\tok\ntrue\ttrue\n", output)
    local file <close> = io.open(path .. "-n")
    local n = file:read("n")
    os.remove(path .. "-n")
    local db = journals.open(path)
    db:view(function(tx)
      local keys = fresh.keys(tx:bucket("b"):each())
      assert.equal(n + 2, #keys)
      assert.same({ "000", "001", "small", "small, too" },
        { keys[1], keys[2], keys[#keys - 1], keys[#keys] })
    end)
    assert.is_true((db:check()))
  end)

  it("nothing was lost when there is room again, and it goes on", function()
    local output, path = run_held([[
      db:update(function(tx)
        tx:create_bucket("dropped"):put("k", "v")
        tx:create_bucket("made"):create_bucket("own", { tree = true }):put("k", "v")
      end)
      fill()
      db:update(function(tx)
        tx:delete_bucket("dropped")
        tx:create_bucket("new"):put("k", "new")
        tx:create_bucket("newer"):put("k", "newer")
      end)
    ]] .. fill_journal .. [[
      db:update(function(tx)
        assert(not tx:bucket("dropped"))
        assert(tx:bucket("new"):get("k") == "new" and tx:bucket("newer"):get("k") == "newer")
        assert(tx:bucket("made"):bucket("own"):get("k") == "v")
        tx:bucket("new"):delete("k")
        tx:create_bucket("newest"):put("k", "newest")
        assert(tx:bucket("newer"):get("k") == "newer")
      end)
      free()
      db:checkpoint()
      put("last", true)
      print(db:info().journal.behind, #db:readers())
      db:abandon()
    ]])
    assert.equal("true\tno_space\n1\t0\n", output)
    local db = journals.open(path)
    db:view(function(tx)
      assert.is_nil(tx:bucket("dropped"))
      assert.is_nil(tx:bucket("new"):get("k"))
      assert.equal("newest", tx:bucket("newest"):get("k"))
      assert.equal("newer", tx:bucket("newer"):get("k"))
      assert.equal("v", tx:bucket("made"):bucket("own"):get("k"))
      assert.equal("v", tx:bucket("b"):get("last"))
    end)
    assert.is_true((db:check()))
  end)

  it("a transaction too large for the journal is rolled back, with all that it made", function()
    local output, path = run_held([[
      put("1", true)
      fill()
      local ran = {}
      print(code(db.update, db, function(tx)
        tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
        tx:on_commit(function() ran[#ran + 1] = "commit" end)
        local x = tx:create_bucket("x")
        for i = 1, 9 do x:put("k" .. i, ("v"):rep(30000)) end
      end))
      print(table.concat(ran, " "))
      db:update(function(tx)
        print(tx:bucket("x"))
        local y = tx:create_bucket("y")
        local x = tx:create_bucket("x")
        y:put("in", "y")
        x:put("in", "x")
      end)
      free()
      put("2", true)
      db:abandon()
    ]])
    assert.equal("no_space\nrollback\nnil\n", output)
    local db = journals.open(path)
    db:view(function(tx)
      for _, name in ipairs{ "x", "y" } do
        assert.same({ { "in", name } }, fresh.gather(tx:bucket(name):each()))
      end
      assert.same({ "1", "2" }, fresh.keys(tx:bucket("b"):each()))
    end)
    assert.is_true((db:check()))
  end)

  it("or when only its last checkpoint fails", function()
    local output, path = run_held([[
      put("1", true)
      local failure = code(db.update, db, function(tx)
        local x = tx:create_bucket("x")
        for i = 1, 9 do x:put("k" .. i, ("v"):rep(30000)) end
        fill()
      end)
      db:update(function(tx)
        print(failure, tx:bucket("x"))
        local y = tx:create_bucket("y")
        local x = tx:create_bucket("x")
        y:put("in", "y")
        x:put("in", "x")
      end)
      free()
      db:close()
    ]])
    assert.equal("no_space\tnil\n", output)
    journals.open(path):view(function(tx)
      for _, name in ipairs{ "x", "y" } do
        assert.same({ { "in", name } }, fresh.gather(tx:bucket(name):each()))
      end
    end)
  end)

  it("a failure that the transaction caught leaves nothing of it", function()
    assert.equal("no_space\ttx_failed\tnil\nv\n", (run_held([[
      put("1", true)
      fill()
      local inner
      local outer = code(db.update, db, function(tx)
        local b = tx:bucket("b")
        for i = 1, 9 do
          inner = inner or code(b.put, b, "k" .. i, ("v"):rep(30000))
          if inner == "ok" then inner = nil end
        end
      end)
      print(inner, outer, db:view(function(tx) return tx:bucket("b"):get("k1") end))
      print(db:view(function(tx) return tx:bucket("b"):get("1") end))
      db:abandon()
    ]])))
  end)

  it("close raises no_space, and the journal keeps it all, flushed", function()
    local output, path = run_held([[
      db:close()
      db = assert(store.open(path, { durability = "journal", flusher = false }))
      put("1", true)
      fill()
      local ticket = put("2")
      print(code(db.close, db), ticket:is_durable(), code(db.view, db))
      print((select(3, store.open(path, { durability = "journal" }))))
      free()
    ]])
    assert.equal("no_space\ttrue\tdb_closed\nno_space\n", output)
    assert.equal("journal_pending", (select(3, store.open(path, { read_only = true }))))
    local db = journals.open(path)
    db:view(function(tx) assert.same({ "1", "2" }, fresh.keys(tx:bucket("b"):each())) end)
  end)

  it("close raises poisoned when not even the journal could be flushed", function()
    assert.equal("poisoned\tfalse\ttrue\n", (run_held([[
      local before = put("1", true) or put("2")
      before:wait()
      hold()
      local ticket = put("3")
      lose()
      release()
      print(code(db.close, db), ticket:is_durable(), before:is_durable())
    ]])))
  end)

  it("crowded trees wait for their removal, and commits do not", function()
    local output = run_held([[
      db:close()
      local options = { durability = "journal", journal_size = 1 << 16, trees_max = 8 }
      db = assert(store.open(path, options))
      put("first", true) -- the file is marked as one that needs its journal
      fill()
      put("more than the file has room for", true, ("v"):rep(30000))
      for i = 1, 4 do
        db:update(function(tx) tx:create_bucket("tree " .. i):put("k", "v") end)
        db:update(function(tx) tx:delete_bucket("tree " .. i) end)
      end
      print(db:info().trees, db:stats().checkpoint_failures > 0)
      free()
      put("last", true)
      print(db:info().trees)
      db:close()
    ]])
    assert.equal("6\ttrue\n2\n", output)
  end)
end)

describe("a removal of deleted trees that fails", function()
  after_each(fresh.clean)

  it("is tried again", function()
    local output, path = run_held([[
      db:close()
      local options = { durability = "journal", journal_size = 1 << 16, trees_max = 8 }
      db = assert(store.open(path, options))
      db:update(function(tx) for i = 1, 2 do tx:create_bucket("tree " .. i):put("k", "v") end end)
      db:update(function(tx) for i = 1, 2 do tx:delete_bucket("tree " .. i) end end)
      db:checkpoint()
      lose()
      print(code(put, "1", true), code(put, "1", true), db:info().trees)
      find()
      put("2", true)
      print(db:info().trees)
      db:update(function(tx) for name in tx:buckets() do print(name) end end)
      db:abandon()
    ]])
    assert.equal("io_error\tio_error\t4\n2\nb\n", output)
    journals.open(path):view(function(tx)
      assert.same({ "2" }, fresh.keys(tx:bucket("b"):each()))
    end)
  end)
end)

describe("near the end of the map", function()
  after_each(fresh.clean)

  it("what was acknowledged fits into the file", function()
    for _, size in ipairs{ 10, 300, 3000 } do
      local rig = journals.rig{ size_max = 1 << 20, journal_size = 1 << 22 }
      local n, failure = 0
      repeat
        n = n + 1
        local key = ("%06d"):format(n * 7919 % 999983)
        failure = select(2, pcall(rig.put, rig, key, ("v"):rep(size)))
      until failure
      assert.equal("map_full", failure.code)
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

describe("what may be open at once", function()
  after_each(fresh.clean)

  local calls = {
    view = function(db) db:view(function() end) end,
    update = function(db) db:update(function() end) end,
    batch = function(db) db:batch{ function() end } end,
    write = function(db) db:begin("write"):rollback() end,
    read = function(db) db:begin("read"):rollback() end,
    checkpoint = function(db) db:checkpoint() end,
    backup = function(db) db:backup(fresh.path()) end,
    check = function(db) db:check() end,
    flush = function(db) db:flush() end,
    sync = function(db) db:sync() end,
    info = function(db) db:info() end,
    stats = function(db) db:stats() end,
    readers = function(db) db:readers() end,
    close = function(db) db:close() end,
    durable_fd = function(db) db:durable_fd() end,
    abandon = function(db) db:abandon() end,
    force = function(db) db:close{ force = true } end,
  }

  -- While something is open each call raises the code that is named, or works.
  local function assert_calls(db, codes)
    for name, call in pairs(calls) do
      local ends = name == "abandon" or name == "force"
      if codes[name] then
        raises(codes[name], call, db)
      elseif not ends then
        call(db)
      end
    end
  end

  it("beside a view, in it and in one within it: only what reads what it reads", function()
    local rig = journals.rig()
    local r = "read_tx_active"
    local codes = { update = r, batch = r, write = r, read = r, checkpoint = r, backup = r,
      check = r, close = "tx_open", force = r, abandon = r }
    rig:put("1")
    rig.db:view(function(tx)
      assert_calls(rig.db, codes)
      rig.db:view(function() assert_calls(rig.db, codes) end)
      pcall(rig.db.view, rig.db, error)
      assert_calls(rig.db, codes)
      assert.equal("v", tx:bucket("b"):get("1"))
    end)
    rig:put("2")
    assert.equal("1 2", rig:keys())
  end)

  it("beside a write transaction: only what needs no other", function()
    local rig = journals.rig()
    local w = "write_tx_active"
    local codes = { view = w, update = w, batch = w, write = w, read = w, checkpoint = w,
      backup = w, check = w, close = "tx_open" }
    rig.db:update(function(tx)
      tx:bucket("b"):put("1", "v")
      assert_calls(rig.db, codes)
      tx:savepoint(function() assert_calls(rig.db, codes) end)
      assert.equal("v", rig.db:write_tx():bucket("b"):get("1"))
    end)
    local snapshot = rig.db:begin("read")
    local tx = rig.db:begin("write")
    assert_calls(rig.db, codes)
    assert.equal("v", snapshot:bucket("b"):get("1"))
    tx:bucket("b"):put("2", "v")
    tx:commit()
    assert.is_nil(snapshot:bucket("b"):get("2"))
    snapshot:rollback()
    assert.equal("1 2", rig:keys())
  end)

  it("beside a snapshot: everything, but a close without force", function()
    local rig = journals.rig()
    local snapshot = rig.db:begin("read")
    assert_calls(rig.db, { close = "tx_open" })
    rig:put("1")
    assert_calls(rig.db, { close = "tx_open" })
    rig.db:view(function() assert.is_nil(snapshot:bucket("b"):get("1")) end)
    rig.db:close{ force = true }
    raises("tx_closed", snapshot.bucket, snapshot, "b")
  end)

  it("ends with a forced close or a death, whatever it was", function()
    for _, way in ipairs{ "force", "abandon" } do
      local rig = journals.rig()
      rig:put("1")
      local snapshot, tx = rig.db:begin("read"), rig.db:begin("write")
      local b = tx:bucket("b")
      b:put("2", "v")
      calls[way](rig.db)
      raises("tx_closed", b.get, b, "2")
      raises("tx_closed", snapshot.bucket, snapshot, "b")
      rig:open()
      assert.equal("1", rig:keys())
    end
  end)

  it("a view whose DB is collected or closed by a finalizer ends with it", function()
    local rig = journals.rig()
    rig:put("1")
    raises("tx_closed", rig.db.view, rig.db, function(tx)
      getmetatable(rig.db).__close(rig.db)
      raises("tx_closed", tx.bucket, tx, "b")
    end)
    rig:open()
    assert.equal("1", rig:keys())
  end)
end)

describe("a transaction too large for the journal, left on another thread", function()
  if not children.process then return pending(children.missing) end
  after_each(fresh.clean)

  it("is ended before anything waits for it", function()
    local ways = {
      function(db) db:close() end,
      function(db) db:backup(fresh.path()) end,
      function(db) db:checkpoint() end,
      function(db) db:view(function() end) end,
      function(db) db:update(function() end) end,
    }
    for _, way in ipairs(ways) do
      assert.equal("1", children.run(function()
        local process = children.process
        local rig = journals.rig()
        rig:put("1")
        collectgarbage("stop")
        local b = rig.db:begin("write"):bucket("b")
        for i = 1, 9 do b:put("large" .. i, ("v"):rep(30000)) end
        b = nil
        process.alarm(10)
        process.in_thread(function() collectgarbage() collectgarbage() end)
        collectgarbage("restart")
        way(rig.db)
        if rig.db:path() == "" then rig:open() end
        local keys = rig:keys()
        fresh.clean()
        return b or keys
      end))
    end
  end)
end)
