-- With a journal all but snapshots work in one transaction of LMDB: what may be open beside what.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"

local raises = fresh.raises

describe("what may be open at once", function()
  after_each(fresh.clean)

  local calls = {
    view = function(db) db:view(function() end) end,
    update = function(db) db:update(function() end) end,
    batch = function(db) db:batch{ function() end } end,
    write = function(db) db:begin("write"):rollback() end,
    read = function(db) db:begin("read"):rollback() end,
    checkpoint = function(db) db:checkpoint() end,
    backup = function(db) db:backup(fresh.path()) end,
    check = function(db) db:check() end,
    flush = function(db) db:flush() end,
    sync = function(db) db:sync() end,
    info = function(db) db:info() end,
    stats = function(db) db:stats() end,
    readers = function(db) db:readers() end,
    close = function(db) db:close() end,
    durable_fd = function(db) db:durable_fd() end,
    abandon = function(db) db:abandon() end,
    force = function(db) db:close{ force = true } end,
  }

  -- While something is open each call raises the code that is named, or works.
  local function assert_calls(db, codes)
    for name, call in pairs(calls) do
      local ends = name == "abandon" or name == "force"
      if codes[name] then
        raises(codes[name], call, db)
      elseif not ends then
        call(db)
      end
    end
  end

  it("beside a view, in it and in one within it: only what reads what it reads", function()
    local rig = journals.rig()
    local r = "read_tx_active"
    local codes = { update = r, batch = r, write = r, read = r, checkpoint = r, backup = r,
      check = r, close = "tx_open", force = r, abandon = r }
    rig:put("1")
    rig.db:view(function(tx)
      assert_calls(rig.db, codes)
      rig.db:view(function() assert_calls(rig.db, codes) end)
      pcall(rig.db.view, rig.db, error)
      assert_calls(rig.db, codes)
      assert.equal("v", tx:bucket("b"):get("1"))
    end)
    rig:put("2")
    assert.equal("1 2", rig:keys())
  end)

  it("beside a write transaction: only what needs no other", function()
    local rig = journals.rig()
    local w = "write_tx_active"
    local codes = { view = w, update = w, batch = w, write = w, read = w, checkpoint = w,
      backup = w, check = w, close = "tx_open" }
    rig.db:update(function(tx)
      tx:bucket("b"):put("1", "v")
      assert_calls(rig.db, codes)
      tx:savepoint(function() assert_calls(rig.db, codes) end)
      assert.equal("v", rig.db:write_tx():bucket("b"):get("1"))
    end)
    local snapshot = rig.db:begin("read")
    local tx = rig.db:begin("write")
    assert_calls(rig.db, codes)
    assert.equal("v", snapshot:bucket("b"):get("1"))
    tx:bucket("b"):put("2", "v")
    tx:commit()
    assert.is_nil(snapshot:bucket("b"):get("2"))
    snapshot:rollback()
    assert.equal("1 2", rig:keys())
  end)

  it("beside a snapshot: everything, but a close without force", function()
    local rig = journals.rig()
    local snapshot = rig.db:begin("read")
    assert_calls(rig.db, { close = "tx_open" })
    rig:put("1")
    assert_calls(rig.db, { close = "tx_open" })
    rig.db:view(function() assert.is_nil(snapshot:bucket("b"):get("1")) end)
    rig.db:close{ force = true }
    raises("tx_closed", snapshot.bucket, snapshot, "b")
  end)

  it("ends with a forced close or a death, whatever it was", function()
    for _, way in ipairs{ "force", "abandon" } do
      local rig = journals.rig()
      rig:put("1")
      local snapshot, tx = rig.db:begin("read"), rig.db:begin("write")
      local b = tx:bucket("b")
      b:put("2", "v")
      calls[way](rig.db)
      raises("tx_closed", b.get, b, "2")
      raises("tx_closed", snapshot.bucket, snapshot, "b")
      rig:open()
      assert.equal("1", rig:keys())
    end
  end)

  it("a view whose DB is collected or closed by a finalizer ends with it", function()
    local rig = journals.rig()
    rig:put("1")
    raises("tx_closed", rig.db.view, rig.db, function(tx)
      getmetatable(rig.db).__close(rig.db)
      raises("tx_closed", tx.bucket, tx, "b")
    end)
    rig:open()
    assert.equal("1", rig:keys())
  end)
end)

describe("a transaction too large for the journal, left on another thread", function()
  if not children.process then return pending(children.missing) end
  after_each(fresh.clean)

  it("is ended before anything waits for it", function()
    local ways = {
      function(db) db:close() end,
      function(db) db:backup(fresh.path()) end,
      function(db) db:checkpoint() end,
      function(db) db:view(function() end) end,
      function(db) db:update(function() end) end,
    }
    for _, way in ipairs(ways) do
      assert.equal("1", children.run(function()
        local process = children.process
        local rig = journals.rig()
        rig:put("1")
        collectgarbage("stop")
        local b = rig.db:begin("write"):bucket("b")
        for i = 1, 9 do b:put("large" .. i, ("v"):rep(30000)) end
        b = nil
        process.alarm(10)
        process.in_thread(function() collectgarbage() collectgarbage() end)
        collectgarbage("restart")
        way(rig.db)
        if rig.db:path() == "" then rig:open() end
        local keys = rig:keys()
        fresh.clean()
        return b or keys
      end))
    end
  end)
end)
