-- The simulated disk: what it keeps, and its accidents.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local store = require "jangada.store"

local raises = fresh.raises

-- A rig that dropped its DB while a flush of commits with these values was under way, the bytes of
-- its disk before that and with all of them, and where they lie.
local function interrupted(...)
  local rig = journals.rig()
  rig:put("flushed")
  local before = rig:bytes()
  for i, value in ipairs{ ... } do rig:later(tostring(i), value) end
  rig.disk:fail("flush")
  raises("poisoned", rig.db.flush, rig.db)
  rig.db:abandon()
  local from, to = rig.disk:unflushed()
  return rig, before, rig:bytes(), from, to
end

describe("a memory disk", function()
  after_each(fresh.clean)

  it("is empty until a DB writes to it, outlives that, and serves the next", function()
    local disk = store.memory_disk()
    assert.equal(0, disk:size())
    assert.equal("", disk:read(0, 0))
    assert.is_nil(disk:unflushed())
    disk:cut()
    disk:tear(error)
    disk:scribble(0, "")
    assert.matches("^jangada.MemoryDisk: %S+ %(0 bytes%)$", tostring(disk))
    local rig = journals.rig{ journal_disk = disk }
    assert.equal(65536, disk:size())
    assert.matches("%(65536 bytes%)$", tostring(disk))
    rig:put("1")
    rig.db:close()
    rig:open()
    rig:put("2")
    rig:crash()
    rig:open()
    assert.equal("1 2", rig:keys())
    rig.db:close()
    assert.equal(1, #journals.records(disk:read(0, 65536))) -- of the last that wrote
  end)

  it("is used by one DB at a time, from its first write on", function()
    local rig = journals.rig()
    local other, path = journals.open(nil, { journal_disk = rig.disk })
    other:view(function() end)
    raises("in_use", other.update, other, print)
    for _, method in ipairs{ "cut", "tear", "scribble" } do
      raises("in_use", rig.disk[method], rig.disk, print)
    end
    rig:put("1")
    rig.db:close()
    other:update(function(tx) tx:create_bucket("b"):put("k", "other") end)
    other:abandon()
    rig:open()
    assert.equal("1", rig:keys())
    rig:put("2") -- over what the other needs
    rig.db:close()
    local options = { durability = "journal", journal_disk = rig.disk }
    assert.equal("journal_foreign", (select(3, store.open(path, options))))
  end)

  it("says where unflushed bytes lie", function()
    local rig, before, all, from, to = interrupted("one", "two")
    assert.equal(to - from, 2 * 72)
    assert.equal(before:sub(1, from), all:sub(1, from))
    assert.equal(before:sub(to + 1), all:sub(to + 1))
    assert.equal("JgJ1", rig.disk:read(from, 4))
    rig.disk:cut(1 << 40)
    assert.is_nil(rig.disk:unflushed())
    assert.equal(all, rig:bytes())
  end)

  it("cut keeps the first unflushed bytes, none unless asked, and no others", function()
    for _, keep in ipairs{ false, 0, 1, 71, 72, 143, 144, 145, math.maxinteger } do
      local rig, before, all, from, to = interrupted("one", "two")
      rig.disk:cut(keep or nil)
      local kept = math.min(keep or 0, to - from)
      assert.equal(all:sub(1, from + kept) .. before:sub(from + kept + 1), rig:bytes())
      assert.is_nil(rig.disk:unflushed())
      rig.disk:cut()
      assert.equal(all:sub(1, from + kept) .. before:sub(from + kept + 1), rig:bytes())
    end
  end)

  it("cut takes back what lies apart, and leaves what lies between", function()
    local rig = journals.rig()
    for i = 1, 5 do rig:put(tostring(i)) end
    local used, before = (rig.db:info().journal.used + 511) // 512 * 512, rig:bytes()
    rig.disk:fail("write")
    raises("io_error", rig.put, rig, "x")
    assert.same({ used, used + 64 }, { rig.disk:unflushed() })
    assert.equal(before:sub(1, used) .. "JgJ1", rig.disk:read(0, used + 4))
    assert.equal(("\0"):rep(32), rig.disk:read(used + 32, 32)) -- a failed write is half of one
    rig.disk:fail("flush")
    raises("poisoned", rig.put, rig, "begins anew")
    rig.db:abandon()
    assert.same({ 0, used + 64 }, { rig.disk:unflushed() })
    assert.is_true(before ~= rig:bytes())
    rig.disk:cut()
    assert.equal(before, rig:bytes())
  end)

  it("tear asks for each unflushed sector whether it survives", function()
    for pattern = 0, 15 do
      local rig, before, all, from, to = interrupted(("x"):rep(700), ("y"):rep(1100))
      local first, last = from // 512, (to - 1) // 512
      assert.equal(4, last - first + 1)
      local asked, expected = {}, all:sub(1, from)
      rig.disk:tear(function(...)
        local n = ...
        asked[#asked + 1] = n
        assert.equal(1, select("#", ...))
        return pattern >> n - 1 & 1 == 1
      end)
      assert.same({ 1, 2, 3, 4 }, asked)
      for at = from, to - 1 do
        local survives = pattern >> at // 512 - first & 1 == 1
        expected = expected .. (survives and all or before):sub(at + 1, at + 1)
      end
      assert.equal(expected .. all:sub(to + 1), rig:bytes())
      assert.is_nil(rig.disk:unflushed())
    end
  end)

  it("tear changes nothing when what it asks raises, and bears whatever that does", function()
    local rig, before, all, from, to = interrupted(("x"):rep(700))
    local ok, raised = pcall(rig.disk.tear, rig.disk, function(n)
      if n == 2 then error("stop", 0) end
    end)
    assert.same({ false, "stop" }, { ok, raised })
    assert.same({ from, to }, { rig.disk:unflushed() })
    assert.equal(all, rig:bytes())
    rig.disk:tear(function() rig.disk:cut() end)
    assert.equal(before, rig:bytes())
    rig = interrupted(("x"):rep(700))
    raises("in_use", rig.disk.tear, rig.disk, function(n)
      if n == 1 then
        rig:open()
        rig:put("meanwhile")
      end
    end)
    assert.matches("^1 flushed meanwhile$", rig:keys())
  end)

  it("scribble overwrites any of its bytes", function()
    local rig, _, all = interrupted("x")
    for _, at in ipairs{ 0, 1, 1000, 65536 - 3 } do
      rig.disk:scribble(at, "rot")
      all = all:sub(1, at) .. "rot" .. all:sub(at + 4)
      assert.equal(all, rig:bytes())
    end
    rig.disk:scribble(65536, "")
    assert.equal(all, rig:bytes())
  end)

  it("fails at the n-th call from then on, once, with what was asked for", function()
    local rig = journals.rig()
    for _, case in ipairs{ { "write", "EIO", "io_error" }, { "write", "ENOSPC", "no_space" } } do
      local call, name, code = table.unpack(case)
      rig.disk:fail(call, 3, name)
      rig:put("1")
      rig:put("2")
      raises(code, rig.put, rig, "3")
      rig:put("4")
      rig.disk:fail(call, 1, name)
      rig.disk:fail(call, 0)
      rig:put("5")
    end
    rig.disk:fail("write")
    raises("io_error", rig.put, rig, "default")
    rig.disk:fail("flush", 2)
    rig:put("6")
    raises("poisoned", rig.put, rig, "7")
    rig.db:close()
    rig.disk:cut()
    rig:open()
    assert.equal("1 2 4 5 6", rig:keys())
  end)

  it("that cannot grow makes the first write fail, and nothing else", function()
    local disk = store.memory_disk()
    local db = journals.open(nil, { journal_disk = disk })
    for _, case in ipairs{ { "EIO", "io_error" }, { "ENOSPC", "no_space" } } do
      disk:fail("truncate", 1, case[1])
      raises(case[2], db.update, db, print)
      db:view(function(tx) assert.is_nil(tx:bucket("b")) end)
    end
    db:update(function(tx) tx:create_bucket("b") end)
    assert.equal(65536, disk:size())
    db:abandon()
    disk:fail("flush", 1) -- of what opening wipes
    db = journals.open(db:path() ~= "" and db:path() or nil, { journal_disk = disk })
    raises("io_error", db.update, db, print)
    db:update(function(tx) tx:create_bucket("c") end)
  end)

  it("checks its arguments, and changes nothing when they are wrong", function()
    local rig, _, all = interrupted("x")
    local disk, size = rig.disk, rig.disk:size()
    local function refuses(pattern, method, ...)
      local arguments = table.pack(...)
      assert.error_matches(function()
        disk[method](disk, table.unpack(arguments, 1, arguments.n))
      end, pattern)
      assert.equal(all, rig:bytes())
    end
    refuses("#2 to .* %(past the end", "read", -1, 0)
    refuses("#2 to .* %(past the end", "read", size + 1, 0)
    refuses("#3 to .* %(past the end", "read", size, 1)
    refuses("#3 to .* %(past the end", "read", 0, size + 1)
    refuses("#3 to .* %(past the end", "read", 0, -1)
    refuses("#3 to .* %(past the end", "read", 0, math.mininteger)
    refuses("#2 to .* %(past the end", "read", math.maxinteger, math.maxinteger)
    refuses("#2 to .* %(number expected", "read")
    refuses("#2 to .* %(not negative", "cut", -1)
    refuses("#2 to .* %(number expected", "cut", "all")
    refuses("#2 to .* %(function expected", "tear")
    refuses("#2 to .* %(past the end", "scribble", -1, "x")
    refuses("#2 to .* %(past the end", "scribble", size, "x")
    refuses("#2 to .* %(past the end", "scribble", math.maxinteger, "x")
    refuses("#3 to .* %(string expected", "scribble", 0, 7)
    refuses("#2 to .* %(invalid option 'read'", "fail", "read")
    refuses("#2 to .* %(string expected", "fail")
    refuses("#3 to .* %(not negative", "fail", "write", -1)
    refuses("#3 to .* %(number has no integer", "fail", "write", 1.5)
    refuses("#4 to .* %(invalid option 'EPERM'", "fail", "write", 1, "EPERM")
    for _, method in pairs(getmetatable(disk).__index) do
      assert.error_matches(function() method(io.stdout) end, "MemoryDisk expected")
      assert.error_matches(function() method() end, "MemoryDisk expected")
    end
  end)

  it("may be collected in any order with its DB", function()
    for _ = 1, 20 do
      local rig = journals.rig()
      rig:later("1")
      rig = { cycle = rig }
      rig.cycle.rig = rig
    end
    collectgarbage()
    collectgarbage()
    local disk = store.memory_disk()
    getmetatable(disk).__gc(disk)
    assert.equal(0, disk:size())
    local rig = journals.rig{ journal_disk = disk }
    getmetatable(disk).__gc(disk) -- a DB uses it
    rig:put("1")
    rig:crash()
    rig:open()
    assert.equal("1", rig:keys())
  end)

  it("lies on demand: a flush succeeds and keeps nothing, until it is true again", function()
    local rig = journals.rig()
    rig:put("1")
    rig.disk:lie(true)
    rig:put("2")
    assert.is_truthy(rig.disk:unflushed())
    rig:crash()
    rig:open()
    assert.equal("1", rig:keys())
    rig.disk:lie(false)
    rig:put("3")
    rig:crash()
    rig:open()
    assert.equal("1 3", rig:keys())
    assert.is_false((pcall(rig.disk.lie, rig.disk)))
  end)
end)
