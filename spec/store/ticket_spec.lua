-- Commits that are not waited for, as whoever holds their tickets sees them.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local store = require "jangada.store"

local process = children.process
local raises = fresh.raises

-- A commit of one item, with on_commit handlers that append their names to `ran`.
local function later(rig, key, ran, ...)
  local tx = rig.db:begin("write")
  tx:bucket("b"):put(key, "v")
  for _, name in ipairs{ ... } do
    tx:on_commit(function() ran[#ran + 1] = name end)
  end
  return tx:commit{ wait = false }
end

describe("a ticket", function()
  after_each(fresh.clean)

  it("stands for a commit that others see at once, and a crash takes back", function()
    local rig = journals.rig()
    rig:put("1")
    local ticket = rig:later("2")
    assert.equal("1 2", rig:keys())
    assert.is_false(ticket:is_durable())
    local info = rig.db:info()
    assert.same({ 3, 3, 2 }, { info.last_tx_id, info.journal.lsn, info.journal.flushed_lsn })
    rig.db:update(function(tx) assert.equal("v", tx:bucket("b"):get("2")) end)
    rig:later("3")
    rig:crash()
    rig:open()
    assert.equal("1 2", rig:keys())
  end)

  it("says which one", function()
    local rig = journals.rig()
    local tx = rig.db:begin("write")
    local id = tx:id()
    tx:bucket("b"):put("k", "v")
    local ticket = tx:commit{ wait = false }
    assert.equal(2, id)
    assert.equal(id, ticket:id())
    assert.equal("jangada.Ticket: commit 2 (not durable yet)", tostring(ticket))
    ticket:wait()
    assert.equal("jangada.Ticket: commit 2 (durable)", tostring(ticket))
    raises("tx_closed", tx.commit, tx, { wait = false })
    rig.db:close()
    assert.equal("jangada.Ticket: commit 2 (durable)", tostring(ticket))
    assert.equal(id, ticket:id())
  end)

  it("becomes durable after those before it, with one flush for all there are", function()
    local rig = journals.rig()
    local tickets = {}
    for i = 1, 5 do tickets[i] = rig:later(tostring(i)) end
    local count = rig.db:stats().flushes.count
    assert.is_true(tickets[3]:wait())
    for i = 1, 5 do assert.is_true(tickets[i]:is_durable()) end
    assert.is_true(tickets[5]:wait())
    assert.equal(count + 1, rig.db:stats().flushes.count)
    rig:crash()
    rig:open()
    assert.equal("1 2 3 4 5", rig:keys())
  end)

  it("becomes durable by a commit that waits, by flush, sync, checkpoint and close", function()
    for _, way in ipairs{ "put", "flush", "sync", "checkpoint", "close", "snapshot" } do
      local rig = journals.rig()
      local ticket = rig:later("1")
      assert.is_false(ticket:is_durable())
      if way == "put" then
        rig:put("2")
      elseif way == "snapshot" then
        rig.db:begin("read"):rollback()
      else
        rig.db[way](rig.db)
      end
      assert.is_true(ticket:is_durable(), way)
      assert.is_true(ticket:wait(0), way)
      if way ~= "close" then rig:crash() end
      rig:open()
      assert.matches("^1", rig:keys(), way)
      rig.db:close()
    end
  end)

  it("of what was too large for the journal is durable from the start", function()
    local rig = journals.rig()
    local before = rig:later("before")
    local ticket = rig:later("large", ("v"):rep(70000))
    assert.is_true(ticket:is_durable())
    assert.is_true(before:is_durable())
  end)

  it("after close and abandon says what was durable then", function()
    local rig = journals.rig()
    local one = rig:later("1")
    rig.db:flush()
    local two = rig:later("2")
    rig:crash()
    local function look()
      assert.is_true(one:is_durable())
      assert.is_true(one:wait())
      assert.is_false(two:is_durable())
      assert.matches("dropped before the commit was durable", raises("db_closed", two.wait, two))
      raises("db_closed", two.wait, two, 10)
      assert.matches("not durable yet", tostring(two))
    end
    look()
    rig:open()
    rig:put("another")
    assert.equal(two:id(), rig.db:info().last_tx_id) -- its number, in another DB
    look()
  end)

  it("keeps its DB, and needs nothing else", function()
    local rig = journals.rig()
    local ticket = rig:later("1")
    rig.db = nil
    collectgarbage()
    collectgarbage()
    assert.is_true(ticket:wait())
    ticket = nil
    assert.is_nil(ticket)
  end)

  it("waits for so many milliseconds, an integer from 0 to a day", function()
    local rig = journals.rig()
    local ticket = rig:later("1")
    for _, timeout in ipairs{ -1, 86400001, math.mininteger, 1.5, "x", {} } do
      assert.error_matches(function() ticket:wait(timeout) end, "bad argument #1 to 'wait'")
    end
    assert.is_false(ticket:is_durable())
    assert.is_true(ticket:wait(86400000))
    assert.is_true(ticket:wait(nil))
    assert.is_true(ticket:wait(0))
  end)

  it("is given by commit alone, and asked for by wait = false alone", function()
    local rig = journals.rig()
    local tx = rig.db:begin("write")
    tx:bucket("b"):put("k", "v")
    assert.error_matches(function() tx:commit{ wait = 0 } end, "option 'wait' must be a boolean")
    assert.error_matches(function() tx:commit{ later = true } end, "unknown option 'later'")
    assert.error_matches(function() tx:commit(false) end, "table expected")
    raises("savepoint_active", tx.savepoint, tx, function() tx:commit{ wait = false } end)
    assert.is_nil(tx:commit{ wait = true })
    tx = rig.db:begin("write")
    assert.is_nil(tx:commit{})
    raises("tx_managed", rig.db.update, rig.db, function(now) now:commit{ wait = false } end)
    local reader <close> = rig.db:begin("read")
    raises("tx_not_writable", reader.commit, reader, { wait = false })
    for _, method in pairs(getmetatable(rig:later("k")).__index) do
      assert.error_matches(function() method(rig.db) end, "jangada.Ticket expected")
    end
  end)

  it("with durability commit and none is durable from the start", function()
    for _, durability in ipairs{ "commit", "none" } do
      local db = fresh.open(nil, { durability = durability })
      local ran = 0
      local tx = db:begin("write")
      tx:create_bucket("b"):put("k", "v")
      tx:on_commit(function() ran = ran + 1 end)
      local ticket = tx:commit{ wait = false }
      assert.equal(1, ran)
      assert.is_true(ticket:is_durable())
      assert.is_true(ticket:wait(0))
      assert.equal(0, ticket:id())
      assert.equal("jangada.Ticket: commit 0 (durable)", tostring(ticket))
      raises("incompatible", db.durable_fd, db)
      db:flush()
      db:checkpoint()
      db:close()
      assert.is_true(ticket:is_durable())
      assert.equal(1, ran)
    end
  end)

  it("in a forked child raises forked, and takes no wake-up of the parent's", function()
    if not process then return pending(children.missing) end
    local rig = journals.rig()
    local ticket = rig:later("1")
    local fd = rig.db:durable_fd()
    rig:put("2")
    assert.equal("forked forked forked forked", children.run(function()
      local codes = {}
      for round = 1, 2 do
        for _, method in ipairs{ "is_durable", "wait" } do
          codes[#codes + 1] = select(2, pcall(ticket[method], ticket)).code
        end
        if round == 1 then getmetatable(rig.db).__close(rig.db) end
      end
      return table.concat(codes, " ")
    end))
    assert.is_true(process.readable(fd))
    assert.is_true(ticket:is_durable())
  end)

  it("on another thread raises wrong_thread", function()
    if not process then return pending(children.missing) end
    local rig = journals.rig()
    local ticket = rig:later("1")
    process.in_thread(function()
      raises("wrong_thread", ticket.is_durable, ticket)
      raises("wrong_thread", ticket.wait, ticket)
      assert.equal(2, ticket:id())
    end)
    assert.is_true(ticket:wait())
  end)
end)

describe("on_commit of a commit that is not waited for", function()
  after_each(fresh.clean)

  it("runs when the commit is seen to be durable, once, in the order of commits", function()
    local rig, ran = journals.rig(), {}
    local tickets = {}
    for i = 1, 4 do tickets[i] = later(rig, tostring(i), ran, i .. "a", i .. "b") end
    tickets[1]:is_durable()
    assert.same({}, ran)
    tickets[2]:wait()
    assert.same({ "1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b" }, ran)
    for i = 1, 4 do tickets[i]:wait() end
    rig.db:flush()
    rig.db:close()
    assert.equal(8, #ran)
  end)

  it("runs by whatever looks: a ticket, a commit that waits, flush, checkpoint, close", function()
    local ways = {
      function(rig) rig:put("2") end,
      function(rig) rig.db:flush() end,
      function(rig) rig.db:checkpoint() end,
      function(rig) rig.db:close() end,
      function(rig) rig.db:update(function() end) end,
    }
    for i, way in ipairs(ways) do
      local rig, ran = journals.rig(), {}
      later(rig, "1", ran, "ran")
      way(rig)
      assert.same({ "ran" }, ran, i)
    end
  end)

  it("runs before that of a later commit that waits", function()
    local rig, ran = journals.rig(), {}
    later(rig, "1", ran, "1")
    later(rig, "2", ran, "2")
    rig.db:update(function(tx)
      tx:on_commit(function() ran[#ran + 1] = "3" end)
      tx:bucket("b"):put("3", "v")
    end)
    assert.same({ "1", "2", "3" }, ran)
  end)

  it("of one that was durable at once runs after those before it", function()
    local rig, ran = journals.rig(), {}
    later(rig, "1", ran, "1")
    local tx = rig.db:begin("write")
    tx:bucket("b"):put("large", ("v"):rep(70000))
    tx:on_commit(function() ran[#ran + 1] = "large" end)
    assert.is_true(tx:commit{ wait = false }:is_durable())
    assert.same({ "1", "large" }, ran)
  end)

  it("that raises keeps no other from running; the first error is raised", function()
    local looks = {
      function(rig) rig.db:flush() end,
      function(rig) rig.last:wait() end,
      function(rig) rig.last:is_durable() end,
      function(rig) rig.db:checkpoint() end,
      function(rig) rig.db:close() end,
      function(rig)
        rig.db:update(function(tx)
          tx:on_commit(function() rig.ran[#rig.ran + 1] = "own" end)
          tx:on_commit(function() error("its own error, a warning", 0) end)
          tx:bucket("b"):put("own", "v")
        end)
      end,
    }
    warn("@off")
    for i, look in ipairs(looks) do
      local rig = journals.rig()
      rig.ran = {}
      for n = 1, 4 do
        local tx = rig.db:begin("write")
        tx:bucket("b"):put(tostring(n), "v")
        tx:on_commit(function()
          rig.ran[#rig.ran + 1] = n
          if n > 1 then error("error " .. n, 0) end
        end)
        rig.last = tx:commit{ wait = false }
      end
      if i == 3 then rig.db:begin("read"):rollback() end -- durable, and nobody has looked
      local ok, message = pcall(look, rig)
      assert.is_false(ok)
      assert.equal("error 2", message)
      assert.same(i == 6 and { 1, 2, 3, 4, "own" } or { 1, 2, 3, 4 }, rig.ran)
      if i < 6 and rig.db:path() ~= "" then look(rig) end -- it raised once
    end
    warn("@on")
  end)

  it("may begin and end transactions, and look itself", function()
    local rig, seen = journals.rig(), {}
    local tickets = {}
    for i = 1, 3 do
      local tx = rig.db:begin("write")
      tx:bucket("b"):put(tostring(i), "v")
      tx:on_commit(function()
        seen[#seen + 1] = i
        rig.db:update(function(now) now:bucket("b"):put("from handler " .. i, "v") end)
        tickets[3]:wait()
        rig:later("later from handler " .. i)
      end)
      tickets[i] = tx:commit{ wait = false }
    end
    tickets[1]:wait()
    table.sort(seen)
    assert.same({ 1, 2, 3 }, seen)
    rig.db:flush()
    rig:crash()
    rig:open()
    assert.equal("1 2 3 from handler 1 from handler 2 from handler 3 later from handler 1 "
      .. "later from handler 2 later from handler 3", rig:keys())
  end)

  it("may close the DB, or drop it", function()
    for _, way in ipairs{ "close", "abandon" } do
      local rig, ran = journals.rig(), {}
      local tx = rig.db:begin("write")
      tx:bucket("b"):put("1", "v")
      tx:on_commit(function()
        ran[#ran + 1] = 1
        rig.db[way](rig.db)
      end)
      local ticket = tx:commit{ wait = false }
      later(rig, "2", ran, 2)
      assert.is_true(ticket:wait())
      assert.is_true(ticket:is_durable())
      assert.same({ 1, 2 }, ran)
      rig:open()
      assert.equal("1 2", rig:keys())
    end
  end)

  it("never runs for a commit that was not durable", function()
    local rig, ran = journals.rig(), {}
    later(rig, "1", ran, "abandoned")
    local snapshot = rig.db:begin("write")
    snapshot:on_rollback(function() ran[#ran + 1] = "the open one" end)
    rig.db:abandon()
    rig:open()
    rig:put("2")
    local ticket = later(rig, "3", ran, "poisoned")
    rig.disk:fail("flush")
    raises("poisoned", ticket.wait, ticket)
    raises("poisoned", ticket.is_durable, ticket)
    rig.db:close{ force = true }
    assert.is_false(ticket:is_durable())
    collectgarbage()
    assert.same({}, ran)
  end)

  it("does not run when the commit failed: on_rollback does", function()
    local rig, ran = journals.rig(), {}
    rig.db:close()
    rig:open{ size_max = 1 << 20 }
    later(rig, "before", ran, "before")
    local tx = rig.db:begin("write")
    tx:on_commit(function() ran[#ran + 1] = "commit" end)
    tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
    raises("map_full", function() tx:bucket("b"):put("large", ("v"):rep(2 << 20)) end)
    raises("tx_failed", tx.commit, tx, { wait = false })
    rig:put("after")
    assert.same({ "rollback", "before" }, ran)
  end)

  it("stays alive until then, though nobody holds its transaction or ticket", function()
    local rig, ran = journals.rig(), {}
    for i = 1, 50 do later(rig, tostring(i), ran, i) end
    collectgarbage()
    collectgarbage()
    assert.same({}, ran)
    rig.db:flush()
    assert.equal(50, #ran)
  end)
end)

describe("db:durable_fd", function()
  if not process then return pending(children.missing) end
  after_each(fresh.clean)

  it("is readable when commits became durable since somebody looked", function()
    local rig = journals.rig()
    local early = rig:later("0")
    local fd = rig.db:durable_fd()
    assert.equal(fd, rig.db:durable_fd())
    assert.is_false(process.readable(fd))
    assert.is_false(early:is_durable())
    rig.db:flush() -- looks itself
    assert.is_false(process.readable(fd))
    rig:later("1")
    local ticket = rig:later("2")
    assert.is_false(process.readable(fd))
    rig:put("3")
    assert.is_true(process.readable(fd))
    assert.is_true(process.readable(fd))
    assert.is_true(ticket:is_durable())
    assert.is_false(process.readable(fd))
    rig:put("4")
    assert.is_true(ticket:wait())
    assert.is_false(process.readable(fd))
    rig:later("5")
    rig.db:checkpoint()
    assert.is_false(process.readable(fd))
  end)

  it("wakes whoever waits for the flusher, as often as it has to", function()
    local db = journals.open()
    db:update(function(tx) tx:create_bucket("b") end)
    local fd = db:durable_fd()
    for i = 1, 200 do
      local tx = db:begin("write")
      tx:bucket("b"):put("k", tostring(i))
      local ticket = tx:commit{ wait = false }
      while not ticket:is_durable() do
        assert.is_true(process.readable(fd, 60000), "nobody woke us")
      end
    end
  end)

  it("misses nothing that becomes durable while somebody looks", function()
    for _, look in ipairs{ "ticket:is_durable()", "ticket:wait(0)" } do
      assert.equal("true\n", (journals.run_held(([[
        local process = require "spec.process"
        local fd = db:durable_fd()
        hold()
        local ticket = put("1")
        print(%s or process.readable(fd))
        release()
        db:close()
      ]]):format(look), "FAULT_DRAIN=1")))
    end
  end)

  it("is closed with the DB, and not passed on", function()
    local rig = journals.rig()
    local fd = rig.db:durable_fd()
    local path = "/proc/self/fd/" .. fd
    local function target()
      local pipe <close> = io.popen(("readlink /proc/%d/fd/%d")
        :format(io.open("/proc/self/stat"):read("n"), fd))
      return pipe:read("a")
    end
    assert.matches("eventfd", target())
    assert.is_nil(os.execute(("test -e '%s'"):format(path)))
    rig.db:close()
    assert.equal("", target())
    raises("db_closed", rig.db.durable_fd, rig.db)
    assert.is_truthy(store)
  end)
end)
