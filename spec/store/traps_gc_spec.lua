-- Traps of the garbage collector: a finalizer may run Lua code in the middle of any call that
-- allocates, and that code may end what the call works on (traps 28, 31).
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local program
do
  local f <close> = assert(io.open("spec/support/bombs.lua"))
  program = f:read("a")
end

describe("a finalizer in the middle of", function()
  after_each(fresh.clean)

  for call in program:match("local calls = {(.-)\n}\n"):gmatch("\n  ([%w_]+) = ") do
    it(call .. ", ending or changing what it works on, does no harm (traps 28, 31)", function()
      local output, status = fresh.run(program, fresh.path(), call)
      assert.equal(0, status, output)
      assert.matches("^%d+\n$", output)
      assert.is_true(tonumber(output) >= 10, output)
    end)
  end
end)

describe("the collector", function()
  after_each(fresh.clean)

  it("finalizes DB, transactions, buckets and cursors in any order (trap 28)", function()
    local script = [[
      local store, path, seed, ending, durability = require "jangada.store", ...
      math.randomseed(tonumber(seed))
      local db = assert(store.open(path, { durability = durability }))
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
        local output, status = fresh.run(script, path, seed, ending, fresh.durability)
        assert.equal("", output)
        assert.equal((ending == "collect" or ending == "close") and 0 or 7, status, ending)
        local db <close> = assert(store.open(path)) -- nothing was committed
        db:view(function(tx) assert.same({}, fresh.keys(tx:buckets())) end)
      end
    end
  end)

  it("finalizes a handle whatever a script does to what getmetatable gives (trap 28)", function()
    local output, status = fresh.run([[
      local store, path = require "jangada.store", ...
      local function make()
        local db = assert(store.open(path))
        local tx = db:begin("write")
        local b = tx:ensure_bucket("b")
        return { store.memory_disk(), db, tx, b, b:cursor() }
      end
      for i = 1, 5 do
        local class = getmetatable(make()[i])
        assert(class.__gc)
        for name in pairs(class) do class[name] = nil end
        class.__gc = function() error("mine") end
        collectgarbage()
        make() -- for nobody has it open
        collectgarbage()
      end
      print(store.open(path))
    ]], fresh.path())
    assert.equal(0, status, output)
    assert.matches("^jangada.DB", output)
  end)

  it("that closes a Lua state closes what is opened only then; none is, at its very end (trap 28)",
    function()
      local script = [[
        local path, durability, ending, early = ...
        local store = early == "early" and require "jangada.store"
        KEEP = setmetatable({}, { __gc = function()
          local ok, failure = pcall(require, "jangada.store")
          if not ok then return print(failure) end
          local message, code
          DB, message, code = failure.open(path, { durability = durability })
          if not DB then return print(code) end
          WRITER = DB:begin("write")
          WRITER:create_bucket("b"):put("k", ("v"):rep(1000))
          if ending == "open" then return end
          WRITER:commit()
          for i = 1, ending == "flushing" and 20 or 0 do
            local tx <close> = DB:begin("write")
            tx:bucket("b"):put("k" .. i, ("v"):rep(100000))
            tx:commit{ wait = false }
          end
        end })
        if early == "later" then require "jangada.store" end
      ]]
      local expected = { early = "", later = "state_closed\n",
        never = "jangada.store cannot be loaded by a finalizer\n" }
      for _, durability in ipairs{ "commit", "journal" } do
        for _, ending in ipairs{ "open", "idle", "flushing" } do
          for early, text in pairs(expected) do
            local path = fresh.path()
            local output, status = fresh.run(script, path, durability, ending, early)
            assert.same({ text, 0 }, { output, status })
            local db = fresh.open(path)
            local b = db:view(function(tx)
              local b = tx:bucket("b")
              return b and b:count()
            end)
            local count = ending == "idle" and 1 or 21
            if early ~= "early" or ending == "open" then count = nil end
            assert.equal(count, b)
            db:close()
          end
        end
      end
    end)
end)
