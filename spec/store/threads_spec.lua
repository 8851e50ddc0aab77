-- Threads and Lua states: what no Lua script can do alone, and what hosts of Lua do to it.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local handles = require "spec.support.handles"
local store = require "jangada.store"

local process = children.process

describe("on another thread of the same Lua state", function()
  if not process then return pending(children.missing) end
  after_each(fresh.clean)

  it("every method raises wrong_thread, and the handles stay whole (trap 7)", function()
    local h = handles.everything()
    assert.equal("", process.in_thread(handles.other_than, "wrong_thread", h))
    handles.assert_whole(h)
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
