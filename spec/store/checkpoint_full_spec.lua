-- Checkpoints that cannot be made: the disk is full, or fails.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local store = require "jangada.store"

local run_held = journals.run_held

describe("with a full disk", function()
  after_each(fresh.clean)

  -- Fills the journal: commits until one raises; prints how many, and what it raised.
  local fill_journal = [[
    local n, failure = 0
    repeat
      n = n + 1
      failure = code(put, ("%03d"):format(n), true, ("v"):rep(30000))
    until failure ~= "ok" or n == 1000 -- there should be room for 7
    print(n > 5, failure)
  ]]

  it("commits go on until the journal is full, too; then they raise no_space", function()
    local output, path = run_held([[
      put("000", true)
      fill()
    ]] .. fill_journal .. [[
      print(db:view(function(tx) return tx:bucket("b"):count() end) == n)
      print(code(put, "x", false, ("v"):rep(30000)), code(put, "large", true, ("v"):rep(80000)))
      print(code(put, "small", true), code(put, "small, too"))
      print(code(db.checkpoint, db), code(db.begin, db, "read"), code(db.backup, db, path .. "-b"))
      print(code(db.check, db), code(db.view, db, type), code(db.flush, db))
      print(db:stats().checkpoint_failures > 0, db:info().journal.behind > 5)
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

  it("close raises poisoned when not even the journal is flushed, unless a call has", function()
    for _, case in ipairs{
      { "nobody", "poisoned" }, { "nobody, force", "poisoned" },
      { "a call", "ok" }, { "a call, force", "ok" },
    } do
      local who, closes = table.unpack(case)
      assert.equal(closes .. "\tfalse\ttrue\n", (run_held([[
        local before = put("1", true) or put("2")
        before:wait()
        hold()
        local ticket = put("3")
        lose()
        release()
        local who = "]] .. who .. [["
        if who:find("call") then code(ticket.wait, ticket) end
        print(code(db.close, db, { force = who:find("force") and true }), ticket:is_durable(),
          before:is_durable())
      ]])))
    end
  end)

  it("crowded trees wait for their removal, and commits do not", function()
    local output = run_held([[
      db:close()
      local options = { durability = "journal", journal_size = 1 << 18, trees_max = 8 }
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
      local options = { durability = "journal", journal_size = 1 << 18, trees_max = 8 }
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
