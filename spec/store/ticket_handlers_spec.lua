-- on_commit handlers of commits that are not waited for.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"

local raises = fresh.raises

-- A commit of one item, with on_commit handlers that append their names to `ran`.
local function later(rig, key, ran, ...)
  local tx = rig.db:begin("write")
  tx:bucket("b"):put(key, "v")
  for _, name in ipairs{ ... } do
    tx:on_commit(function() ran[#ran + 1] = name end)
  end
  return tx:commit{ wait = false }
end

describe("on_commit of a commit that is not waited for", function()
  after_each(fresh.clean)

  it("runs when the commit is seen to be durable, once, in the order of commits", function()
    local rig, ran = journals.rig(), {}
    local tickets = {}
    for i = 1, 4 do tickets[i] = later(rig, tostring(i), ran, i .. "a", i .. "b") end
    tickets[1]:is_durable()
    assert.same({}, ran)
    tickets[2]:wait()
    assert.same({ "1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b" }, ran)
    for i = 1, 4 do tickets[i]:wait() end
    rig.db:flush()
    rig.db:close()
    assert.equal(8, #ran)
  end)

  it("runs by whatever looks: a ticket, a commit that waits, flush, checkpoint, close", function()
    local ways = {
      function(rig) rig:put("2") end,
      function(rig) rig.db:flush() end,
      function(rig) rig.db:checkpoint() end,
      function(rig) rig.db:close() end,
      function(rig) rig.db:update(function() end) end,
    }
    for i, way in ipairs(ways) do
      local rig, ran = journals.rig(), {}
      later(rig, "1", ran, "ran")
      way(rig)
      assert.same({ "ran" }, ran, i)
    end
  end)

  it("runs before that of a later commit that waits", function()
    local rig, ran = journals.rig(), {}
    later(rig, "1", ran, "1")
    later(rig, "2", ran, "2")
    rig.db:update(function(tx)
      tx:on_commit(function() ran[#ran + 1] = "3" end)
      tx:bucket("b"):put("3", "v")
    end)
    assert.same({ "1", "2", "3" }, ran)
  end)

  it("of one that was durable at once runs after those before it", function()
    local rig, ran = journals.rig(), {}
    later(rig, "1", ran, "1")
    local tx = rig.db:begin("write")
    tx:bucket("b"):put("large", ("v"):rep(70000))
    tx:on_commit(function() ran[#ran + 1] = "large" end)
    assert.is_true(tx:commit{ wait = false }:is_durable())
    assert.same({ "1", "large" }, ran)
  end)

  it("that raises keeps no other from running; the first error is raised", function()
    local looks = {
      function(rig) rig.db:flush() end,
      function(rig) rig.last:wait() end,
      function(rig) rig.last:is_durable() end,
      function(rig) rig.db:checkpoint() end,
      function(rig) rig.db:close() end,
      function(rig)
        rig.db:update(function(tx)
          tx:on_commit(function() rig.ran[#rig.ran + 1] = "own" end)
          tx:on_commit(function() error("its own error, a warning", 0) end)
          tx:bucket("b"):put("own", "v")
        end)
      end,
    }
    for i, look in ipairs(looks) do
      local rig = journals.rig()
      rig.ran = {}
      for n = 1, 4 do
        local tx = rig.db:begin("write")
        tx:bucket("b"):put(tostring(n), "v")
        tx:on_commit(function()
          rig.ran[#rig.ran + 1] = n
          if n > 1 then error("error " .. n, 0) end
        end)
        rig.last = tx:commit{ wait = false }
      end
      if i == 3 then rig.db:begin("read"):rollback() end -- durable, and nobody has looked
      local ok, message = pcall(look, rig)
      assert.is_false(ok)
      assert.equal("error 2", message)
      assert.same(i == 6 and { 1, 2, 3, 4, "own" } or { 1, 2, 3, 4 }, rig.ran)
      if i < 6 and rig.db:path() ~= "" then look(rig) end -- it raised once
    end
  end)

  it("may begin and end transactions, and look itself", function()
    local rig, seen = journals.rig(), {}
    local tickets = {}
    for i = 1, 3 do
      local tx = rig.db:begin("write")
      tx:bucket("b"):put(tostring(i), "v")
      tx:on_commit(function()
        seen[#seen + 1] = i
        rig.db:update(function(now) now:bucket("b"):put("from handler " .. i, "v") end)
        tickets[3]:wait()
        rig:later("later from handler " .. i)
      end)
      tickets[i] = tx:commit{ wait = false }
    end
    tickets[1]:wait()
    table.sort(seen)
    assert.same({ 1, 2, 3 }, seen)
    rig.db:flush()
    rig:crash()
    rig:open()
    assert.equal("1 2 3 from handler 1 from handler 2 from handler 3 later from handler 1 "
      .. "later from handler 2 later from handler 3", rig:keys())
  end)

  it("may close the DB, or drop it", function()
    for _, way in ipairs{ "close", "abandon" } do
      local rig, ran = journals.rig(), {}
      local tx = rig.db:begin("write")
      tx:bucket("b"):put("1", "v")
      tx:on_commit(function()
        ran[#ran + 1] = 1
        rig.db[way](rig.db)
      end)
      local ticket = tx:commit{ wait = false }
      later(rig, "2", ran, 2)
      assert.is_true(ticket:wait())
      assert.is_true(ticket:is_durable())
      assert.same({ 1, 2 }, ran)
      rig:open()
      assert.equal("1 2", rig:keys())
    end
  end)

  it("never runs for a commit that was not durable", function()
    local rig, ran = journals.rig(), {}
    later(rig, "1", ran, "abandoned")
    local snapshot = rig.db:begin("write")
    snapshot:on_rollback(function() ran[#ran + 1] = "the open one" end)
    rig.db:abandon()
    rig:open()
    rig:put("2")
    local ticket = later(rig, "3", ran, "poisoned")
    rig.disk:fail("flush")
    raises("poisoned", ticket.wait, ticket)
    raises("poisoned", ticket.is_durable, ticket)
    rig.db:close()
    assert.is_false(ticket:is_durable())
    collectgarbage()
    assert.same({}, ran)
  end)

  it("does not run when the commit failed: on_rollback does", function()
    local rig, ran = journals.rig(), {}
    rig.db:close()
    rig:open{ size_max = 1 << 20 }
    later(rig, "before", ran, "before")
    local tx = rig.db:begin("write")
    tx:on_commit(function() ran[#ran + 1] = "commit" end)
    tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
    raises("map_full", function() tx:bucket("b"):put("large", ("v"):rep(2 << 20)) end)
    raises("tx_failed", tx.commit, tx, { wait = false })
    rig:put("after")
    assert.same({ "rollback", "before" }, ran)
  end)

  it("does not run when the disk is too full for the commit: on_rollback does", function()
    assert.equal("no_space\t1\nrollback, after\n", (journals.run_held([[
      local ran = {}
      local function note(what) return function() ran[#ran + 1] = what end end
      local tx = db:begin("write")
      tx:on_commit(note("commit"))
      tx:on_rollback(note("rollback"))
      tx:bucket("b"):put("large", ("v"):rep(1 << 20)) -- it has no place in the journal
      fill()
      print(code(tx.commit, tx, { wait = false }), db:stats().rollbacks)
      free()
      local after = db:begin("write")
      after:on_commit(note("after"))
      after:commit{ wait = false }
      db:flush()
      print(table.concat(ran, ", "))
      db:close()
    ]])))
  end)

  it("stays alive until then, though nobody holds its transaction or ticket", function()
    local rig, ran = journals.rig(), {}
    for i = 1, 50 do later(rig, tostring(i), ran, i) end
    collectgarbage()
    collectgarbage()
    assert.same({}, ran)
    rig.db:flush()
    assert.equal(50, #ran)
  end)
end)
