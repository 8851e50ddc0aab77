-- Forks, threads and Lua states: what no Lua script can do alone, and what hosts of Lua do to it.
-- shared_spec.lua has what processes do to one another.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local process = children.process

-- What answers from the handle alone, and so in any process and on any thread.
local plain = {
  ["jangada.DB"] = { path = true, key_size_max = true },
  ["jangada.Tx"] = { id = true, is_writable = true, db = true, size = true, stats = true },
  ["jangada.Bucket"] = { name = true, tx = true, is_writable = true },
  ["jangada.Cursor"] = { bucket = true },
}

-- An open DB with everything open in it: handles of all four classes, and two iterators.
local function everything()
  local path = fresh.path()
  local db = assert(store.open(path))
  db:update(function(tx)
    local b = tx:create_bucket("b")
    for _, k in ipairs{ "k", "l", "m" } do b:put(k, "v") end
    b:create_bucket("n"):put("k", "nested")
  end)
  local h = { db = db, path = path, reader = db:begin("read"), writer = db:begin("write") }
  h.b = h.writer:bucket("b")
  h.old = h.reader:bucket("b")
  h.b:put("k", "new")
  h.c = h.old:cursor()
  h.c:first()
  h.each, h.each_state = h.old:each()
  h.each(h.each_state)
  h.buckets = h.writer:buckets()
  return h
end

-- Calls all methods of all handles; says which of them did not raise `code`, but for plain ones.
local function other_than(code, h)
  local others = {}
  for _, handle in ipairs{ h.db, h.reader, h.writer, h.b, h.old, h.c } do
    local class = getmetatable(handle)
    for name, method in pairs(class.__index) do
      local ok, failure = pcall(method, handle)
      local raised = not ok and type(failure) == "table" and failure.code == code
      if raised == (plain[class.__name][name] or false) then
        others[#others + 1] = ("%s:%s %s"):format(class.__name, name, tostring(failure))
      end
    end
    tostring(handle)
  end
  for name, call in pairs{ each = function() h.each(h.each_state) end, buckets = h.buckets } do
    local ok, failure = pcall(call)
    if ok or failure.code ~= code then others[#others + 1] = name end
  end
  table.sort(others)
  return table.concat(others, "\n")
end

-- The handles work as if nothing had happened, and what was written can be committed.
local function assert_whole(h)
  assert.equal("new", h.b:get("k"))
  assert.equal("v", h.old:get("k"))
  assert.equal("l", (h.c:next()))
  assert.equal("l", (h.each(h.each_state)))
  assert.equal("b", (h.buckets()))
  assert.equal(1, #h.db:readers())
  h.b:put("l", "new")
  h.writer:commit()
  assert.equal("m", (h.c:next()))
  assert.equal("v", h.old:get("l"))
  h.reader:rollback()
  h.db:update(function(tx) tx:bucket("b"):put("m", "new") end)
  h.db:view(function(tx)
    assert.same({ { "k", "new" }, { "l", "new" }, { "m", "new" }, { "n", false } },
      fresh.gather(tx:bucket("b"):each()))
  end)
  h.db:close()
end

local function forget(h)
  for name in pairs(h) do h[name] = nil end
  collectgarbage()
  collectgarbage()
end

describe("after a fork", function()
  if not process then return pending(children.missing) end
  after_each(fresh.clean)

  it("every method raises forked in the child, and the parent goes on (trap 3)", function()
    local h = everything()
    assert.equal("", children.run(other_than, "forked", h))
    assert_whole(h)
  end)

  it("a child that collects or closes its copies leaves the parent's whole (trap 3)", function()
    local h = everything()
    assert.equal("0", children.run(function()
      local weak = setmetatable({}, { __mode = "k" })
      for _, handle in ipairs{ h.db, h.reader, h.writer, h.b, h.old, h.c } do
        weak[handle] = true
      end
      forget(h)
      local left = 0
      for _ in pairs(weak) do left = left + 1 end
      return left
    end))
    children.run(function()
      for _, handle in ipairs{ h.c, h.reader, h.writer, h.db } do
        getmetatable(handle).__close(handle)
        getmetatable(handle).__gc(handle)
      end
    end)
    assert_whole(h)
  end)

  it("a child that closes its whole Lua state leaves the parent's whole (trap 3)", function()
    local script = [[
      local store, process = require "jangada.store", require "spec.process"
      local db = assert(store.open(...))
      local tx = db:begin("write")
      local b = tx:create_bucket("b")
      b:put("k", "v")
      local c = b:cursor()
      print(process.wait(process.fork(process.quit)))
      print(c:first())
      tx:commit()
      print(db:view(function(now) return now:bucket("b"):get("k") end))
    ]]
    assert.equal("exit\t0\t\nk\tv\nv\n", (fresh.run(script, fresh.path())))
  end)

  it("in the middle of an update, the child unwinds and the parent commits (trap 3)", function()
    local db, path = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      tx:savepoint(function()
        b:put("k", "parent")
        local finish = children.start(function() -- errors of the child end in the child
          local _, failure = pcall(b.put, b, "k", "child")
          return failure.code
        end)
        assert.equal("forked", finish())
      end)
    end)
    db:close()
    fresh.open(path):view(function(tx) assert.equal("parent", tx:bucket("b"):get("k")) end)
  end)

  it("a child that returns out of the parent's transaction commits nothing (trap 3)", function()
    local script = [[
      local store, process = require "jangada.store", require "spec.process"
      local path, how = ...
      local db = assert(store.open(path))
      db:update(function(tx) tx:create_bucket("b"):put("k", "old") end)
      local child
      local ok, failure = pcall(db[how], db, function(tx)
        if how == "update" then tx:bucket("b"):put("k", "new") end
        child = process.split()
        if child > 0 then process.wait(child) end
      end)
      if child == 0 then -- it runs on from within the function, too
        io.write("child ", tostring(ok), " ", tostring(ok or failure.code), "\n"):flush()
        process.quit()
      end
      print("parent", ok, db:view(function(tx) return tx:bucket("b"):get("k") end))
      db:update(function(tx) tx:bucket("b"):put("k", "newer") end)
      print(db:info().last_tx_id)
    ]]
    assert.equal("child false forked\nparent\ttrue\tnew\n4\n",
      (fresh.run(script, fresh.path(), "update")))
    assert.equal("child false forked\nparent\ttrue\told\n3\n",
      (fresh.run(script, fresh.path(), "view")))
  end)

  it("a child opens other files, and the parent's once that has closed it (trap 3)", function()
    local h = everything()
    local other, path = fresh.path(), h.path
    local finish = children.start(function()
      local db <close> = assert(store.open(other))
      db:update(function(tx) tx:create_bucket("b") end)
      local none, _, code = store.open(path, { lock_timeout_ms = 0 })
      assert(not none and code == "in_use", code)
      local mine <close> = assert(store.open(path, { lock_timeout_ms = 20000 }))
      mine:update(function(tx) tx:bucket("b"):put("k", "child's") end)
      forget(h)
      mine:update(function(tx) tx:bucket("b"):put("l", "child's") end)
      return "done"
    end)
    while not io.open(other) do os.execute("sleep 0.01") end
    assert_whole(h)
    assert.equal("done", finish())
    local db = fresh.open(path)
    db:view(function(tx)
      assert.same({ { "k", "child's" }, { "l", "child's" }, { "m", "new" }, { "n", false } },
        fresh.gather(tx:bucket("b"):each()))
    end)
  end)

  it("the parent's death frees the file, though the child lives (trap 3)", function()
    local script = [[
      local store, process = require "jangada.store", require "spec.process"
      local db = assert(store.open(...))
      db:update(function(tx) tx:create_bucket("b"):put("k", "committed") end)
      local tx = db:begin("write")
      tx:bucket("b"):put("k", "lost")
      local pid = process.fork(function()
        process.alarm(60)
        process.pause()
        return tx:id()
      end)
      io.write(pid, "\n"):flush()
      os.execute("kill -9 $PPID")
    ]]
    local path = fresh.path()
    local pipe = fresh.start(script, path)
    local pid = pipe:read("n")
    pipe:close()
    local db <close> = assert(store.open(path, { lock_timeout_ms = 0 }))
    db:update(function(tx)
      assert.equal("committed", tx:bucket("b"):get("k"))
      tx:bucket("b"):put("k", "mine")
    end)
    process.kill(pid, 0) -- it does live
    process.kill(pid, 9)
  end)

  it("a grandchild's handles are its own, and each generation's are refused (trap 3)", function()
    local db = fresh.open()
    assert.equal("forked, forked, ok", children.run(function()
      local mine <close> = assert(store.open(fresh.path()))
      return children.run(function()
        local codes = {}
        for i, other in ipairs{ db, mine } do
          codes[i] = select(2, pcall(other.view, other, print)).code
        end
        local own <close> = assert(store.open(fresh.path() .. "-own"))
        codes[3] = own:view(function() return "ok" end)
        return table.concat(codes, ", ")
      end)
    end))
    db:view(function() end)
  end)

  it("of a process that has unloaded the module, nothing happens (trap 3)", function()
    local script = [[
      local process = require "spec.process"
      local s = process.state()
      s:run("local db = require 'jangada.store'.open(...) db:close()", ...)
      s:close()
      print(process.wait(process.fork(function() return "child" end)))
    ]]
    assert.equal("exit\t0\tchild\n", (fresh.run(script, fresh.path())))
  end)
end)

describe("on another thread of the same Lua state", function()
  if not process then return pending(children.missing) end
  after_each(fresh.clean)

  it("every method raises wrong_thread, and the handles stay whole (trap 7)", function()
    local h = everything()
    assert.equal("", process.in_thread(other_than, "wrong_thread", h))
    assert_whole(h)
  end)

  it("files are opened and used like anywhere", function()
    local path = fresh.path()
    process.in_thread(function()
      local db <close> = assert(store.open(path))
      db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    end)
    local db = fresh.open(path)
    db:view(function(tx) assert.equal("v", tx:bucket("b"):get("k")) end)
  end)

  it("a writer collected there does not hang a full table's purge (traps 5, 7)", function()
    local path = fresh.path()
    assert.equal("ok", children.run(function()
      local db = assert(store.open(path, { trees_max = 8 }))
      db:update(function(tx)
        for i = 1, 6 do tx:create_bucket("b" .. i):put("k", "v") end
      end)
      collectgarbage("stop")
      db:begin("write"):bucket("b1"):put("k", "lost")
      process.alarm(5)
      process.in_thread(function() collectgarbage() collectgarbage() end)
      collectgarbage("restart")
      db:update(function(tx) assert(tx:bucket("b1"):get("k") == "v") end)
      return "ok"
    end))
  end)

  it("handles collected on another thread hang and harm nothing (traps 5, 7)", function()
    for _, keeps_db in ipairs{ true, false } do
      local path = fresh.path()
      assert.equal("ok", children.run(function() -- it may hang: a child dies of SIGALRM then
        local db = assert(store.open(path))
        db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
        collectgarbage("stop")
        db:begin("read"):bucket("b"):cursor():first()
        db:begin("write"):bucket("b"):put("k", "lost")
        if not keeps_db then db = nil end
        process.alarm(5)
        process.in_thread(function() collectgarbage() collectgarbage() end)
        collectgarbage("restart")
        for i = 1, 3 do
          db = db or assert(store.open(path))
          db:update(function(tx)
            local b = tx:bucket("b")
            assert(b:get("k") == (i == 1 and "v" or "new"))
            b:put("k", "new")
          end)
        end
        return "ok"
      end))
    end
  end)
end)

describe("another Lua state of the process", function()
  if not process then return pending(children.missing) end
  after_each(fresh.clean)

  local probe = [[
    local store = require "jangada.store"
    local db, message, code = store.open(...)
    if db then db:close() end
    return code or "opened"
  ]]

  it("cannot open the file a second time, until it was closed (trap 1)", function()
    local state = process.state()
    local db, path = fresh.open()
    assert(os.execute(("ln '%s' '%s-hard'"):format(path, path)))
    assert.equal("already_open", state:run(probe, path))
    assert.equal("already_open", state:run(probe, path .. "-hard"))
    db:close()
    assert.equal("opened", state:run(probe, path .. "-hard"))
    state:run("db = require 'jangada.store'.open(...)", path)
    local _, _, code = store.open(path)
    assert.equal("already_open", code)
    assert.equal("already_open", process.state():run(probe, path))
    state:close()
    fresh.open(path)
  end)

  it("has errors of its own kind", function()
    local state = process.state()
    assert.equal("true db_closed", state:run([[
      local store, errors = require "jangada.store", require "jangada.errors"
      local db = store.open(...)
      db:close()
      local _, failure = pcall(db.view, db, print)
      return tostring(errors.is(failure)) .. " " .. failure.code
    ]], fresh.path()))
    state:close()
  end)

  it("on its own thread works on its own file beside others (trap 7)", function()
    local results = process.race(8, [[
      local i, directory = ...
      local store = require "jangada.store"
      for round = 1, 5 do
        local db <close> = assert(store.open(directory .. "/own" .. i, { durability = "none" }))
        for n = 1, 20 do
          db:update(function(tx)
            local b = tx:ensure_bucket("b")
            b:put("n", tostring((tonumber(b:get("n")) or 0) + 1))
          end)
        end
        if round == 5 then return db:view(function(tx) return tx:bucket("b"):get("n") end) end
      end
    ]], fresh.directory)
    assert.same({ "100", "100", "100", "100", "100", "100", "100", "100" }, results)
  end)

  it("on its own thread gets the file, or already_open (trap 1)", function()
    local path = fresh.path()
    local results = process.race(8, [[
      local _, path = ...
      local store = require "jangada.store"
      local opened = 0
      for _ = 1, 200 do
        local db, message, code = store.open(path, { durability = "none", lock_timeout_ms = 0 })
        if db then
          opened = opened + 1
          db:update(function(tx)
            local b = tx:ensure_bucket("b")
            b:put("n", tostring((tonumber(b:get("n")) or 0) + 1))
          end)
          db:close()
        elseif code ~= "already_open" and code ~= "in_use" then
          return message
        end
      end
      return opened
    ]], path)
    local sum = 0
    for _, opened in ipairs(results) do sum = sum + assert(tonumber(opened), opened) end
    fresh.open(path):view(function(tx)
      assert.equal(tostring(sum), tx:bucket("b"):get("n"))
    end)
  end)
end)
