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
end)
