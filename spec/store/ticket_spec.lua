-- Commits that are not waited for, as whoever holds their tickets sees them.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local store = require "jangada.store"

local process = children.process
local raises = fresh.raises

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
    ticket = rig:later("6")
    rig.db:begin("read"):rollback() -- which makes a checkpoint
    assert.is_true(process.readable(fd))
    assert.is_true(ticket:is_durable())
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
