-- Forks: what no Lua script can do alone, and what hosts of Lua do to it. shared_spec.lua has what
-- processes do to one another, threads_spec.lua threads and Lua states.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local handles = require "spec.support.handles"
local store = require "jangada.store"

local process = children.process

describe("after a fork", function()
  if not process then return pending(children.missing) end
  after_each(fresh.clean)

  it("every method raises forked in the child, and the parent goes on (trap 3)", function()
    local h = handles.everything()
    assert.equal("", children.run(handles.other_than, "forked", h))
    handles.assert_whole(h)
  end)

  it("a child that collects or closes its copies leaves the parent's whole (trap 3)", function()
    local h = handles.everything()
    assert.equal("0", children.run(function()
      local weak = setmetatable({}, { __mode = "k" })
      for _, handle in ipairs{ h.db, h.reader, h.writer, h.b, h.old, h.c } do
        weak[handle] = true
      end
      handles.forget(h)
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
    handles.assert_whole(h)
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
    local h = handles.everything()
    local other, path = fresh.path(), h.path
    local finish = children.start(function()
      local none, _, code = store.open(path, { lock_timeout_ms = 0 })
      assert(not none and code == "in_use", code)
      local db <close> = assert(store.open(other)) -- now the parent goes on
      db:update(function(tx) tx:create_bucket("b") end)
      local mine <close> = assert(store.open(path, { lock_timeout_ms = 20000 }))
      mine:update(function(tx) tx:bucket("b"):put("k", "child's") end)
      handles.forget(h)
      mine:update(function(tx) tx:bucket("b"):put("l", "child's") end)
      return "done"
    end)
    fresh.wait_for(other)
    handles.assert_whole(h)
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
    -- It may be slow to let go of its copy of the lock.
    local db <close> = assert(store.open(path, { lock_timeout_ms = 20000 }))
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
