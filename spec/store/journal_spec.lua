-- Records: what stands in a journal, and which of it counts.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"
local store = require "jangada.store"

local raises = fresh.raises

-- The size that a value must have for its put, in a transaction of its own, to be a record of so
-- many bytes: the head, "T 1 b", and "P" with a key of one byte.
local function value_of(record_size) return ("v"):rep(record_size - 48 - 4 - 9 - 1) end

describe("a record", function()
  after_each(fresh.clean)

  it("is laid out as docs/journal.md says", function()
    local rig = journals.rig()
    rig:put("k", "value")
    local info = rig.db:info().journal
    local bytes = rig:bytes()
    local one, two, three = table.unpack(journals.records(bytes))
    assert.is_nil(three)
    assert.same({ 0, 1, 0, 0 }, { one.at, one.lsn, one.flushed_lsn, one.zero })
    assert.same({ 2, 1, 0 }, { two.lsn, two.flushed_lsn, two.zero })
    assert.same({ info.epoch, info.epoch }, { one.epoch, two.epoch })
    assert.equal(one.id, two.id)
    assert.equal(48 + 4 + 9 + 1 + 5, two.size)
    local fields = "T\0\1b" .. "P\0\0\0\1\0\0\0\5k" .. "value"
    local rest = string.pack(">I4 I4 I8 I8 I8 I8", two.size, 0, info.epoch, 2, 1, two.id)
      .. fields
    assert.equal("JgJ1" .. string.pack(">I4", store.crc32c(rest)) .. rest,
      bytes:sub(two.at + 1, two.at + two.size))
    local past = two.at + (two.size + 7) // 8 * 8
    assert.equal(past, info.used)
    assert.equal(("\0"):rep(#bytes - two.at - two.size), bytes:sub(two.at + two.size + 1))
  end)

  it("begins at a multiple of 8, whatever the one before it ends at", function()
    local rig = journals.rig()
    local sizes = {}
    for n = 0, 16 do
      rig:later(string.char(65 + n), ("v"):rep(n))
      sizes[n + 1] = 62 + n
    end
    rig.db:flush()
    local records = journals.records(rig:bytes())
    local at = records[2].at
    for i, size in ipairs(sizes) do
      assert.same({ at, size }, { records[i + 1].at, records[i + 1].size })
      at = at + (size + 7) // 8 * 8
    end
    assert.equal(at, rig.db:info().journal.used)
    rig:crash()
    rig:open()
    assert.equal("A B C D E F G H I J K L M N O P Q", rig:keys())
  end)

  it("begins a block of the disk, unless it is written with the one before it", function()
    for _, case in ipairs{ { nil, 512 }, { false, 4096 } } do
      local disk, block = case[1], case[2]
      local rig = journals.rig{ journal_disk = disk }
      local first = (rig.db:info().journal.used + block - 1) // block * block
      rig:put("1")
      rig:put("2", ("v"):rep(block))
      rig:later("3")
      rig:later("4")
      rig.db:flush()
      rig:put("5")
      local places, packed = {}, 0
      local records = journals.records(rig:bytes())
      for i = #records - 4, #records do places[#places + 1] = (records[i].at - first) / block end
      if not disk then packed = places[4] end -- a thread may have taken 3 before 4 was there
      assert.same({ 0.0, 1.0, 3.0 }, { places[1], places[2], places[3] })
      if disk == nil then
        assert.equal(3.0 + 64 / 512, packed)
        assert.equal(4.0, places[5])
      end
      rig:crash()
      rig:open()
      assert.equal("1 2 3 4 5", rig:keys())
      rig.db:close()
    end
  end)

  it("says what was known to be flushed when it was written", function()
    local rig = journals.rig()
    for i = 1, 3 do rig:later(tostring(i)) end
    rig.db:flush()
    rig:later("4")
    rig:put("5")
    rig:put("6")
    local flushed = {}
    for i, r in ipairs(journals.records(rig:bytes())) do flushed[i] = r.flushed_lsn end
    assert.same({ 0, 1, 1, 1, 4, 4, 6 }, flushed)
  end)

  it("may fill the journal to its last byte, and not more", function()
    for _, case in ipairs{ { 0, 2 }, { 1, 0 }, { -1, 2 } } do
      local more, behind = table.unpack(case)
      local rig = journals.rig()
      local left = 65536 - (rig.db:info().journal.used + 511) // 512 * 512
      assert.equal(0, left % 8)
      rig:put("x", value_of(left + more))
      local info = rig.db:info().journal
      assert.same({ behind > 0 and 65536 or 0, behind }, { info.used, info.behind })
      rig:crash()
      assert.equal(behind, rig:open():info().journal.replayed)
      assert.equal("x", rig:keys())
      rig.db:close()
    end
  end)

  it("is one for each transaction that changed something, and for no other", function()
    local rig = journals.rig()
    rig:put("k")
    local before = rig.db:stats().flushes.count
    local function nothing(fn)
      local bytes, info = rig:bytes(), rig.db:info()
      fn()
      assert.equal(info.journal.used, rig.db:info().journal.used)
      assert.equal(info.last_tx_id, rig.db:info().last_tx_id)
      assert.equal(bytes, rig:bytes())
    end
    nothing(function() rig.db:update(function() end) end)
    nothing(function() rig.db:update(function(tx) tx:ensure_bucket("b"):get("k") end) end)
    nothing(function() rig.db:update(function(tx) tx:bucket("b"):delete("missing") end) end)
    nothing(function() rig.db:update(function(tx) tx:bucket("b"):delete_range("l", "m") end) end)
    nothing(function() rig.db:update(function(tx) tx:bucket("b"):append({}, {}) end) end)
    nothing(function()
      rig.db:update(function(tx)
        pcall(tx.savepoint, tx, function()
          tx:create_bucket("undone"):put("k", "v")
          error("undone")
        end)
      end)
    end)
    nothing(function()
      rig.db:update(function(tx)
        local b = tx:bucket("b")
        raises("not_ascending", b.append, b, { "a" }, { "" })
      end)
    end)
    nothing(function()
      pcall(rig.db.update, rig.db, function(tx)
        tx:bucket("b"):put("l", "v")
        error("rolled back")
      end)
    end)
    nothing(function() rig.db:view(function() end) end)
    assert.equal(before, rig.db:stats().flushes.count)
    local function put(tx) tx:bucket("b"):put("l", "") end
    rig.db:batch{ put, put, error }
    assert.equal(before + 1, rig.db:stats().flushes.count)
    assert.equal(3, #journals.records(rig:bytes()))
  end)

  it("is counted in the life of the file, over checkpoints and whatever opens it", function()
    local rig = journals.rig()
    local ids = {}
    local function commit()
      rig.db:update(function(tx)
        ids[#ids + 1] = tx:id()
        tx:bucket("b"):put("k", tostring(#ids))
      end)
      ids[#ids + 1] = rig.db:info().last_tx_id
    end
    commit()
    rig.db:checkpoint()
    commit()
    rig:crash()
    rig:open()
    commit()
    rig.db:close()
    local other = fresh.open(rig.path, { durability = "commit" })
    other:update(function(tx) tx:bucket("b"):put("k", "not counted") end)
    other:close()
    rig:open()
    assert.equal(4, rig.db:view(function(tx) return tx:id() end))
    commit()
    assert.same({ 2, 2, 3, 3, 4, 4, 5, 5 }, ids)
  end)
end)

describe("the marker", function()
  if not programs.has_tools then return pending(programs.no_tools) end
  after_each(fresh.clean)

  it("says in LMDB's file what the journal begins with, and whether it is needed", function()
    local rig = journals.rig()
    local function marker(path)
      local m = journals.marker(path or rig.path)
      assert.equal(33, m.size)
      assert.equal(journals.records(rig:bytes())[1].id, m.id)
      if path then return m end -- LMDB counts afresh in a compacted copy
      local stat = programs.must("mdb_stat -n -e '%s'", rig.path)
      assert.equal(m.tx_id, tonumber(stat:match("Last transaction ID: (%d+)")))
      return m
    end
    local first = marker()
    assert.same({ rig.db:info().journal.epoch, 0, 0 }, { first.epoch, first.lsn, first.clean })
    rig:put("k")
    assert.same(first, marker())
    rig.db:checkpoint()
    local second = marker()
    assert.same({ first.epoch + 1, 2, 0 }, { second.epoch, second.lsn, second.clean })
    rig:put("l")
    local backup = fresh.path()
    rig.db:backup(backup)
    for _, third in ipairs{ marker(), marker(backup) } do
      assert.same({ first.epoch + 2, 3, 1 }, { third.epoch, third.lsn, third.clean })
    end
    rig:put("m")
    assert.equal(0, marker().clean)
    rig.db:close()
    local last = marker()
    assert.same({ 4, 1 }, { last.lsn, last.clean })
  end)

  it("is not there before a journal was in use", function()
    local db, path = fresh.open(nil, { durability = "none" })
    db:update(function(tx) tx:create_bucket("b") end)
    db:close()
    assert.is_nil(journals.marker(path))
    db = journals.open(path)
    db:view(function() end)
    db:close()
    db = journals.open(path, { read_only = true })
    db:close()
  end)

  it("of each opening that writes has another id, and so has what stands in the journal", function()
    local rig, ids = journals.rig(), {}
    for i = 1, 5 do
      if i % 2 == 0 then rig:crash() else rig.db:close() end
      rig:open()
      rig.db:begin("write"):rollback() -- there is no record of a commit
      local first = journals.records(rig:bytes())[1]
      assert.same({ 48, "" }, { first.size, first.body })
      ids[i] = journals.marker(rig.path).id
      assert.equal(ids[i], first.id)
      for j = 1, i - 1 do assert.not_equal(ids[i], ids[j]) end
      rig:put("k")
    end
  end)
end)

describe("a tail", function()
  after_each(fresh.clean)

  -- The power fails while commits are being flushed: so many bytes of theirs are on the disk.
  local function crash_in_flush(rig, keep, keys)
    for i = 1, #keys do rig:later(keys:sub(i, i), "unflushed") end
    rig.disk:fail("flush")
    raises("poisoned", rig.db.flush, rig.db)
    local from, to = rig.disk:unflushed()
    rig:crash(keep)
    rig:open()
    return to - from
  end

  it("cut at any byte of the last record is cut off, and all before it is there", function()
    local rig = journals.rig()
    local before, whole = "", 48 + 4 + 9 + 1 + 9
    for keep = 0, whole + 1 do
      assert.equal(72, crash_in_flush(rig, keep, "x"))
      local last = keep >= whole and "x" or ""
      assert.equal(before .. last, rig:keys():gsub(" ", ""), ("%d bytes"):format(keep))
      if keep % 16 == 0 then
        before = before .. string.char(65 + keep // 16)
        rig:put(before:sub(-1))
      end
      rig.db:update(function(tx) tx:bucket("b"):delete("x") end)
    end
    assert.is_true((rig.db:check()))
  end)

  it("of several commits keeps the first of them", function()
    local rig = journals.rig()
    rig.db:checkpoint()
    for kept = 0, 9 do
      assert.equal(9 * 72, crash_in_flush(rig, 72 * kept + 47, "123456789"))
      assert.equal(("123456789"):sub(1, kept), rig:keys():gsub(" ", ""))
      assert.equal(kept, rig.db:info().journal.replayed)
      rig.db:update(function(tx) tx:bucket("b"):delete_range() end)
      rig.db:checkpoint()
    end
  end)

  it("may be any rot of what was flushed last: no later record vouches for it", function()
    local rig = journals.rig()
    rig:put("1")
    for i = 2, 4 do rig:later(tostring(i)) end
    rig.db:flush()
    rig.db:abandon()
    local records = journals.records(rig:bytes())
    rig.disk:scribble(records[4].at + 50, "rot")
    rig:open()
    assert.equal("1 2", rig:keys())
  end)

  it("in a file may be of any length, too", function()
    local rig = journals.rig{ journal_disk = false }
    rig:put("1")
    rig:put("2")
    rig.db:abandon()
    local data, journal = fresh.path(), rig:bytes()
    programs.must("cp '%s' '%s'", rig.path, data)
    local records = journals.records(journal)
    local last = records[3]
    for size = last.at, last.at + last.size, 7 do
      programs.must("cp '%s' '%s'", data, rig.path)
      programs.write_file(rig.path .. "-journal", journal:sub(1, size))
      rig:open()
      assert.equal(size >= last.at + last.size and "1 2" or "1", rig:keys())
      rig.db:close()
    end
  end)

  it("never comes back, though whole records were behind a torn one", function()
    local rig = journals.rig()
    local large = ("v"):rep(1024 - 62)
    rig:put("1", ("v"):rep(512 - 62)) -- a sector
    assert.equal(1024, rig.db:info().journal.used)
    for _, key in ipairs{ "5", "6", "7" } do rig:later(key, large) end -- two sectors each
    rig.disk:fail("flush")
    raises("poisoned", rig.db.flush, rig.db)
    rig.db:abandon()
    rig.disk:tear(function(sector) return sector > 2 end) -- 5 is lost, 6 and 7 are whole
    local found = journals.records(rig:bytes())
    assert.equal(2, #found)
    assert.equal("JgJ1", rig.disk:read(2048, 4))
    rig:open()
    assert.equal("1", rig:keys())
    rig:put("8", ("v"):rep(2048 - 62)) -- the LSN of 5, and it ends where 6 begins
    assert.equal(3, rig.db:info().last_tx_id)
    local new, stale = journals.records(rig:bytes())[1], journals.records(rig:bytes():sub(2049))[1]
    assert.same({ 3, 2048, 4 }, { new.lsn, new.size, stale.lsn })
    rig:crash()
    rig:open()
    assert.equal("1 8", rig:keys())
  end)
end)

describe("damage", function()
  after_each(fresh.clean)

  it("at any byte of a record that a later one vouches for is found", function()
    local rig = journals.rig()
    for i = 1, 3 do rig:put(tostring(i)) end
    rig:crash()
    local records = journals.records(rig:bytes())
    assert.equal(4, #records)
    for i = 1, 3 do
      local r, before = records[i], records[i - 1]
      local place = before and before.at + (before.size + 7) // 8 * 8 or 0
      for at = r.at, r.at + r.size - 1, i == 2 and 1 or 5 do
        local byte = rig.disk:read(at, 1)
        rig.disk:scribble(at, string.char(byte:byte() ~ 0x10))
        local db, message, code = rig:try()
        assert.is_nil(db)
        assert.equal("journal_corrupt", code, at)
        local told = ("the record of commit %d behind byte %d,"):format(i, place)
        assert.matches(told, message, 1, true)
        rig.disk:scribble(at, byte)
      end
    end
    rig:open()
    assert.equal("1 2 3", rig:keys())
  end)

  it("is also a record in the place of another", function()
    local rig = journals.rig()
    for i = 1, 4 do rig:put(tostring(i)) end
    rig:crash()
    local _, two, three = table.unpack(journals.records(rig:bytes()))
    rig.disk:scribble(three.at, rig.disk:read(two.at, two.size))
    local db, message, code = rig:try()
    assert.is_nil(db)
    assert.equal("journal_corrupt", code)
    assert.matches("the record of commit 3 behind byte " .. two.at + 64, message, 1, true)
  end)

  it("is not seen in what other epochs or stores have left behind the end", function()
    local rig = journals.rig()
    for i = 1, 9 do rig:put(tostring(i)) end
    rig.db:checkpoint()
    rig:put("x")
    rig:crash()
    rig.disk:scribble(20, "rot") -- of the only record of its epoch: a tail
    rig:open()
    assert.equal("1 2 3 4 5 6 7 8 9", rig:keys())
    assert.equal(0, rig.db:info().journal.replayed)
  end)
end)
