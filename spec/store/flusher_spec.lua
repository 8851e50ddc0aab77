-- Who brings records to the disk, with how many flushes, and what a failure does.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"

local raises, run_held = fresh.raises, journals.run_held

describe("a commit that is waited for", function()
  after_each(fresh.clean)

  it("takes one write to the journal and one flush, and nothing else", function()
    local trace = require "spec.support.crash.trace"
    local directory = fresh.path()
    assert(os.execute("mkdir '" .. directory .. "'"))
    local output = fresh.run_recorded([[
      local directory = ...
      local recorder, store = require "spec.recorder", require "jangada.store"
      recorder.start(directory)
      local db = assert(store.open(directory .. "/x.db", { durability = "journal" }))
      db:update(function(tx) tx:create_bucket("b") end)
      recorder.mark("begin")
      for i = 1, 20 do db:update(function(tx) tx:bucket("b"):put("k", "value " .. i) end) end
      recorder.mark("end")
      db:close()
      io.write(recorder.stop())
    ]], directory)
    os.execute("rm -r '" .. directory .. "'")
    local kinds, on = {}, false
    for _, event in ipairs(trace.read(output)) do
      if event.kind == "m" then on = event.data == "begin" end
      if on and event.kind ~= "m" then
        kinds[#kinds + 1] = event.kind
        if event.kind == "w" then assert.equal("JgJ1", event.data:sub(1, 4)) end
      end
    end
    assert.equal(("wsS"):rep(20), table.concat(kinds))
  end)

  it("is counted in stats, with how long it took", function()
    local rig = journals.rig()
    local count = rig.db:stats().flushes.count
    for i = 1, 50 do rig:put(tostring(i)) end
    rig.db:update(function() end)
    rig.db:view(function() end)
    local flushes = rig.db:stats().flushes
    assert.equal(count + 50, flushes.count)
    local sum = 0
    for below, n in pairs(flushes.below) do
      assert.equal(below, 1 << math.tointeger(math.log(below, 2)))
      sum = sum + n
    end
    assert.equal(flushes.count, sum)
    assert.is_true(flushes.max_us <= flushes.total_us)
  end)

  it("flushes what others did not wait for along with it", function()
    local rig = journals.rig()
    local count = rig.db:stats().flushes.count
    local tickets = {}
    for i = 1, 9 do tickets[i] = rig:later(tostring(i)) end
    assert.equal(count, rig.db:stats().flushes.count)
    assert.is_nil(rig.disk:unflushed())
    rig:put("last")
    assert.equal(count + 1, rig.db:stats().flushes.count)
    for i = 1, 9 do assert.is_true(tickets[i]:is_durable()) end
    rig:crash()
    rig:open()
    assert.equal("1 2 3 4 5 6 7 8 9 last", rig:keys())
  end)

  it("waits for what it has seen, though it wrote nothing", function()
    local rig = journals.rig()
    local ticket = rig:later("1")
    rig.db:update(function(tx) assert.equal("v", tx:bucket("b"):get("1")) end)
    assert.is_true(ticket:is_durable())
    local second = rig:later("2")
    local tx = rig.db:begin("write")
    local third = tx:commit{ wait = false }
    assert.is_false(second:is_durable())
    assert.equal(second:id(), third:id())
    assert.is_false(third:is_durable())
    rig.db:flush()
    assert.is_true(third:is_durable())
  end)
end)

describe("the flusher", function()
  after_each(fresh.clean)

  it("is a thread that the first commit nobody waits for starts, and close ends", function()
    assert.equal("1 1 2 2 1\n", (run_held([[
      local counts = { threads() }
      put("1", true)
      counts[2] = threads()
      put("2")
      counts[3] = threads()
      put("3")
      counts[4] = threads()
      db:close()
      counts[5] = threads()
      print(table.concat(counts, " "))
    ]])))
  end)

  it("blocks all signals, and lets the process have them", function()
    local output = run_held([[
      local function mask_of(thread)
        local file <close> = io.open("/proc/self/task/" .. thread .. "/status")
        return file:read("a"):match("SigBlk:%s+(%x+)")
      end
      local own = io.open("/proc/self/stat"):read("n")
      local before = mask_of(own)
      put("1")
      local threads, pipe <close> = {}, io.popen("ls /proc/" .. own .. "/task")
      for thread in pipe:lines() do threads[#threads + 1] = tonumber(thread) end
      pipe:close() -- while it starts a process, Lua's own thread blocks signals, too
      print(#threads, mask_of(own) == before)
      print(mask_of(threads[1] == own and threads[2] or threads[1]))
      db:close()
    ]])
    assert.matches("^2\ttrue\nf+%x+\n$", output)
  end)

  it("takes with the next flush all that gathered during one", function()
    local output, path = run_held([[
      local before = flushes()
      hold()
      local tickets = {}
      for i = 1, 200 do tickets[i] = put(("%03d"):format(i)) end
      print(tickets[1]:is_durable(), tickets[200]:is_durable(), tickets[200]:wait(20), flushes())
      release()
      print(tickets[200]:wait(), tickets[1]:is_durable(), flushes() - before <= 2)
      print(db:info().journal.flushed_lsn)
      db:abandon()
    ]])
    assert.equal("false\tfalse\tfalse\t1\ntrue\ttrue\ttrue\n201\n", output)
    journals.open(path):view(function(tx) assert.equal(200, tx:bucket("b"):count()) end)
  end)

  it("flushes without anybody who waits", function()
    assert.equal("durable\n", (run_held([[
      local ticket = put("1")
      while not ticket:is_durable() do end
      print("durable")
      db:close()
    ]])))
  end)

  it("and a commit that is waited for work one after the other", function()
    local output, path = run_held([[
      for i = 1, 300 do put(("%03d"):format(i), i % 7 == 0) end
      print(db:info().journal.lsn, db:info().journal.flushed_lsn >= 295)
      db:flush()
      print(db:info().journal.flushed_lsn)
      db:abandon()
    ]])
    assert.equal("301\ttrue\n301\n", output)
    journals.open(path):view(function(tx) assert.equal(300, tx:bucket("b"):count()) end)
  end)

  it("is not started with flusher = false: flush, wait and a commit that waits do its work",
    function()
      local db = journals.open(nil, { flusher = false })
      db:update(function(tx) tx:create_bucket("b") end)
      local function put(key)
        local tx = db:begin("write")
        tx:bucket("b"):put(key, "v")
        return tx:commit{ wait = false }
      end
      local function threads()
        local pid = io.open("/proc/self/stat"):read("n")
        local pipe <close> = io.popen(("ls /proc/%d/task"):format(pid))
        return #pipe:read("a")
      end
      local threads_before = threads()
      local one, two = put("1"), put("2")
      assert.equal(threads_before, threads())
      local before = db:stats().flushes.count
      assert.is_false(one:is_durable())
      assert.is_true(one:wait(0))
      assert.is_true(two:is_durable())
      local three = put("3")
      db:flush()
      assert.is_true(three:is_durable())
      assert.equal(before + 2, db:stats().flushes.count)
      db:sync()
      db:flush()
      assert.equal(before + 2, db:stats().flushes.count)
    end)
end)

describe("a write that fails", function()
  after_each(fresh.clean)

  it("rolls its transaction back, and nothing else", function()
    for _, code in ipairs{ "EIO", "ENOSPC" } do
      local rig, ran = journals.rig(), {}
      rig:put("1")
      rig.disk:fail("write", 1, code)
      local tx = rig.db:begin("write")
      tx:on_commit(function() ran[#ran + 1] = "commit" end)
      tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
      tx:bucket("b"):put("failed", "v")
      tx:create_bucket("failed"):put("k", "v")
      raises(code == "EIO" and "io_error" or "no_space", tx.commit, tx)
      assert.same({ "rollback" }, ran)
      assert.equal("1", rig:keys())
      rig.db:update(function(now)
        assert.is_nil(now:bucket("failed"))
        now:create_bucket("other"):put("k", "other")
        now:create_bucket("failed"):put("k", "second")
      end)
      rig:put("2")
      rig:crash()
      rig:open()
      assert.equal("1 2", rig:keys())
      rig.db:view(function(now)
        assert.same({ { "k", "second" } }, fresh.gather(now:bucket("failed"):each()))
        assert.same({ { "k", "other" } }, fresh.gather(now:bucket("other"):each()))
      end)
      assert.is_true((rig.db:check()))
    end
  end)

  it("is not there after a crash, though it was written", function()
    local rig = journals.rig()
    rig:put("1")
    rig.disk:fail("write")
    raises("io_error", rig.put, rig, "failed") -- half of it
    rig:crash(1 << 20)
    rig:open()
    assert.equal("1", rig:keys())
    assert.equal(0, rig.db:info().journal.replayed)
  end)

  it("of commits that others have seen poisons the DB", function()
    local rig = journals.rig()
    local tickets = { rig:later("1"), rig:later("2") }
    rig.disk:fail("write")
    raises("poisoned", tickets[1].wait, tickets[1])
    raises("poisoned", tickets[2].is_durable, tickets[2])
    raises("poisoned", rig.put, rig, "3")
    rig:crash()
    rig:open()
    assert.equal("", rig:keys())
    rig:later("1")
    rig.disk:fail("write")
    raises("poisoned", rig.put, rig, "2")
  end)
end)

describe("a flush that fails", function()
  after_each(fresh.clean)

  -- Everything that a DB and its handles do, but for close and what they tell of themselves.
  local function assert_poisoned(db, ticket)
    local plain = { close = true, abandon = true, path = true, key_size_max = true, id = true }
    for _, handle in ipairs{ db, ticket } do
      for name, method in pairs(getmetatable(handle).__index) do
        if not plain[name] then
          local message = raises("poisoned", method, handle, print)
          assert.matches("a flush failed %(Input/output error%): what the disk holds is unknown",
            message)
        end
      end
      assert.matches("^jangada%.", tostring(handle))
    end
  end

  it("poisons the DB until the file is opened again; that commit is there or not", function()
    for _, keep in ipairs{ 0, 1 << 20 } do
      local rig, ran = journals.rig(), {}
      rig:put("1")
      local ticket = rig:later("2")
      rig.db:flush()
      rig.disk:fail("flush")
      local tx = rig.db:begin("write")
      local b = tx:bucket("b")
      tx:on_commit(function() ran[#ran + 1] = "commit" end)
      tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
      b:put("unknown", "v")
      local message = raises("poisoned", tx.commit, tx)
      assert.matches("^commit: .*unknown until the file is opened again", message)
      assert.same({}, ran) -- who knows?
      assert_poisoned(rig.db, ticket)
      raises("tx_closed", b.get, b, "1")
      rig:crash(keep)
      rig:open()
      assert.equal(keep == 0 and "1 2" or "1 2 unknown", rig:keys())
      assert.same({}, ran)
    end
  end)

  it("leaves handles that can be closed, and a DB that can be", function()
    for _, force in ipairs{ true, false } do
      local rig = journals.rig()
      local snapshot = rig.db:begin("read")
      local tx = rig.db:begin("write")
      rig.disk:fail("flush")
      tx:bucket("b"):put("k", "v")
      local ticket = tx:commit{ wait = false }
      tx = rig.db:begin("write")
      local b = tx:bucket("b")
      raises("poisoned", rig.db.flush, rig.db)
      raises("poisoned", b.put, b, "l", "v")
      raises("poisoned", tx.commit, tx)
      raises("poisoned", snapshot.bucket, snapshot, "b")
      raises("poisoned", ticket.wait, ticket)
      if force then
        rig.db:close{ force = true }
      else
        getmetatable(tx).__close(tx)
        getmetatable(snapshot).__close(snapshot)
        rig.db:close()
      end
      raises("db_closed", rig.db.view, rig.db, print)
      assert.is_false(ticket:is_durable())
      raises("db_closed", ticket.wait, ticket)
      rig.disk:cut()
      rig:open()
      assert.equal("", rig:keys())
    end
  end)

  it("is not tried again", function()
    local rig = journals.rig()
    rig:later("1")
    rig.disk:fail("flush")
    for _ = 1, 3 do raises("poisoned", rig.db.flush, rig.db) end
    assert.is_truthy(rig.disk:unflushed())
    rig.db:close()
    assert.is_truthy(rig.disk:unflushed())
  end)

  it("in the flusher reaches every ticket that was not durable, and who watches", function()
    local output = run_held([[
      local process = require "spec.process"
      local done = put("1")
      done:wait()
      hold()
      local tickets = {}
      for i = 2, 9 do tickets[i] = put(tostring(i)) end
      local fd = db:durable_fd()
      done:is_durable() -- drains it
      print(process.readable(fd))
      lose()
      release()
      print(process.readable(fd, 60000))
      for i = 2, 9 do io.write(code(tickets[i].wait, tickets[i]), " ") end
      print(code(done.is_durable, done), code(db.update, db, print), code(db.flush, db))
      print(code(db.close, db))
      print(done:is_durable(), tickets[9]:is_durable())
      find()
      db = assert(store.open(path, { durability = "journal" }))
      print(db:view(function(tx) return tx:bucket("b"):get("1") end))
      db:close()
    ]])
    assert.equal("false\ntrue\n" .. ("poisoned "):rep(8) .. "poisoned\tpoisoned\tpoisoned\n"
      .. "ok\ntrue\tfalse\nv\n", output)
  end)

  it("at a checkpoint, of the data file, loses nothing, and the DB serves on", function()
    local output, path = run_held([[
      put("1", true)
      local snapshot = db:begin("read")
      put("2", true)
      lose()
      print(code(db.checkpoint, db))
      find()
      print(snapshot:bucket("b"):get("1"), snapshot:bucket("b"):get("2"))
      print(db:view(function(tx) return tx:bucket("b"):get("2") end))
      print(db:stats().checkpoint_failures)
      put("3", true)
      db:abandon()
    ]])
    assert.equal("io_error\nv\tnil\nv\n1\n", output)
    local db = journals.open(path)
    db:view(function(tx) assert.same({ "1", "2", "3" }, fresh.keys(tx:bucket("b"):each())) end)
  end)

  it("at a checkpoint, of LMDB's meta page, poisons it too, and loses nothing", function()
    local output, path = run_held([[
      put("1", true)
      put("2", true)
      print(code(db.checkpoint, db))
      print(code(db.update, db, print), code(db.view, db, print))
      db:close()
    ]], "FAULT_META=4") -- the file was made, checked, and marked as one that needs its journal
    assert.equal("poisoned\npoisoned\tpoisoned\n", output)
    local db = journals.open(path)
    db:view(function(tx) assert.same({ "1", "2" }, fresh.keys(tx:bucket("b"):each())) end)
  end)
end)
