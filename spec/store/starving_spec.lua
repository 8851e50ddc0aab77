-- Memory that runs out in the middle of any call, at each place where it can (trap 31): nothing is
-- left behind that hangs or harms the next call, and the store goes on.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"

local process = children.process

-- Runs one of these in a state of its own, again and again, with one more allocation granted each
-- time, until it needs no more. What is open stays open where the call does not close it.
local script = [[
  local store, path, name, durability = require "jangada.store", ...
  local options = { durability = durability, journal_size = 1 << 16, lock_timeout_ms = 0 }
  local db

  local calls = {}

  function calls.open() -- the DB it returns is closed before it is opened again
    db:close()
    db = assert(store.open(path, options))
  end

  function calls.update()
    return db:update(function(tx, ...)
      local b = tx:ensure_bucket("new")
      b:put("k", ("v"):rep(1000))
      b:ensure_bucket("nested"):put("k", "v")
      tx:on_commit(function() end)
      tx:on_rollback(function() end)
      return b:get("k"), ...
    end, 1, 2, 3)
  end

  function calls.view()
    db:view(function(tx)
      local b = tx:bucket("b")
      for _ in b:each() do end
      for _ in b:each{ reverse = true, from = "2", to = "8", limit = 3 } do end
      for _, inner in tx:buckets() do inner:count() end
      local c = b:cursor()
      c:seek("3")
      c:prev()
      return tostring(b) .. tostring(c) .. tostring(tx) .. tostring(db)
    end)
  end

  function calls.batch()
    return db:batch{
      function(tx) tx:bucket("b"):put("x", "y") end,
      function() error("no") end,
      function(tx) tx:create_bucket("b") end,
    }
  end

  function calls.savepoint()
    db:update(function(tx)
      pcall(tx.savepoint, tx, function()
        tx:create_bucket("s"):put("k", "v")
        tx:bucket("b"):delete_range()
        error("no")
      end)
      tx:savepoint(function() tx:ensure_bucket("t") end)
    end)
  end

  function calls.move()
    db:update(function(tx)
      tx:create_bucket("m"):put("k", "v")
      tx:move_bucket("m", tx:bucket("b"))
      tx:bucket("b"):bucket("m"):put("l", "w")
      tx:bucket("b"):delete_bucket("m")
    end)
  end

  function calls.manual()
    local tx <close> = db:begin("write")
    tx:bucket("b"):delete("z1")
    tx:bucket("b"):delete("z2")
    tx:bucket("b"):append({ "z1", "z2" }, { "a", "b" })
    tx:commit()
    local reader <close> = db:begin("read")
    reader:bucket("b"):get("1")
    reader:rollback()
  end

  function calls.integers()
    local layout = "n:I8 :C text:*"
    db:update(function(tx)
      local b = tx:ensure_bucket("i", { keys = "integer" })
      b:delete_range()
      b:append(1, (store.pack_records(layout, 1, { { n = 1, text = "a" }, { n = 2, text = "b" } })))
      b:records(layout, 1, 5)
      for _ in b:each{ from = 1 } do end
      b:next_sequence()
    end)
  end

  function calls.ticket()
    local tx <close> = db:begin("write")
    tx:bucket("b"):put("t", "v")
    tx:on_commit(function() end)
    tx:commit{ wait = false }:wait()
  end

  function calls.telling()
    db:info()
    db:stats()
    db:readers()
    assert(db:check())
  end

  function calls.backup()
    os.remove(path .. "-copy")
    db:backup(path .. "-copy")
  end

  function calls.close()
    db:begin("read")
    local tx = db:begin("write")
    tx:on_rollback(function() end)
    tx:create_bucket("q")
    db:close{ force = true }
  end

  local function prepare()
    if db and db:path() ~= "" then return end
    db = assert(store.open(path, options))
    db:update(function(tx)
      local b = tx:ensure_bucket("b")
      for i = 1, 9 do b:put(tostring(i), "v") end
    end)
  end

  local function assert_well(n)
    local tx <close> = db:write_tx()
    if tx then tx:rollback() end
    collectgarbage() -- read transactions that were let go of
    db:update(function(tx) tx:bucket("b"):put("1", tostring(n)) end)
    assert(db:view(function(tx) return tx:bucket("b"):get("1") end) == tostring(n))
    assert(#db:readers() == 0, "a reader was left")
  end

  local call = calls[name]
  prepare()
  local n, failed = 0, 1
  while failed > 0 do
    collectgarbage()
    starve(n)
    pcall(call)
    failed = starve()
    prepare()
    assert_well(n)
    n = n + 1
  end
  assert(db:check())
  db:close()
  return n - 1
]]

describe("memory that runs out", function()
  if not process then return pending(children.missing) end
  after_each(fresh.clean)

  for call in script:gmatch("function calls%.(%w+)") do
    it("in " .. call .. " does no harm (trap 31)", function()
      for _, durability in ipairs{ "commit", "journal" } do
        local places = children.run(function() -- a child, which dies rather than hang
          local state = process.state()
          local count = state:run(script, fresh.path(), call, durability)
          state:close()
          return count
        end)
        assert.is_true(tonumber(places) >= 1, places)
      end
    end)
  end
end)
