-- LMDB's traps of files and processes.
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local raises = fresh.raises

local function shell(command, ...)
  assert(os.execute(command:format(...)))
end

local write_file = fresh.write_file

local function is_sanitized()
  return (os.getenv("LD_PRELOAD") or ""):find("asan") ~= nil
end

describe("one file", function()
  after_each(fresh.clean)

  it("opens once in a process, by whatever name (trap 1)", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    local directory, name = path:match("^(.*)/([^/]+)$")
    local link, hard = path .. "-symbolic", path .. "-hard"
    shell("ln -s '%s' '%s'", path, link)
    shell("ln '%s' '%s'", path, hard)
    local reader = db:begin("read")
    for _, other in ipairs{ path, directory .. "/./" .. name, directory .. "//" .. name, link,
      hard } do
      for _, options in ipairs{ {}, { read_only = true }, { shared = true } } do
        local second, _, code = store.open(other, options)
        assert.is_nil(second)
        assert.equal("already_open", code)
      end
      collectgarbage()
      db:update(function(tx) tx:bucket("b"):put("k", other) end)
      assert.equal("v", reader:bucket("b"):get("k")) -- its slot is still its own
    end
    reader:rollback()
    db:close()
    for _, other in ipairs{ link, hard } do
      db = fresh.open(other)
      db:view(function(tx) assert.equal(hard, tx:bucket("b"):get("k")) end)
      db:close()
    end
  end)

  it("is in use for another process by a hard link too (trap 1)", function()
    local _, path = fresh.open()
    shell("ln '%s' '%s-hard'", path, path)
    shell("ln -s '%s' '%s-symbolic'", path, path)
    local script = [[
      local store = require "jangada.store"
      for _, path in ipairs{ ... } do
        print((select(3, store.open(path, { lock_timeout_ms = 0 }))))
      end
    ]]
    assert.equal("in_use\nin_use\nin_use\n",
      (fresh.run(script, path, path .. "-hard", path .. "-symbolic")))
  end)

  it("is not the one that was opened, once it was moved away: that goes on, and no other takes "
    .. "its name, whose transactions would be counted by the same lock file (trap 36)", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("b"):put("k", "old") end)
    os.rename(path, path .. "-moved")
    local _, message, code = store.open(path, { durability = "none" })
    assert.equal("already_open", code)
    assert.matches("%-lock: this process uses it for a file that was moved away", message)
    local output = fresh.run([[
      local db, message, code = require "jangada.store".open(..., { lock_timeout_ms = 0 })
      print(code, message)
    ]], path)
    assert.matches("^in_use\t.*%-lock: another process uses it for a file that was moved", output)
    db:update(function(tx) tx:bucket("b"):put("k", "older") end)
    db:view(function(tx) assert.equal("older", tx:bucket("b"):get("k")) end)
    db:close()
    local another = fresh.open(path)
    another:update(function(tx) tx:create_bucket("b"):put("k", "new") end)
    db = fresh.open(path .. "-moved")
    db:view(function(tx) assert.equal("older", tx:bucket("b"):get("k")) end)
  end)

  it("is the one that its name leads to when its turn comes, not the one that was there when the "
    .. "waiting began (trap 36)", function()
    local paths = {}
    for i, what in ipairs{ "old", "new" } do
      local db
      db, paths[i] = fresh.open()
      db:update(function(tx) tx:create_bucket("b"):put("k", what) end)
      db:close()
    end
    local holder <close> = fresh.start([[
      local path, new = ...
      local db <close> = assert(require "jangada.store".open(path))
      io.write("open\n"):flush()
      os.execute("exec sleep 0.3")
      for _, suffix in ipairs{ "", "-journal" } do os.rename(new .. suffix, path .. suffix) end
    ]], paths[1], paths[2])
    assert.equal("open", holder:read("l"))
    local db = fresh.open(paths[1], { lock_timeout_ms = 20000 })
    db:view(function(tx) assert.equal("new", tx:bucket("b"):get("k")) end)
  end)

  it("is not opened when it is replaced between its locking and its mapping (trap 36)", function()
    local path = fresh.path()
    for bucket, name in pairs{ old = path, new = path .. "-new" } do
      local db = fresh.open(name)
      db:update(function(tx) tx:create_bucket(bucket) end)
      db:close()
    end
    assert.equal("in_use\nnew\n", (fresh.run_with("FAULT_REPLACE='" .. path .. "'", [[
      local store = require "jangada.store"
      print((select(3, store.open(...))))
      local db <close> = assert(store.open(...))
      db:view(function(tx) for name in tx:buckets() do print(name) end end)
    ]], path)))
  end)

  it("is the one that another process makes just when it was found missing", function()
    local path = fresh.path()
    local db = fresh.open(path .. "-new")
    db:update(function(tx) tx:create_bucket("made") end)
    db:close()
    assert.equal("made\n", (fresh.run_with("FAULT_APPEAR='" .. path .. "'", [[
      local db <close> = assert(require "jangada.store".open(...))
      db:view(function(tx) for name in tx:buckets() do print(name) end end)
    ]], path)))
  end)

  it("is opened beside a lock file that another process makes just then", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("b") end)
    db:close()
    os.rename(path .. "-lock", path .. "-lock-new")
    assert.equal("open\n", (fresh.run_with("FAULT_APPEAR='" .. path .. "-lock'", [[
      local db <close> = assert(require "jangada.store".open(..., { shared = true }))
      print("open")
    ]], path)))
  end)

  it("is made by one of many that find it missing, and used by all (trap 36)", function()
    local script = [[
      local store, path, n = require "jangada.store", ...
      for _ = 1, n do
        local db <close> = assert(store.open(path, { lock_timeout_ms = 20000 }))
        db:update(function(tx)
          local b = tx:ensure_bucket("b")
          b:put("n", tostring((b:get("n") or 0) + 1))
        end)
      end
    ]]
    for _ = 1, 3 do
      local path, pipes = fresh.path(), {}
      for i = 1, 4 do pipes[i] = fresh.start(script, path, 15) end
      for i = 1, 4 do
        assert.equal("", pipes[i]:read("a"))
        assert.is_true(pipes[i]:close())
      end
      local db = fresh.open(path)
      db:view(function(tx) assert.equal("60", tx:bucket("b"):get("n")) end)
    end
  end)
end)

describe("a process", function()
  after_each(fresh.clean)

  it("killed within a transaction leaves the file whole and free (traps 5, 27, 37)", function()
    local script = [[
      local store, path, n = require "jangada.store", ...
      local db = assert(store.open(path, { readers_max = 4 }))
      local reader = db:begin("read")
      db:update(function(tx) tx:ensure_bucket("b"):put("k", n) end)
      local tx = db:begin("write")
      tx:bucket("b"):put("k", "lost")
      tx:savepoint(function() tx:bucket("b"):put("l", "lost") os.execute("kill -9 $PPID") end)
    ]]
    local path = fresh.path()
    for i = 1, 10 do -- more often than there are slots
      local _, status = fresh.run(script, path, i)
      assert.equal(128 + 9, status)
      local db <close> = assert(store.open(path, { readers_max = 4 }))
      db:update(function(tx)
        assert.same({ { "k", tostring(i) } }, fresh.gather(tx:bucket("b"):each()))
        tx:bucket("b"):put("k", "mine")
      end)
    end
  end)

  it("that was started while the file was open does not hold it (trap 3)", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("b") end)
    local pipe <close> = io.popen("echo $$; exec sleep 60 >&-")
    local pid = pipe:read("l")
    db:close()
    local output = fresh.run([[
      local db, message = require "jangada.store".open(..., { lock_timeout_ms = 0 })
      print(db and "mine" or message)
    ]], path)
    assert(os.execute("kill " .. pid))
    assert.equal("mine\n", output)
  end)

  it("with little address space gets a smaller map (trap 35)", function()
    if is_sanitized() then return end -- which needs terabytes of it
    local path = fresh.path()
    write_file(path .. ".lua", [[
      local db <close> = assert(require "jangada.store".open(...))
      db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
      print(db:view(function(tx) return tx:bucket("b"):get("k") end))
    ]])
    local pipe <close> = io.popen(("ulimit -v 300000; LUA_PATH='%s' LUA_CPATH='%s' "
      .. "lua5.4 '%s' '%s' 2>&1"):format(package.path, package.cpath, path .. ".lua", path))
    assert.equal("v\n", pipe:read("a"))
  end)

  it("that runs out of disk loses only that transaction (traps 12, 13)", function()
    local path = fresh.path()
    write_file(path .. ".lua", [[
      local db <close> = assert(require "jangada.store".open(...))
      db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
      for _ = 1, 3 do
        local ok, failure = pcall(db.update, db, function(tx)
          for i = 1, 200 do tx:bucket("b"):put("x" .. i, ("x"):rep(10000)) end
        end)
        print(ok, failure.code)
      end
      db:update(function(tx) tx:bucket("b"):put("l", "w") end)
      db:update(function(tx)
        for k, v in tx:bucket("b"):each() do print(k, v) end
        tx:bucket("b"):delete("k")
      end)
    ]])
    -- a file-size limit is the disk that every test may fill: 1 MiB
    local pipe <close> = io.popen(("trap '' XFSZ; ulimit -f 2048; LUA_PATH='%s' LUA_CPATH='%s' "
      .. "lua5.4 '%s' '%s' 2>&1"):format(package.path, package.cpath, path .. ".lua", path))
    assert.equal(("false\tno_space\n"):rep(3) .. "k\tv\nl\tw\n", pipe:read("a"))
    local db = fresh.open(path)
    db:view(function(tx)
      assert.same({ { "l", "w" } }, fresh.gather(tx:bucket("b"):each()))
    end)
  end)

  it("reads a file it may not write, and makes none where it may not (trap 34)", function()
    local id <close> = io.popen("id -u") -- root may read and write everything
    local as = id:read("n") == 0 and "setpriv --reuid=65534 --clear-groups" or ""
    local directory = fresh.path()
    local path, script = directory .. "/x.db", directory .. "/x.lua"
    shell("mkdir '%s'; chmod 711 '%s'", directory, fresh.directory)
    fresh.open(path):close()
    write_file(script, [[
      local store, path = require "jangada.store", ...
      local function try(...)
        local db, message, code = store.open(...)
        print(db and db:view(function(tx) return tx:id() > 0 end), code, message)
        if db then db:close() end
      end
      try(path)
      try(path .. "-missing")
      try(path, { read_only = true })
    ]])
    shell("chmod 555 '%s'; chmod 444 '%s' '%s'; chmod 400 '%s-lock'", directory, path, script, path)
    local function run()
      local pipe <close> = io.popen(("LUA_PATH='%s' LUA_CPATH='%s' %s lua5.4 '%s' '%s' 2>&1")
        :format(package.path, package.cpath, as, script, path))
      return pipe:read("a")
    end
    local denied = "nil\tpermission_denied\t%s: Permission denied\n"
    local made = denied:format(path) .. denied:format(path .. "-missing")
    local output = run()
    if output:find("module 'jangada.store' not found", 1, true) then
      return pending("another user cannot read the module")
    end
    assert.equal(made .. denied:format(path .. "-lock"), output)
    shell("chmod 666 '%s-lock'", path)
    assert.equal(made .. "true\tnil\tnil\n", run())
    shell("chmod 700 '%s'", directory)
  end)

  it("reads a file on a file system that is read-only, and writes none (trap 34)", function()
    local disk = fresh.path()
    shell("mkdir '%s'", disk)
    if not os.execute(("mount -t tmpfs -o size=4m jangada '%s' 2>/dev/null"):format(disk)) then
      return pending("no right to mount a small tmpfs")
    end
    local path = disk .. "/x.db"
    local db <close> = assert(store.open(path))
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    db:close()
    shell("rm '%s-lock'; mount -o remount,ro '%s'", path, disk)
    local codes = {}
    for i, options in ipairs{ {}, { shared = true } } do
      codes[i] = select(3, store.open(path, options))
    end
    codes[3] = select(3, store.open(disk .. "/y.db"))
    local value
    do
      local reader <close> = assert(store.open(path, { read_only = true }))
      value = reader:view(function(tx) return tx:bucket("b"):get("k") end)
    end
    shell("umount '%s'", disk)
    assert.same({ "permission_denied", "permission_denied", "permission_denied" }, codes)
    assert.equal("v", value)
  end)
end)

describe("a file of another program", function()
  after_each(fresh.clean)

  -- mdb_load makes what our own API does not.
  local function load(path, name, flags, items)
    local dump = { "VERSION=3\nformat=print\ntype=btree\nmapsize=1048576\n" }
    if name then dump[#dump + 1] = "database=" .. name .. "\n" end
    dump[#dump + 1] = flags .. "HEADER=END\n"
    for _, item in ipairs(items) do
      dump[#dump + 1] = (" %s\n %s\n"):format(item[1], item[2])
    end
    dump[#dump + 1] = "DATA=END\n"
    write_file(path .. ".dump", table.concat(dump))
    shell("mdb_load -n -f '%s.dump' '%s'", path, path)
  end

  local has_tools = io.popen("command -v mdb_load"):read("a") ~= ""

  it("shows its databases as buckets, and leaves plain keys alone", function()
    if not has_tools then return end
    local path = fresh.path()
    load(path, "theirs", "", { { "a", "1" }, { "b", "2" } })
    load(path, "dup", "dupsort=1\n", { { "a", "1" }, { "a", "2" } })
    load(path, nil, "", { { "plain", "value" } })
    local db = fresh.open(path)
    db:update(function(tx)
      assert.same({ { "dup", false }, { "theirs", tx:bucket("theirs") } },
        fresh.gather(tx:buckets()))
      local b = tx:bucket("theirs")
      assert.same({ { "a", "1" }, { "b", "2" } }, fresh.gather(b:each()))
      raises("incompatible", tx.bucket, tx, "dup")
      raises("incompatible", tx.delete_bucket, tx, "dup")
      raises("incompatible", tx.create_bucket, tx, "dup")
      raises("incompatible", tx.create_bucket, tx, "plain")
      raises("incompatible", tx.delete_bucket, tx, "plain")
      assert.is_nil(tx:bucket("plain"))
      pcall(tx.savepoint, tx, function()
        b:create_bucket("nested"):put("k", "v")
        error()
      end)
      assert.same({ { "a", "1" }, { "b", "2" } }, fresh.gather(b:each()))
      b:create_bucket("nested"):put("k", "v")
      b:put("c", "3")
    end)
    db:close()
    db = fresh.open(path)
    db:update(function(tx)
      assert.equal("v", tx:bucket("theirs"):bucket("nested"):get("k"))
      tx:delete_bucket("theirs")
      tx:create_bucket("theirs"):put("k", "ours")
    end)
    db:close()
    local pipe <close> = io.popen("mdb_dump -n -p -s theirs '" .. path .. "'")
    assert.matches("HEADER=END\n k\n ours\nDATA=END", pipe:read("a"), 1, true)
  end)
end)
