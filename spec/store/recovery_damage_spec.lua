-- What a crash left, and what somebody did to it meanwhile.
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"
local store = require "jangada.store"

local must = programs.must

-- Opening fails with the code each time, whatever durability is asked for, and changes nothing.
local function assert_refused(rig, code, pattern, options)
  for _, durability in ipairs{ "journal", "commit", "none", "journal" } do
    local o = { durability = durability }
    for name, value in pairs(options or {}) do o[name] = value end
    local db, message, got = rig:try(o)
    if db then db:close() end
    assert.is_nil(db)
    assert.equal(code, got, message)
    assert.matches(pattern, message)
  end
end

-- With `salvage` it opens with these keys, and from then on without.
local function assert_salvaged(rig, keys, options)
  local o = { salvage = true }
  for name, value in pairs(options or {}) do o[name] = value end
  rig:open(o)
  assert.equal(keys, rig:keys())
  rig:put("x")
  rig:crash()
  rig:open(options)
  assert.equal(keys == "" and "x" or keys .. " x", rig:keys())
  assert.is_true((rig.db:check()))
  rig.db:close()
end

describe("a file that needs its journal", function()
  after_each(fresh.clean)

  it("is journal_missing without it, until it is back", function()
    local rig = journals.crashed_with_file()
    must("mv '%s-journal' '%s-away'", rig.path, rig.path)
    assert_refused(rig, "journal_missing", "%-journal: it is needed and is not there")
    assert_refused(rig, "journal_missing", "", { read_only = true })
    assert_refused(rig, "journal_missing", "", { read_only = true, salvage = true })
    must("mv '%s-away' '%s-journal'", rig.path, rig.path)
    rig:open()
    assert.equal("1 2", rig:keys())
    rig:crash()
    rig:open()
    rig:put("3")
    rig:crash()
    os.remove(rig.path .. "-journal")
    assert_refused(rig, "journal_missing", "is not there")
    assert_salvaged(rig, "1 2")
  end)

  it("is journal_missing with another disk", function()
    local rig = journals.crashed()
    assert_refused(rig, "journal_missing", "", { journal_disk = store.memory_disk() })
    rig:open()
    assert.equal("1 2", rig:keys())
  end)

  it("is journal_foreign with another store's, until it has its own", function()
    local rig, other = journals.crashed_with_file(), journals.crashed_with_file()
    local own = rig:bytes()
    must("cp '%s-journal' '%s-journal'", other.path, rig.path)
    assert_refused(rig, "journal_foreign", "%-journal: it is another file's journal")
    assert_refused(rig, "journal_foreign", "", { read_only = true })
    programs.write_file(rig.path .. "-journal", own)
    rig:open{ durability = "commit" }
    assert.equal("1 2", rig:keys())
    rig:crash()
    rig:open()
    rig:put("3")
    rig:crash()
    must("cp '%s-journal' '%s-journal'", other.path, rig.path)
    assert_salvaged(rig, "1 2")
  end)

  it("is journal_foreign with an older one of its own, which would hide what is lost", function()
    for _, died_early in ipairs{ true, false } do
      local rig = journals.crashed_with_file()
      local old = rig:bytes()
      for i = 3, 4 do
        rig:open()
        if died_early then rig.db:begin("write"):rollback() else rig:put(tostring(i)) end
        rig:crash()
      end
      local new = rig:bytes()
      programs.write_file(rig.path .. "-journal", old)
      assert_refused(rig, "journal_foreign", "%-journal: it is another file's journal, or an older")
      programs.write_file(rig.path .. "-journal", new)
      rig:open()
      assert.equal(died_early and "1 2" or "1 2 3 4", rig:keys())
    end
  end)

  it("has its journal beside the name it was opened by: a hard link's is another", function()
    local rig = journals.rig{ journal_disk = false }
    rig.db:close()
    local link = fresh.path()
    must("ln '%s' '%s'", rig.path, link)
    local db = journals.open(link)
    db:update(function(tx) tx:bucket("b"):put("1", "v") end)
    db:abandon()
    assert_refused(rig, "journal_foreign", "another file's journal, or an older one")
    db = journals.open(link)
    db:close()
    rig:open()
    assert.equal("1", rig:keys())
  end)

  it("is journal_foreign when another program has written to it", function()
    if not programs.has_python then return pending(programs.no_python) end
    local rig = journals.crashed_with_file()
    rig:open()
    rig:put("3")
    rig:crash()
    programs.py(rig.path, [[
      with lmdb.open(path, subdir=False, max_dbs=9) as env, env.begin(write=True) as txn:
          txn.put(b"theirs", b"v", db=env.open_db(b"b", txn, create=False))
    ]])
    assert_refused(rig, "journal_foreign", "another program has written to the file")
    assert_salvaged(rig, "1 2 theirs")
  end)

  it("is journal_foreign when it is older than its journal", function()
    local rig = journals.rig{ journal_disk = false }
    rig:put("1")
    rig.db:checkpoint()
    local old = fresh.path()
    must("cp '%s' '%s'", rig.path, old)
    rig:put("2")
    rig.db:checkpoint()
    rig:put("3")
    rig:crash()
    local new = fresh.path()
    must("mv '%s' '%s'; mv '%s' '%s'", rig.path, new, old, rig.path)
    assert_refused(rig, "journal_foreign", "the file is older than its journal")
    must("mv '%s' '%s'", new, rig.path)
    rig:open()
    assert.equal("1 2 3", rig:keys())
  end)

  it("is journal_corrupt when its journal was cut short", function()
    local rig = journals.crashed_with_file()
    local journal = rig:bytes()
    for _, size in ipairs{ 0, 1, 47 } do
      programs.write_file(rig.path .. "-journal", journal:sub(1, size))
      assert_refused(rig, "journal_corrupt", ("only %d bytes"):format(size))
    end
    programs.write_file(rig.path .. "-journal", journal)
    rig:open()
    assert.equal("1 2", rig:keys())
    rig:put("3")
    rig:crash()
    programs.write_file(rig.path .. "-journal", "")
    assert_salvaged(rig, "1 2")
  end)

  it("is whole when another program has written to it between a checkpoint and the next write",
    function()
      if not programs.has_python then return pending(programs.no_python) end
      local rig = journals.rig()
      for i = 1, 3 do
        rig:put("ours" .. 2 * i)
        rig.db:checkpoint()
        if i == 2 then rig.db:begin("write"):rollback() end -- which leaves the file to others
        if i == 3 then rig.db:update(function() rig.db:write_tx():bucket("b"):get("k") end) end
        programs.py(rig.path, ([[
          import signal
          signal.alarm(20) # nobody keeps it waiting
          with lmdb.open(path, subdir=False, max_dbs=9) as env, env.begin(write=True) as txn:
              txn.put(b"theirs%d", b"v", db=env.open_db(b"b", txn, create=False))
        ]]):format(i))
        rig:put("ours" .. 2 * i + 1)
      end
      rig:crash()
      rig:open()
      assert.equal("ours2 ours3 ours4 ours5 ours6 ours7 theirs1 theirs2 theirs3", rig:keys())
    end)

  it("is journal_corrupt when what was flushed is damaged, and says where", function()
    local rig = journals.crashed()
    local first, second = table.unpack(journals.records(rig:bytes()))
    local at = second.at + second.size - 1
    local byte = rig.disk:read(at, 1)
    rig:scribble(at, string.char(byte:byte() ~ 1))
    local message = ("%%-journal: the record of commit 2 behind byte %d, "):format(
      (first.size + 7) // 8 * 8)
    assert_refused(rig, "journal_corrupt", message)
    assert_refused(rig, "journal_corrupt", message, { read_only = true })
    rig:scribble(at, byte)
    rig:open()
    assert.equal("1 2", rig:keys())
    rig:put("3")
    rig:put("4")
    rig:put("5")
    rig:crash()
    rig:scribble(journals.records(rig:bytes())[2].at, "x")
    assert_refused(rig, "journal_corrupt", "commit 5 behind byte")
    assert_salvaged(rig, "1 2 3")
  end)

  it("is journal_corrupt when a record with a good checksum does not fit it", function()
    local bad = { -- in place of "T 1 b": the same size
      "?\0\1b", "T\0\1c", "T\0\2b", "T\xff\xffb", "X\0\0\0", "X\0\0", "X\0", "X", "P\0\0\0",
      "C\0\1b",
      "D\0\0\0\1", "R\0\0\0\0\0\1", "T\0\1bX\0\1", "T\0\1bX\xff\xff", "T\0\1bD\0\0\0\1x",
      "T\0\1bD\0\0\0\0", "T\0\1bP\0\0\0\1\0\0\0\2kv", "T\0\1bP\0\0\0\0\0\0\0\1v",
      "T\0\1bA\0\0\0\1\0\0\0\0\0", "T\0\1bP\0\0\2\0\0\0\0\0" .. ("k"):rep(512),
      "T\0\1bP\0\0\0\1\xff\xff\xff\xffk", "T\2\0" .. ("t"):rep(512), "C\0\4a\0b\0",
      "T\0\1bR\0\0\0\2\0\1kl", "C\0\0", "T\0\0",
    }
    for _, operations in ipairs(bad) do
      local rig = journals.crashed()
      local records = journals.records(rig:bytes())
      local last = records[#records]
      local whole = rig.disk:read(last.at, last.size)
      local head = string.pack(">I4", 48 + #operations) .. whole:sub(13, 48)
      local rest = head .. operations
      rig:scribble(last.at, "JgJ1" .. string.pack(">I4", store.crc32c(rest)) .. rest)
      local fits = operations == "C\0\1b" -- a tree that is there already
      if fits then
        rig:open()
        assert.equal("1", rig:keys())
      else
        assert_refused(rig, "journal_corrupt", "a record of it does not fit the file")
        rig:scribble(last.at, whole)
        rig:open()
        assert.equal("1 2", rig:keys())
        rig:put("3")
        rig:crash()
        local only = journals.records(rig:bytes())[1]
        rest = string.pack(">I4", 49) .. rig.disk:read(12, 36) .. "?"
        rig:scribble(only.at, "JgJ1" .. string.pack(">I4", store.crc32c(rest)) .. rest)
        assert_salvaged(rig, "1 2")
      end
      rig:crash()
    end
  end)

  it("is in_use while another store uses the disk: salvage does not pass over that", function()
    local rig = journals.crashed()
    local other = journals.open(nil, { journal_disk = rig.disk })
    other:update(function(tx) tx:create_bucket("b") end)
    assert_refused(rig, "in_use", "", { salvage = true })
    other:close()
    assert_refused(rig, "journal_foreign", "another file's")
    local db = rig:open{ salvage = true } -- its first checkpoint was of nothing
    assert.is_nil(db:view(function(tx) return tx:bucket("b") end))
  end)

  it("is opened by salvage as without it when nothing is lost", function()
    assert_salvaged(journals.crashed(), "1 2")
    local rig = journals.crashed()
    rig:open()
    rig.db:close()
    assert_salvaged(rig, "1 2")
  end)
end)
