local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local account, entries_of = logs.account, logs.entries_of
local example, raises = logs.example, logs.raises

for _, kind in ipairs(logs.kinds) do
  describe("a snapshot's reference, " .. kind.name, function()
    local db, log
    before_each(function()
      db = kind.open()
      log = example(db)
    end)
    after_each(scratch.clean)

    local function reopened()
      db = kind.reopen(db)
      return Log.open(db, "replog")
    end

    it("is kept, with what the user says of it", function()
      assert.is_nil(log:snapshot())
      log:save{ snapshot = { index = 3, term = 1, info = "/var/snapshots/3" } }
      local expected = { index = 3, term = 1, position = 12, info = "/var/snapshots/3", size = 0 }
      assert.same(expected, log:snapshot())
      assert.same(expected, reopened():snapshot())
      assert.is_nil(Log.open(db, "replog"):snapshot_reader():read())
    end)

    it("never covers less than the one before it: log_snapshot_fell", function()
      log:save{ snapshot = { index = 3, term = 1 } }
      raises("log_snapshot_fell", log.save, log, { snapshot = { index = 2, term = 1 } })
      raises("log_snapshot_fell", log.save, log, { snapshot = { index = 3, term = 2 } })
      log:save{ snapshot = { index = 3, term = 1, info = "again" } }
      log:save{ snapshot = { index = 4, term = 4 }, commit = 4 }
      assert.equal(4, log:snapshot().index)
    end)

    it("covers what is committed: log_snapshot_past_commit", function()
      raises("log_snapshot_past_commit", log.save, log, { snapshot = { index = 4, term = 4 } })
      log:save{ snapshot = { index = 4, term = 4 }, commit = 4 }
    end)

    it("takes a commit index that is noted with it", function()
      log:note_commit(5)
      log:save{ snapshot = { index = 4, term = 4 } }
      assert.same({ 7, "n2", 4 }, { reopened():hard_state() })
    end)

    it("is refused when it is not the log's own: log_snapshot_mismatch, log_committed", function()
      raises("log_snapshot_mismatch", log.save, log, { snapshot = { index = 5, term = 5 } })
      raises("log_snapshot_mismatch", log.save, log, { snapshot = { index = 20, term = 7 } })
      raises("log_committed", log.save, log, { snapshot = { index = 3, term = 2 }, first = 4 })
      raises("log_committed", log.save, log, { snapshot = { index = 2, term = 2 }, first = 3 })
    end)

    it("is not replaced by the entries it comes with: log_committed", function()
      raises("log_committed", log.save, log,
        { snapshot = { index = 5, term = 4 }, first = 5, entries = entries_of(7), commit = 5 })
      log:save{ snapshot = { index = 5, term = 4 }, first = 6, entries = entries_of(7), commit = 6 }
      assert.same({ 6, 7, 1 }, { log:last_index(), log:last_term(), log:first_index() })
    end)

    it("is of a term the server has reached: log_entry_term_ahead", function()
      raises("log_entry_term_ahead", log.save, log,
        { snapshot = { index = 20, term = 8 }, first = 21, commit = 20 })
    end)

    it("has no data: log_snapshot_size", function()
      raises("log_snapshot_size", log.save, log, { snapshot = { index = 3, term = 1, size = 5 } })
    end)

    it("is a table of known fields: log_bad_field", function()
      for _, snapshot in ipairs{
        7, {}, { index = 3 }, { term = 1 }, { index = 0, term = 1 }, { index = 3, term = 0 },
        { index = 3.0, term = 1 }, { index = 3, term = 1, info = 7 },
        { index = 3, term = 1, info = ("x"):rep(65537) }, { index = 3, term = 1, data = "x" },
        { index = 3, term = 1, position = -1 }, { index = 3, term = 1, is_writer = true },
      } do
        raises("log_bad_field", log.save, log, { snapshot = snapshot })
      end
      raises("log_bad_field", log.save, log, { snapshot = { index = 3, term = 1 }, first = 3 })
    end)
  end)

  describe("section 7: installing a snapshot, " .. kind.name, function()
    local db, log
    before_each(function()
      db = kind.open()
      log = example(db)
    end)
    after_each(scratch.clean)

    local function check()
      local before = account(log)
      assert.same({}, log:verify())
      db = kind.reopen(db)
      assert.same(before, account(Log.open(db, "replog")))
    end

    it("past the end of the log discards all of it", function()
      log:save{ snapshot = { index = 20, term = 7, position = 99 }, first = 21, commit = 20 }
      assert.same({ 21, 20, 7, 20 },
        { log:first_index(), log:last_index(), log:last_term(), log:snapshot().index })
      assert.same({ 7, nil }, { log:term(20), log:term(19) })
      assert.is_nil(log:entries(9))
      assert.same({}, log:entries(21))
      assert.same({ 20, 7 }, { log:conflict_hint(25, 7) })
      check()
      log = Log.open(db, "replog")
      log:save{ entries = entries_of(7) }
      assert.same({ term = 7, type = 0, data = "t7#1" }, log:entry(21))
      assert.same({ 4, 103 }, { log:stats().bytes, log:stats().position })
      check()
    end)

    it("can bring the entries behind it", function()
      log:save{ snapshot = { index = 20, term = 6 }, first = 21, commit = 21, term = 8,
        entries = entries_of(6, 8) }
      assert.same({ 21, 22, 8, 6 },
        { log:first_index(), log:last_index(), log:last_term(), log:term(20) })
      raises("log_entry_term_fell", log.save, log,
        { snapshot = { index = 30, term = 8 }, first = 31, commit = 30, entries = entries_of(7) })
      check()
    end)

    it("within a log that has another entry there discards all of it", function()
      log:save{ snapshot = { index = 5, term = 6 }, first = 6, commit = 5 }
      assert.same({ 6, 5, 6 }, { log:first_index(), log:last_index(), log:last_term() })
      assert.is_nil(log:entry(7))
      check()
    end)

    it("within a log that holds its last entry keeps what follows it", function()
      local kept = log:entries(6)
      log:save{ snapshot = { index = 5, term = 4 }, first = 6, commit = 5 }
      assert.same({ 6, 9, 4 }, { log:first_index(), log:last_index(), log:term(5) })
      assert.same(kept, log:entries(6))
      check()
    end)

    it("at the end of the log keeps its term", function()
      log:save{ snapshot = { index = 9, term = 6 }, first = 10, commit = 9 }
      assert.same({ 10, 9, 6 }, { log:first_index(), log:last_index(), log:last_term() })
      assert.equal(0, log:stats().entries)
      check()
    end)

    it("is the first thing a new log may do", function()
      local new = Log.open(db, { "groups", "new" })
      new:save{ term = 3, snapshot = { index = 7, term = 2 }, first = 8, commit = 7,
        entries = entries_of(3) }
      assert.same({ 8, 8, 2, 3 }, { new:first_index(), new:last_index(), new:term(7), new:term(8) })
      assert.same({}, new:verify())
    end)

    it("is never of a lower term than what is committed: log_entry_term_fell", function()
      log:save{ commit = 5 }
      raises("log_entry_term_fell", log.save, log,
        { snapshot = { index = 20, term = 3 }, first = 21, commit = 20 })
    end)

    it("needs its commit index, and first behind it", function()
      raises("log_snapshot_past_commit", log.save, log,
        { snapshot = { index = 20, term = 7 }, first = 21 })
      raises("log_commit_past_end", log.save, log,
        { snapshot = { index = 20, term = 7 }, first = 21, commit = 21 })
      raises("log_snapshot_mismatch", log.save, log,
        { snapshot = { index = 20, term = 7 }, first = 20, commit = 20 })
      assert.equal(9, log:last_index())
      assert.is_nil(log:snapshot())
    end)
  end)

  describe("compaction, " .. kind.name, function()
    local db, log
    before_each(function()
      db = kind.open()
      log = example(db)
      log:save{ commit = 8, snapshot = { index = 7, term = 5 } }
    end)
    after_each(scratch.clean)

    it("removes entries and keeps the term before the first", function()
      local kept = log:entries(5)
      for _ = 1, 2 do
        log:save{ compact = 4 }
        assert.same({ 5, 9, 4, 1 },
          { log:first_index(), log:last_index(), log:term(4), log:stats().compactions })
        assert.same({ nil, 4 }, { log:term(3), log:term(5) })
        assert.is_nil(log:entry(4))
        assert.is_nil(log:entries(4))
        assert.same(kept, log:entries(5))
        assert.same({}, log:verify())
        db = kind.reopen(db)
        log = Log.open(db, "replog")
      end
      log:save{ compact = 2 } -- long gone
      assert.equal(5, log:first_index())
    end)

    it("keeps the runs of terms true", function()
      log:save{ compact = 4 }
      assert.same({ 5, 6, 8 },
        { log:first_of_term(4), log:first_of_term(5), log:first_of_term(6) })
      assert.is_nil(log:first_of_term(1))
      assert.same({ 5, 4 }, { log:conflict_hint(9, 4) })
      assert.same({ 0, 0 }, { log:conflict_hint(9, 3) })
      assert.same({ 4, 4 }, { log:conflict_hint(4, 4) })
      assert.same({ 0, 0 }, { log:conflict_hint(3, 4) })
      log:save{ compact = 7 }
      assert.same({ 7, 5 }, { log:conflict_hint(9, 5) })
      assert.equal(3 * 4, log:stats().bytes + 4)
    end)

    it("can remove everything a snapshot covers, to the last entry", function()
      log:save{ commit = 9, snapshot = { index = 9, term = 6 }, compact = 9 }
      assert.same({ 10, 9, 6, 0 },
        { log:first_index(), log:last_index(), log:last_term(), log:stats().bytes })
      log:save{ entries = entries_of(7) }
      assert.equal(10, log:last_index())
      db = kind.reopen(db)
      assert.same(account(log), account(Log.open(db, "replog")))
      assert.same({}, Log.open(db, "replog"):verify())
    end)

    it("never passes the snapshot: log_compact_past_snapshot", function()
      raises("log_compact_past_snapshot", log.save, log, { compact = 8 })
      local other = Log.open(db, "other")
      other:save{ term = 1, entries = entries_of(1), commit = 1 }
      raises("log_compact_past_snapshot", other.save, other, { compact = 1 })
      raises("log_bad_field", log.save, log, { compact = -1 })
      raises("log_bad_field", log.save, log, { compact = "3" })
      assert.equal(1, log:first_index())
    end)

    it("leaves the rules as they were", function()
      log:save{ compact = 7 }
      raises("log_committed", log.save, log, { entries = {}, first = 8 })
      raises("log_entry_term_fell", log.save, log, { entries = entries_of(4), first = 9 })
      log:save{ entries = {}, first = 9 }
      log:save{ entries = entries_of(6, 7) }
      assert.same({ [6] = nil, [7] = 5, [8] = 6, [9] = 6, [10] = 7 }, account(log).terms)
      assert.same({}, log:verify())
    end)

    it("stops a visit that would begin before the first entry: log_compacted", function()
      log:save{ compact = 4 }
      raises("log_compacted", log.visit, log, 4, 9, print)
      local seen = {}
      log:visit(5, 6, function(_, index) seen[#seen + 1] = index end)
      assert.same({ 5, 6 }, seen)
      for _ in log:each(4) do error("an entry that is gone") end
    end)
  end)

  describe("the applied index, " .. kind.name, function()
    after_each(scratch.clean)

    it("never falls, nor passes the commit index", function()
      local db = kind.open()
      local log = example(db)
      assert.equal(0, log:applied())
      log:save{ applied = 2 }
      log:save{ commit = 5, applied = 4 }
      raises("log_applied_fell", log.save, log, { applied = 3 })
      raises("log_applied_past_commit", log.save, log, { applied = 6 })
      raises("log_bad_field", log.save, log, { applied = "5" })
      log:note_commit(7)
      log:save{ applied = 6 }
      db = kind.reopen(db)
      log = Log.open(db, "replog")
      assert.same({ 6, 7, "n2", 6 }, { log:applied(), log:hard_state() })
      assert.same({}, log:verify())
    end)
  end)

  describe("stable values, " .. kind.name, function()
    after_each(scratch.clean)

    it("are kept, replaced and removed, with anything else that is saved", function()
      local db = kind.open()
      local log = example(db)
      assert.is_nil(log:stable("cluster"))
      log:save{ commit = 4, stable = { cluster = "a\0b", empty = "", gone = "x" } }
      log:save{ stable = { gone = false, never = false, cluster = "c" } }
      db = kind.reopen(db)
      log = Log.open(db, "replog")
      assert.same({ "c", "" }, { log:stable("cluster"), log:stable("empty") })
      assert.is_nil(log:stable("gone"))
      assert.equal(4, (select(3, log:hard_state())))
    end)

    it("are strings under strings: log_bad_field", function()
      local log = example(kind.open())
      for _, stable in ipairs{ 7, { "x" }, { k = 7 }, { k = true }, { [""] = "x" },
        { [("k"):rep(497)] = "x" } } do
        raises("log_bad_field", log.save, log, { stable = stable })
      end
      raises("log_bad_field", log.stable, log, 7)
      raises("log_bad_field", log.stable, log, "")
      local long = ("k"):rep(496)
      log:save{ stable = { [long] = "x" } }
      assert.equal("x", log:stable(long))
    end)
  end)

  describe("a save of everything, " .. kind.name, function()
    after_each(scratch.clean)

    it("checks all of it before it writes any of it", function()
      local db = kind.open()
      local log = example(db)
      local before = account(log)
      for _, bad in ipairs{
        { applied = 99 }, { compact = 99 }, { commit = 99 }, { term = 1 }, { vote = 7 },
        { entries = { {} } }, { entries = entries_of(99) }, { stable = { 7 } },
      } do
        local fields = { term = 9, vote = "n9", commit = 4, snapshot = { index = 4, term = 4 },
          compact = 3, applied = 2, stable = { k = "v" }, entries = entries_of(9) }
        for name, value in pairs(bad) do fields[name] = value end
        assert.is_false(pcall(log.save, log, fields))
        db:update(function() assert.is_false(pcall(log.save, log, fields)) end)
      end
      assert.same(before, account(log))
      db = kind.reopen(db)
      assert.same(before, account(Log.open(db, "replog")))
      assert.is_nil(Log.open(db, "replog"):stable("k"))
    end)

    it("is undone as a whole", function()
      local db = kind.open()
      local log = example(db)
      local before = account(log)
      assert.has_error(function()
        db:update(function()
          log:save{ term = 9, commit = 6, snapshot = { index = 6, term = 5 }, compact = 4,
            applied = 2, stable = { k = "v" }, entries = entries_of(9), first = 8 }
          assert.same({ 5, 8 }, { log:first_index(), log:last_index() })
          error("no", 0)
        end)
      end, "no")
      assert.same(before, account(log))
      assert.is_nil(log:stable("k"))
      assert.same({}, log:verify())
    end)
  end)
end
