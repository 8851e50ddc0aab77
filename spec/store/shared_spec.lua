-- Several processes on one file: the owner's lock, `shared`, `read_only`, and deaths.
-- process_spec.lua has forks, threads_spec.lua threads and Lua states.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local process, raises, worker = children.process, fresh.raises, children.worker

describe("the lock of a file", function()
  after_each(fresh.clean)

  it("lets in who may be beside those that hold it, both ways round", function()
    local modes = {
      exclusive = "{ lock_timeout_ms = 0 }",
      shared = "{ shared = true, lock_timeout_ms = 0 }",
      read_only = "{ read_only = true, lock_timeout_ms = 0 }",
      reader = "{ read_only = true, shared = true, lock_timeout_ms = 0 }",
    }
    local path = fresh.path()
    fresh.open(path):close()
    for first, first_options in pairs(modes) do
      local one, answer = worker(path, first_options)
      assert.equal("open", answer)
      for second, second_options in pairs(modes) do
        local two <close>, got = worker(path, second_options)
        local excluded = first == "exclusive" or second == "exclusive"
        assert.equal(excluded and "in_use" or "open", got, first .. " then " .. second)
        two:close()
      end
      one:close()
    end
  end)

  it("goes from one process to the next that waits for it", function()
    local path = fresh.path()
    local one <close>, first = worker(path)
    assert.equal("open", first)
    assert.equal("", one:ask("db:update(function(tx) tx:create_bucket('b'):put('n', '1') end) "
      .. "return ''"))
    local two = fresh.start([[
      local db <close> = assert(require "jangada.store".open(..., { lock_timeout_ms = 20000 }))
      db:update(function(tx) tx:bucket("b"):put("n", "2") end)
      print "done"
    ]], path)
    one:close()
    assert.equal("done\n", two:read("a"))
    two:close()
    fresh.open(path):view(function(tx) assert.equal("2", tx:bucket("b"):get("n")) end)
  end)

  it("is free at once when its holder is killed; what it committed is there (trap 27)", function()
    for _, options in ipairs{ "{}", "{ shared = true }" } do
      local path = fresh.path()
      for round = 1, 3 do
        local one <close>, answer = worker(path, options)
        assert.equal("open", answer)
        assert.equal("2", one:ask(([[
          db:update(function(tx) tx:ensure_bucket("b"):put("n", "%d") end)
          snapshot = db:begin("read")
          tx = db:begin("write")
          tx:bucket("b"):put("n", "lost")
          tx:create_bucket("lost")
          return #db:readers() + 1
        ]]):format(round)))
        one:kill()
        local mine = load("return " .. options)()
        mine.lock_timeout_ms = 0
        local db <close> = assert(store.open(path, mine))
        db:update(function(tx)
          assert.equal(tostring(round), tx:bucket("b"):get("n"))
          assert.is_nil(tx:bucket("lost"))
        end)
        assert.same({}, (db:readers())) -- and the dead one's snapshot pins nothing
      end
    end
  end)
end)

describe("a shared file", function()
  after_each(fresh.clean)

  local function open(path, options)
    local o = { shared = true, lock_timeout_ms = 50 }
    for name, value in pairs(options or {}) do o[name] = value end
    return fresh.open(path, o)
  end

  it("is written in turn, and each sees what the others committed", function()
    local db, path = open()
    local other <close> = worker(path, "{ shared = true }")
    db:update(function(tx) tx:create_bucket("b"):put("n", "0") end)
    for i = 1, 20 do
      assert.equal(tostring(2 * i - 2), other:ask(([[
        return db:update(function(tx)
          local b = tx:bucket("b")
          local before = b:get("n")
          b:put("n", "%d")
          return before
        end)
      ]]):format(2 * i - 1)))
      db:update(function(tx)
        local b = tx:bucket("b")
        assert.equal(tostring(2 * i - 1), b:get("n"))
        b:put("n", tostring(2 * i))
      end)
    end
  end)

  it("shows top-level and nested buckets that another process made or deleted", function()
    local db, path = open()
    local other <close> = worker(path, "{ shared = true }")
    for i = 1, 10 do
      assert.equal("nil", other:ask(([[
        return db:update(function(tx)
          tx:create_bucket("theirs%d", { keys = "integer" }):put(1, "v")
          tx:ensure_bucket("top"):create_bucket("tree%d", { tree = true }):put("k", "v")
          tx:bucket("top"):create_bucket("nested%d"):put("k", "v")
        end)
      ]]):format(i, i, i)))
      db:update(function(tx)
        assert.equal("v", tx:bucket("theirs" .. i):get(1))
        assert.equal("v", tx:bucket("top"):bucket("tree" .. i):get("k"))
        assert.equal("v", tx:bucket("top"):bucket("nested" .. i):get("k"))
        raises("bucket_exists", tx.create_bucket, tx, "theirs" .. i)
        tx:create_bucket("mine" .. i):put("k", "v")
        if i > 1 then tx:delete_bucket("theirs" .. i - 1) end
      end)
      assert.equal("v nil", other:ask(([[
        return db:view(function(tx)
          return tx:bucket("mine%d"):get("k") .. " " .. tostring(tx:bucket("theirs%d"))
        end)
      ]]):format(i, i - 1)))
    end
    db:view(function(tx)
      local names = {}
      for name in tx:buckets() do names[#names + 1] = name end
      assert.equal(12, #names) -- 10 of mine, top, and the last of theirs
    end)
  end)

  it("never loses what another process made, though a snapshot is open", function()
    local db, path = open()
    local other <close> = worker(path, "{ shared = true }")
    local snapshot = db:begin("read")
    assert.equal("nil", other:ask([[
      return db:update(function(tx)
        local x = tx:create_bucket("x", { keys = "integer" })
        x:put(1, "one")
        x:set_sequence(5)
        x = tx:create_bucket("y")
        x:create_bucket("n", { tree = true }):put("k", "v")
      end)
    ]]))
    db:update(function(tx)
      raises("bucket_exists", tx.create_bucket, tx, "x")
      local x = tx:ensure_bucket("x", { keys = "integer" })
      assert.equal("one", x:get(1))
      assert.equal(5, x:sequence())
      assert.equal("v", tx:bucket("y"):bucket("n"):get("k"))
      tx:delete_bucket("y")
    end)
    assert.is_nil(snapshot:bucket("x"))
    snapshot:rollback()
    db:view(function(tx)
      assert.same({ { "x", tx:bucket("x") } }, fresh.gather(tx:buckets()))
      assert.same({ { 1, "one" } }, fresh.gather(tx:bucket("x"):each()))
    end)
  end)

  it("raises in_use when another process goes on writing; reading goes on", function()
    local db, path = open()
    db:update(function(tx) tx:create_bucket("b"):put("k", "old") end)
    local other <close> = worker(path, "{ shared = true }")
    other:ask([[tx = db:begin("write") tx:bucket("b"):put("k", "new")]])
    for _ = 1, 3 do
      local message = raises("in_use", db.update, db, function() end)
      assert.matches("another process is writing", message)
      raises("in_use", db.begin, db, "write")
      assert.is_nil(db:write_tx())
      db:view(function(tx) assert.equal("old", tx:bucket("b"):get("k")) end)
    end
    other:ask("tx:commit()")
    db:update(function(tx) assert.equal("new", tx:bucket("b"):get("k")) end)
    other:ask([[tx = db:begin("write") tx:bucket("b"):put("k", "lost")]])
    raises("in_use", db.begin, db, "write")
    other:ask("tx:rollback()")
    db:update(function(tx) assert.equal("new", tx:bucket("b"):get("k")) end)
    other:ask([[tx = db:begin("write") tx = nil collectgarbage()]])
    db:begin("write"):rollback()
  end)

  it("of a writer that was stopped raises in_use, and is free when it was killed "
    .. "(trap 37)", function()
    if not process then return pending(children.missing) end
    local db, path = open()
    db:update(function(tx) tx:create_bucket("b"):put("k", "old") end)
    local started = fresh.path()
    local pid, fd = process.fork(function()
      process.alarm(60)
      local mine = assert(store.open(path, { shared = true }))
      local tx = mine:begin("write")
      tx:bucket("b"):put("k", "lost")
      io.open(started, "w"):close()
      os.execute("kill -STOP $PPID")
      tx:commit()
    end)
    fresh.wait_for(started)
    raises("in_use", db.begin, db, "write")
    process.kill(pid, 9)
    assert.equal("signal", (process.wait(pid, fd)))
    db:update(function(tx) assert.equal("old", tx:bucket("b"):get("k")) end)
  end)

  it("keeps a snapshot of another process for it while it is read", function()
    local db, path = open()
    db:update(function(tx) tx:create_bucket("b"):put("k", "old") end)
    local other <close> = worker(path, "{ shared = true }")
    other:ask([[snapshot = db:begin("read") b = snapshot:bucket("b")]])
    for i = 1, 50 do db:update(function(tx) tx:bucket("b"):put("k", ("v"):rep(i * 100)) end) end
    local readers = db:readers()
    assert.equal(1, #readers)
    assert.equal(50, readers[1].age)
    assert.equal(50, db:info().reader_age)
    assert.equal("old", other:ask("return b:get('k')"))
    other:kill()
    local left, dead = db:readers()
    assert.same({}, left)
    assert.equal(1, dead)
  end)

  it("is rid of the snapshots of the dead once somebody opens it, though others have it open "
    .. "(trap 27)", function()
    local path = fresh.path()
    local living <close> = worker(path, "{ shared = true }")
    local other = worker(path, "{ shared = true }")
    living:ask 'db:update(function(tx) tx:create_bucket("b") end)'
    assert.equal("nil", other:ask 'snapshot = db:begin("read")')
    other:kill()
    for _ = 1, 3 do living:ask 'db:update(function(tx) tx:bucket("b"):next_sequence() end)' end
    assert.equal("3", living:ask "return db:info().reader_age")
    open(path)
    assert.equal("0", living:ask "return db:info().reader_age")
  end)

  it("counts right when many processes write at once", function()
    if not process then return pending(children.missing) end
    local db, path = open()
    db:close()
    local finish = {}
    for i = 1, 4 do
      finish[i] = children.start(function()
        local mine <close> = assert(store.open(path, { shared = true, durability = "none",
          lock_timeout_ms = 30000 }))
        for _ = 1, 100 do
          mine:update(function(tx)
            local b = tx:ensure_bucket("b")
            b:put("n", tostring((tonumber(b:get("n")) or 0) + 1))
            tx:ensure_bucket("own" .. i):next_sequence()
          end)
        end
        return "ok"
      end)
    end
    for i = 1, 4 do assert.equal("ok", finish[i]()) end
    db = open(path)
    db:view(function(tx)
      assert.equal("400", tx:bucket("b"):get("n"))
      for i = 1, 4 do assert.equal(100, tx:bucket("own" .. i):sequence()) end
    end)
  end)

  it("may outgrow the map of one that opened it with a smaller size_max (traps 8, 10)", function()
    local db, path = open(nil, { size_max = 1 << 20 })
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    local other <close> = worker(path, "{ shared = true }")
    local old <close> = db:begin("read")
    other:ask([[db:update(function(tx) tx:bucket("b"):put("k", ("x"):rep(3 << 20)) end)]])
    raises("map_resized", db.begin, db, "read") -- the map cannot change under `old`
    raises("map_resized", db.begin, db, "write")
    assert.is_nil(db:write_tx())
    assert.equal("v", old:bucket("b"):get("k"))
    old:rollback()
    db:view(function(tx) assert.equal(3 << 20, #tx:bucket("b"):get("k")) end)
    db:update(function(tx) tx:bucket("b"):put("l", ("x"):rep(1 << 20)) end)
  end)

  it("raises trees_full where another process made more trees than trees_max allows", function()
    local db, path = open(nil, { trees_max = 4 })
    local other <close> = worker(path, "{ shared = true }")
    other:ask([[db:update(function(tx) for i = 1, 10 do tx:create_bucket("b" .. i) end end)]])
    raises("trees_full", db.view, db, function() end)
    assert.matches("open the file again", raises("trees_full", db.update, db, function() end))
    db:close()
    db = open(path, { trees_max = 4 }) -- which opens with as many as there are
    db:view(function(tx) assert.equal(10, #fresh.keys(tx:buckets())) end)
  end)

  it("shows to a read_only process what is committed, new buckets too", function()
    local path = fresh.path()
    open(path):close()
    for _, options in ipairs{ "{ read_only = true }", "{ read_only = true, shared = true }" } do
      local other <close> = worker(path, options)
      local db <close> = assert(store.open(path, { shared = true }))
      db:update(function(tx) tx:ensure_bucket("new" .. #options):put("k", "v") end)
      assert.equal("v", other:ask(([[
        return db:view(function(tx) return tx:bucket("new%d"):get("k") end)
      ]]):format(#options)))
      assert.equal("db_read_only", other:ask([[db:begin("write")]]))
    end
  end)
end)

describe("a full disk", function()
  after_each(fresh.clean)

  it("loses only the transaction that did not fit (traps 12, 13)", function()
    local disk = fresh.path()
    assert(os.execute("mkdir '" .. disk .. "'"))
    local mounted = os.execute(("mount -t tmpfs -o size=1m jangada '%s' 2>/dev/null"):format(disk))
    if not mounted then return pending("no right to mount a small tmpfs") end
    local ok, failure = pcall(function()
      local db <close> = assert(store.open(disk .. "/x.db"))
      db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
      for _ = 1, 3 do
        raises("no_space", db.update, db, function(tx)
          for i = 1, 300 do tx:bucket("b"):put("x" .. i, ("x"):rep(10000)) end
        end)
        db:update(function(tx) tx:bucket("b"):put("l", "w") end)
      end
      db:update(function(tx)
        for i = 1, 60 do tx:bucket("b"):put("x" .. i, ("x"):rep(10000)) end
      end)
      raises("no_space", db.backup, db, disk .. "/copy.db") -- there is no room for two
      local pipe <close> = io.popen(("ls '%s'"):format(disk))
      assert.equal("x.db\nx.db-lock\n", pipe:read("a"))
      db:view(function(tx) assert.equal("w", tx:bucket("b"):get("l")) end)
    end)
    os.execute(("umount '%s'"):format(disk))
    if not ok then error(failure, 0) end
  end)
end)
