-- Traps of the garbage collector: a finalizer may run Lua code in the middle of any call that
-- allocates, and that code may end what the call works on (traps 28, 31).
local errors = require "jangada.errors"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

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
  local s = { path = fresh.path() }
  s.db = assert(store.open(s.path, { durability = "none" }))
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
}

local bombs = {
  close = function(s) s.db:close{ force = true } end,
  rollback = function(s) s.tx:rollback() end,
  finalize = function(s) getmetatable(s.tx).__gc(s.tx) end,
  delete = function(s) s.tx:delete_bucket("b") end,
  replace = function(s)
    s.tx:delete_bucket("b")
    s.tx:create_bucket("b", { keys = "integer" }):put(1, "v")
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

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

describe("a finalizer in the middle of", function()
  after_each(fresh.clean)

  for _, call in ipairs(sorted(calls)) do
    it(call .. ", ending or changing what it works on, does no harm (traps 28, 31)", function()
      local fired = 0
      for _, name in ipairs(sorted(bombs)) do
        for _, delay in ipairs{ 0, 3 } do
          local s = scene()
          local ok, failure, went = with_bomb(delay, function() bombs[name](s) end,
            function() calls[call](s) end)
          if went then fired = fired + 1 end
          -- Nothing but the store's own refusals, of something that is gone.
          if not ok and not errors.is(failure) then
            assert.matches("attempt to index a nil value", tostring(failure), 1, true)
          end
          s.db:close{ force = true }
          local db <close> = assert(store.open(s.path, { durability = "none" }))
          db:update(function(tx)
            local b = tx:ensure_bucket("b")
            for _ in b:each() do end -- luacheck: ignore
            tx:create_bucket("after"):put("k", "v")
          end)
        end
      end
      assert.is_true(fired >= 10, "only " .. fired .. " went off")
    end)
  end
end)

describe("the collector", function()
  after_each(fresh.clean)

  it("finalizes DB, transactions, buckets and cursors in any order (trap 28)", function()
    local script = [[
      local store, path, seed, ending = require "jangada.store", ...
      math.randomseed(tonumber(seed))
      local keep, order = {}, {}
      local db = assert(store.open(path, { durability = "none" }))
      local handles = { db, db:begin("read"), db:begin("read"), db:begin("write") }
      local tx = handles[4]
      for i = 1, 10 do
        local b = tx:ensure_bucket("b" .. i)
        b:put("k", "v")
        handles[#handles + 1] = b
        handles[#handles + 1] = b:ensure_bucket("n")
        handles[#handles + 1] = b:cursor()
        handles[#handles]:first()
        handles[#handles + 1] = select(2, b:each())
      end
      for i = #handles, 2, -1 do
        local j = math.random(i)
        handles[i], handles[j] = handles[j], handles[i]
      end
      tx, db = nil, nil
      if ending == "collect" then
        while #handles > 0 do
          for _ = 1, math.random(5) do table.remove(handles) end
          collectgarbage()
        end
      elseif ending == "exit" then
        os.exit(7, true)
      elseif ending == "abrupt" then
        os.exit(7)
      elseif ending == "inside" then
        for _, h in ipairs(handles) do
          if getmetatable(h).__name == "jangada.Tx" and h:is_writable() then
            h:savepoint(function() os.exit(7, true) end)
          end
        end
      else
        KEEP = handles -- until the state is closed
      end
    ]]
    local path = fresh.path()
    for seed = 1, 3 do
      for _, ending in ipairs{ "collect", "exit", "abrupt", "inside", "close" } do
        local output, status = fresh.run(script, path, seed, ending)
        assert.equal("", output)
        assert.equal((ending == "collect" or ending == "close") and 0 or 7, status, ending)
        local db <close> = assert(store.open(path)) -- nothing was committed
        db:view(function(tx) assert.same({}, fresh.keys(tx:buckets())) end)
      end
    end
  end)
end)
