-- Calls of the store in the middle of which a finalizer ends or changes what they work on: a
-- program of its own (traps_gc_spec.lua starts it), since in a small heap the collector is done
-- every few allocations. Prints what went wrong, and how many of the finalizers went off.
local errors = require "jangada.errors"
local store = require "jangada.store"

local path, call = ...
local options = { durability = os.getenv("DURABILITY") or "none", journal_size = 1 << 20 }

-- Runs `work` with a finalizer `bomb` that goes off, once, at some allocation within it.
local function with_bomb(delay, bomb, work)
  collectgarbage()
  collectgarbage("stop")
  local ready = false
  local mt = {}
  function mt.__gc()
    if not ready then return end
    if delay > 0 then
      delay = delay - 1
      setmetatable({}, mt) -- next cycle
      return
    end
    ready = false
    bomb()
  end
  setmetatable({}, mt)
  collectgarbage("incremental", 1, 1000, 1) -- the collector runs at every allocation
  ready = true
  collectgarbage("restart")
  local ok, message = pcall(work)
  local fired = not ready
  ready = false
  collectgarbage("incremental", 200, 100, 13)
  return ok, message, fired
end

local function scene()
  os.remove(path)
  local s = { db = assert(store.open(path, options)) }
  s.db:update(function(tx)
    local b = tx:create_bucket("b")
    for i = 1, 40 do b:put(("%02d"):format(i), ("v"):rep(i * 40)) end
    b:create_bucket("n"):put("k", "v")
    b:create_bucket("t", { tree = true }):put("k", "v")
  end)
  s.tx = s.db:begin("write")
  s.b = s.tx:bucket("b")
  s.c = s.b:cursor()
  s.c:first()
  s.step, s.state = s.b:each()
  s.names = s.b:buckets()
  return s
end

-- An item of the scene has the value that belongs to its key.
local function check_item(key, value)
  local number = key and key:match("^%d%d$")
  if number then assert(#value == number * 40, "key and value do not belong together") end
end

local long = ("k"):rep(400)
local calls = {
  get = function(s) for i = 1, 40 do s.b:get(("%02d"):format(i)) end end,
  put = function(s) for i = 1, 40 do s.b:put(i .. long, long .. i) end end,
  delete = function(s) for i = 1, 40 do s.b:delete(("%02d"):format(i)) end end,
  delete_range = function(s) for i = 1, 40 do s.b:delete_range("0", tostring(i)) end end,
  append = function(s)
    for i = 1, 40 do s.b:append({ "u" .. ("%02d"):format(i) }, { long .. i }) end
  end,
  each = function(s)
    for key, value in s.step, s.state do check_item(key, value) end
  end,
  each_begin = function(s) for i = 1, 40 do s.b:each{ from = "0" .. i, prefix = "1" } end end,
  next = function(s)
    repeat
      local key, value = s.c:next()
      check_item(key, value)
    until not key
  end,
  first_last = function(s)
    for _ = 1, 20 do
      check_item(s.c:first())
      s.c:last()
      s.c:prev()
      check_item(s.c:prev())
    end
  end,
  seek = function(s) for i = 1, 40 do check_item(s.c:seek(("%02d"):format(i))) end end,
  cursor = function(s) for _ = 1, 40 do s.b:cursor():first() end end,
  bucket = function(s)
    for _ = 1, 20 do
      assert(s.b:bucket("n")):get("k")
      assert(s.b:bucket("t")):get("k")
      assert(s.tx:bucket("b"))
      collectgarbage("step")
    end
  end,
  buckets = function(s)
    for _, b in s.names do if b then b:get("k") end end
    for _, b in s.tx:buckets() do if b then b:get("k") end end
  end,
  create_bucket = function(s)
    for i = 1, 20 do
      s.b:create_bucket("x" .. i, { tree = i % 2 == 0 }):put("k", "v")
      s.tx:create_bucket("x" .. i):put("k", "v")
    end
  end,
  ensure_bucket = function(s)
    for i = 1, 20 do s.b:ensure_bucket("x" .. i % 3):put("k", "v") end
  end,
  delete_bucket = function(s)
    for i = 1, 20 do s.b:ensure_bucket("x" .. i):put("k", "v") s.b:delete_bucket("x" .. i) end
  end,
  savepoint = function(s)
    for i = 1, 20 do
      pcall(s.tx.savepoint, s.tx, function()
        s.b:put("s" .. i, long)
        s.b:ensure_bucket("x" .. i):put("k", "v")
        if i % 2 == 0 then error(i .. long) end
      end)
    end
    s.b:get("k")
  end,
  commit = function(s)
    for i = 1, 5 do s.tx:on_commit(function() s.log = long .. i end) end
    s.tx:commit()
  end,
  rollback = function(s)
    for i = 1, 5 do s.tx:on_rollback(function() s.log = long .. i end) end
    s.tx:rollback()
  end,
  begin = function(s)
    for _ = 1, 20 do s.db:begin("read"):bucket("b"):get("01") end
    s.tx:rollback()
    for _ = 1, 20 do s.db:begin("write"):bucket("b"):put("01", "w") end
  end,
  update = function(s)
    s.tx:rollback()
    for i = 1, 20 do
      s.db:update(function(tx) return tx:bucket("b"):put("k", long .. i) end)
      s.db:view(function(tx) return tx:bucket("b"):get("k") .. i end)
    end
  end,
  batch = function(s)
    s.tx:rollback()
    for i = 1, 10 do
      pcall(s.db.batch, s.db, {
        function(tx) tx:bucket("b"):put("k", long .. i) end,
        function(tx)
          tx:bucket("b"):put("k", i .. long)
          error(i .. long)
        end,
      })
    end
    s.db:path()
  end,
  info = function(s)
    for _ = 1, 20 do
      assert(s.db:info().page_size)
      assert(s.db:stats().pages)
      assert(s.db:readers())
    end
  end,
  bucket_stats = function(s)
    for _ = 1, 20 do
      assert(s.b:stats().keys)
      assert(s.b:count())
    end
  end,
  ticket = function(s)
    s.tx:rollback()
    for i = 1, 20 do
      local tx = s.db:begin("write")
      tx:on_commit(function() s.log = long .. i end)
      tx:bucket("b"):put("k", long .. i)
      local ticket = tx:commit{ wait = false }
      s.log = tostring(ticket) .. ticket:id()
      ticket:is_durable()
      if i % 5 == 0 then ticket:wait() end
    end
    s.db:flush()
    s.db:checkpoint()
  end,
}

local bombs = {
  close = function(s) s.db:close{ force = true } end,
  abandon = function(s) s.db:abandon() end,
  rollback = function(s) s.tx:rollback() end,
  commit = function(s) s.ticket = s.tx:commit{ wait = false } end,
  flush = function(s) s.db:flush() end,
  finalize = function(s) getmetatable(s.tx).__gc(s.tx) end,
  delete = function(s) s.tx:delete_bucket("b") end,
  replace = function(s)
    s.tx:delete_bucket("b")
    s.tx:create_bucket("b", { tree = false }):put("k", "v")
  end,
  empty = function(s) s.b:delete_range("0", "99") end,
  grow = function(s) for i = 1, 50 do s.b:put("g" .. i, ("x"):rep(3000)) end end,
  move = function(s) s.c:seek("05") end,
  move_delete = function(s) s.c:seek("05") s.c:delete() end,
  close_cursor = function(s) getmetatable(s.c).__gc(s.c) getmetatable(s.c).__gc(s.state) end,
  savepoint = function(s) s.tx:savepoint(function() s.b:put("0", "x") error() end) end,
  begin = function(s)
    s.db:view(function(tx) tx:bucket("b"):get("01") end)
    s.db:begin("read")
  end,
}

local names, fired = {}, 0
for name in pairs(bombs) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  for _, delay in ipairs{ 0, 1, 3 } do
    local s = scene()
    local ok, failure, went = with_bomb(delay, function() bombs[name](s) end,
      function() calls[call](s) end)
    if went then fired = fired + 1 end
    -- Nothing may fail but by the store's own refusals, of something that is gone.
    if not ok and not errors.is(failure)
      and not tostring(failure):find("attempt to index a nil value", 1, true) then
      print(name, tostring(failure))
    end
    s.db:close{ force = true }
    local db <close> = assert(store.open(path, options))
    db:update(function(tx)
      local b = tx:ensure_bucket("b")
      for _ in b:each() do end -- luacheck: ignore
      tx:create_bucket("after"):put("k", "v")
    end)
  end
end
print(fired)
