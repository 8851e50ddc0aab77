-- What a crash left, and opening it.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"
local store = require "jangada.store"

local must = programs.must

describe("opening after a crash", function()
  after_each(fresh.clean)

  it("brings in all that was committed, whatever durability is asked for", function()
    for _, disk in ipairs{ true, false } do
      for _, durability in ipairs{ "journal", "commit", "none" } do
        local rig = disk and journals.crashed() or journals.crashed_with_file()
        local db = rig:open{ durability = durability }
        assert.equal("1 2", rig:keys())
        assert.equal(durability, db:info().durability)
        assert.equal(durability == "journal" and 3 or nil, (db:info().journal or {}).replayed)
        assert.is_true((db:check()))
        rig:put("3")
        db:close()
        rig.db = fresh.open(rig.path, { durability = "commit" })
        assert.equal("1 2 3", rig:keys())
        rig.db:close()
      end
    end
  end)

  it("goes on counting commits where it was", function()
    local rig = journals.crashed()
    local info = rig:open():info()
    assert.equal(3, info.last_tx_id)
    info = info.journal
    assert.same({ 3, 3, 3, 0, 0 },
      { info.lsn, info.flushed_lsn, info.checkpoint_lsn, info.behind, info.used })
    rig:put("3")
    assert.equal(4, rig.db:info().last_tx_id)
    rig.db:close()
    assert.equal(0, rig:open():info().journal.replayed)
    assert.equal(4, rig.db:info().last_tx_id)
    rig:crash()
    assert.equal(0, rig:open():info().journal.replayed)
  end)

  it("flushes what it brings in, also with durability none", function()
    local open = [[
      local db, message = require "jangada.store".open(..., { durability = "none" })
      print(db and "opened" or message)
      if db then db:close() end
    ]]
    local rig = journals.crashed_with_file()
    assert.matches("Input/output error\n$", (fresh.run_with("FAULT_FLUSH=1", open, rig.path)))
    assert.matches("Input/output error\n$", (fresh.run_with("FAULT_META=1", open, rig.path)))
    assert.equal("opened\n", (fresh.run_with("FAULT_FLUSH=2 FAULT_META=2", open, rig.path)))
    rig:open()
    assert.equal("1 2", rig:keys())
  end)

  it("that dies itself leaves everything as it was", function()
    if not children.process then return pending(children.missing) end
    local rig = journals.rig{ journal_disk = false, journal_size = 1 << 20 }
    for i = 1, 100 do rig:put(("%03d"):format(i), ("v"):rep(3000)) end
    local all = rig:keys()
    rig:crash()
    local deaths = 0
    for round = 1, 12 do
      local pid, fd = children.process.fork(function()
        rig:open()
        children.process.kill(0 + io.open("/proc/self/stat"):read("n"), 9)
      end)
      for _ = 1, round * 20000 do deaths = deaths + 0 end -- more or less of it
      children.process.kill(pid, 9)
      local kind, signal = children.process.wait(pid, fd)
      if kind == "signal" and signal == 9 then deaths = deaths + 1 end
    end
    assert.equal(12, deaths)
    rig:open()
    assert.equal(all, rig:keys())
    assert.is_true((rig.db:check()))
  end)

  it("finds the journal beside the file itself, by whatever link that is opened", function()
    local path = fresh.path()
    local link, hard = path .. "-link", path .. "-hard"
    journals.open(path):close()
    must("ln -s '%s' '%s'; ln '%s' '%s'", path, link, path, hard)
    local db = journals.open(link)
    assert.equal(path .. "-journal", db:info().journal.path)
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    db:abandon()
    assert.equal("journal_missing", (select(3, store.open(hard))))
    db = journals.open(path)
    assert.equal(1, db:info().journal.replayed)
  end)

  it("takes a journal of any size, and makes it of the one asked for", function()
    local rig = journals.rig{ journal_disk = false, journal_size = 1 << 18 }
    for i = 1, 3 do rig:put(tostring(i), ("v"):rep(50000)) end
    rig:crash()
    rig:open{ journal_size = 1 << 16 }
    assert.equal("1 2 3", rig:keys())
    assert.equal(1 << 16, rig.db:info().journal.size)
    rig:put("4")
    assert.equal(1 << 16, #rig:bytes())
    rig:crash()
    rig:open{ journal_size = (1 << 17) + 511 }
    assert.equal("1 2 3 4", rig:keys())
    rig:put("5")
    assert.equal(1 << 17, #rig:bytes())
    assert.equal(("\0"):rep(1 << 16), rig:bytes():sub((1 << 16) + 1))
  end)

  it("wants the room that the journal needs, and loses nothing without", function()
    local rig = journals.rig()
    rig.db:update(function(tx) tx:bucket("b"):put("large", ("v"):rep(40000)) end)
    rig:crash()
    for _ = 1, 2 do
      assert.equal("map_full", (select(3, rig:try{ size_max = 1 << 16 })))
    end
    rig:open()
    assert.equal("large", rig:keys())
  end)

  it("makes the trees of the journal, also where they are more than trees_max", function()
    local many = journals.rig{ trees_max = 300 }
    for _, durability in ipairs{ "journal", "commit", "none" } do
      many.db:update(function(tx)
        for i = 1, 200 do tx:ensure_bucket("tree" .. i):put("k", durability) end
      end)
      many:crash()
      many:open{ durability = durability, trees_max = 1 }
      assert.equal(202, many.db:info().trees)
      assert.is_true(many.db:info().trees_max >= 201)
      many.db:view(function(tx)
        for i = 1, 200 do assert.equal(durability, tx:bucket("tree" .. i):get("k")) end
      end)
      assert.is_true((many.db:check()))
      many.db:update(function(tx) tx:delete_bucket("tree7") end)
      many.db:close()
      many:open{ trees_max = 300 }
      many.db:update(function(tx)
        assert.is_nil(tx:bucket("tree7"))
        for i = 1, 200 do if i ~= 7 then tx:delete_bucket("tree" .. i) end end
      end)
      many.db:close()
      many:open{ trees_max = 300 }
    end
  end)
end)

describe("a journal that is not needed", function()
  after_each(fresh.clean)

  local function closed()
    local rig = journals.rig{ journal_disk = false }
    rig:put("1")
    rig.db:close()
    return rig
  end

  it("may be absent, or anything", function()
    local rig = closed()
    for _, bytes in ipairs{ false, "", "x", ("x"):rep(100000), ("JgJ1"):rep(9999) } do
      os.remove(rig.path .. "-journal")
      if bytes then programs.write_file(rig.path .. "-journal", bytes) end
      rig:open{ durability = "commit" }:close()
      rig:open{ read_only = true, durability = "none" }:close()
      rig:open{ shared = true, durability = "none" }:close()
      rig:open()
      assert.equal(0, rig.db:info().journal.replayed)
      rig:put("2")
      rig:crash()
      rig:open()
      assert.equal("1 2", rig:keys())
      rig.db:close()
    end
  end)

  it("of the file's own past brings nothing back", function()
    local rig = closed()
    local old = rig:bytes()
    rig:open()
    rig.db:update(function(tx) tx:bucket("b"):delete("1") end)
    rig.db:close()
    programs.write_file(rig.path .. "-journal", old)
    rig:open()
    assert.equal("", rig:keys())
    rig:put("2")
    rig:crash()
    rig:open()
    assert.equal("2", rig:keys())
  end)

  it("beside a new file of the old name says nothing of that", function()
    local rig = journals.crashed_with_file()
    must("rm '%s' '%s-lock'", rig.path, rig.path)
    rig:open()
    assert.equal(0, rig.db:info().journal.replayed)
    rig.db:update(function(tx) assert.is_nil(tx:bucket("b")) end)
    rig:crash()
    rig:open()
    assert.equal(0, rig.db:info().journal.replayed)
  end)

  it("of what a backup was put back for brings nothing of that back", function()
    local rig = journals.rig{ journal_disk = false }
    rig:put("1")
    local backup = fresh.path()
    rig.db:backup(backup)
    for i = 2, 5 do rig:put(tostring(i), "regretted") end
    rig:crash()
    for _, puts in ipairs{ 0, 1, 3 } do
      must("cp '%s' '%s'", backup, rig.path)
      rig:open()
      assert.equal("1", rig:keys())
      rig.db:update(function() end)
      for i = 2, 1 + puts do rig:put(tostring(i), "the same size") end
      rig:crash()
      rig:open()
      assert.equal(("1 2 3 4"):sub(1, 1 + 2 * puts), rig:keys())
      rig:crash()
    end
  end)
end)

describe("read_only and shared", function()
  after_each(fresh.clean)

  it("are journal_pending while the journal holds commits", function()
    local rig = journals.crashed_with_file()
    for _ = 1, 2 do
      local db, message, code = store.open(rig.path, { read_only = true })
      assert.is_nil(db)
      assert.equal("journal_pending", code)
      assert.matches("holds 3 commits: open it once without read_only", message)
      db, message, code = store.open(rig.path, { shared = true })
      assert.is_nil(db)
      assert.equal("journal_pending", code)
      assert.matches("open it once without shared", message)
      _, _, code = store.open(rig.path, { shared = true, salvage = true })
      assert.equal("journal_pending", code)
    end
    local journal = rig.path .. "-journal"
    must("mv '%s' '%s.away' && mkfifo '%s'", journal, journal, journal)
    assert.equal("io_error", select(3, store.open(rig.path, { read_only = true }))) -- at once
    must("mv '%s.away' '%s'", journal, journal)
    rig:open():close()
    for _, options in ipairs{ { read_only = true }, { shared = true } } do
      rig.db = fresh.open(rig.path, options)
      assert.equal("1 2", rig:keys())
      rig.db:close()
    end
  end)

  it("are journal_pending for a single commit, too", function()
    local rig = journals.rig{ journal_disk = false }
    rig.db:checkpoint()
    rig:put("1")
    rig:crash()
    local _, message, code = store.open(rig.path, { read_only = true })
    assert.equal("journal_pending", code)
    assert.matches("holds 1 commit: open it", message)
  end)

  it("read_only opens what a crash left with an empty journal, and changes nothing", function()
    local rig = journals.rig{ journal_disk = false }
    rig:put("1")
    rig.db:checkpoint()
    rig:crash()
    local function sum() return must("cksum '%s' '%s-journal'", rig.path, rig.path) end
    local before = sum()
    for _, durability in ipairs{ "commit", "none", "journal" } do
      rig.db = fresh.open(rig.path, { read_only = true, durability = durability })
      assert.equal("1", rig:keys())
      assert.is_nil(rig.db:info().journal)
      fresh.raises("db_read_only", rig.db.update, rig.db, print)
      rig.db:close()
    end
    assert.equal(before, sum())
  end)

  it("read_only shares the journal with others who only read it", function()
    local rig = journals.crashed_with_file()
    rig:open()
    rig.db:update(function(tx) tx:bucket("b"):put("3", "v") end)
    rig.db:checkpoint()
    rig:crash()
    local go = fresh.path()
    must("mkfifo '%s'", go)
    local function finish() programs.write_file(go, "\n") end
    local reader <close> = assert(io.popen(
      ("flock -s '%s-journal' -c 'exec 3<>\"%s\"; echo; read x <&3'"):format(rig.path, go)))
    local _ <close> = setmetatable({}, { __close = finish })
    assert.equal("", reader:read("l"))
    rig.db = fresh.open(rig.path, { read_only = true })
    assert.equal("1 2 3", rig:keys())
    rig.db:close()
    assert.equal("in_use", (select(3, rig:try())))
  end)
end)
