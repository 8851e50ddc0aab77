local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local account, entries_of = logs.account, logs.entries_of
local example, raises = logs.example, logs.raises

for _, kind in ipairs(logs.kinds) do
  describe("a new log, " .. kind.name, function()
    after_each(scratch.clean)

    it("is empty, and opening it writes nothing", function()
      local db = kind.open()
      local log = Log.open(db, "replog")
      assert.equal(1, log:first_index())
      assert.equal(0, log:last_index())
      assert.equal(0, log:last_term())
      assert.equal(0, log:term(0))
      assert.is_nil(log:term(1))
      assert.is_nil(log:entry(1))
      assert.same({}, log:entries(1))
      assert.is_nil(log:first_of_term(1))
      assert.same({ 0, nil, 0 }, { log:hard_state() })
      assert.same({ 0, 0 }, { log:conflict_hint(5, 5) })
      for _ in log:each() do error("an entry in an empty log") end
      db:view(function(tx) assert.is_nil(tx:bucket("replog")) end)
    end)

    it("may stand beside another one in the same DB", function()
      local db = kind.open()
      local one, two = Log.open(db, "one"), Log.open(db, "two")
      one:save{ term = 1, entries = entries_of(1) }
      two:save{ term = 2, entries = entries_of(2, 2) }
      assert.equal(1, Log.open(db, "one"):last_index())
      assert.equal(2, Log.open(db, "two"):last_index())
    end)

    it("may stand in a bucket, under a path of names", function()
      local db = kind.open()
      local one, two = Log.open(db, { "groups", "1" }), Log.open(db, { "groups", "2" })
      assert.equal(0, one:last_index())
      two:save{ term = 3, entries = entries_of(1, 2, 3) }
      one:save{ term = 1, vote = "n1", entries = entries_of(1) }
      assert.same(account(two), account(Log.open(db, { "groups", "2" })))
      assert.equal("t2#2", Log.open(db, { "groups", "2" }):entry(2).data)
      assert.equal(1, Log.open(db, { "groups", "1" }):last_index())
      assert.equal(0, Log.open(db, "1"):last_index())
      two:save{ term = 4, entries = entries_of(4), first = 2 }
      assert.same({ [0] = 0, 1, 4 }, account(Log.open(db, { "groups", "2" })).terms)
    end)

    it("takes a string or a path of strings as name", function()
      local db = kind.open()
      for _, name in ipairs{ 7, {}, { "groups", 7 }, true } do
        raises("log_bad_field", Log.open, db, name)
      end
    end)

    it("is in a DB, and in nothing else", function()
      for _, db in ipairs{ false, 5, "raft.db", {}, io.stdout, print } do
        assert.matches("a log is in a DB", raises("log_bad_field", Log.open, db or nil, "replog"))
        raises("log_bad_field", Log.verify_in, db or nil, "replog")
      end
    end)

    it("cannot have the name of another one's meta bucket", function()
      local db = kind.open()
      Log.open(db, "replog"):save{ term = 1 }
      assert.matches('"replog.meta"', raises("log_bad_field", Log.open, db, "replog.meta"))
      raises("log_bad_field", Log.open, db, { "groups", "17.meta" })
      assert.equal(0, Log.open(db, "replog.metal"):last_index())
    end)

    it("is refused where another bucket has its name", function()
      local db = kind.open()
      db:update(function(tx)
        tx:create_bucket("people"):put("ann", "engineer")
        tx:create_bucket("nobody")
      end)
      raises("incompatible", Log.open, db, "people")
      local log = Log.open(db, "nobody")
      raises("incompatible", log.save, log, { term = 1, entries = entries_of(1) })
      assert.equal(0, log:last_index())
    end)

    it("is one object, however often it is opened", function()
      local db = kind.open()
      local one, two = Log.open(db, "replog"), Log.open(db, { "replog" })
      assert.equal(one, two)
      one:save{ term = 1, entries = entries_of(1) }
      assert.equal(1, two:last_index())
      assert.not_equal(one, Log.open(db, { "a", "replog" }))
      assert.not_equal(Log.open(db, { "a", "b" }), Log.open(db, { "a\0b" }))
      assert.not_equal(one, Log.open(kind.open(), "replog"))
    end)
  end)
end

for _, kind in ipairs(logs.kinds) do
  describe("log:save, " .. kind.name, function()
    after_each(scratch.clean)

    local db, log
    before_each(function()
      db = kind.open()
      log = example(db)
    end)

    it("takes everything at once, and a reopened log says the same", function()
      local before = account(log)
      assert.same(before, account(Log.open(db, "replog")))
      assert.same({ term = 4, type = 0, data = "t4#5" }, log:entry(5))
      assert.same({ [0] = 0, 1, 1, 1, 4, 4, 5, 5, 6, 6 }, before.terms)
      assert.equal("n2", before.vote)
    end)

    it("appends after the last entry when it is not told where", function()
      log:save{ entries = { { term = 7, type = 9, data = "more" } } }
      assert.same({ term = 7, type = 9, data = "more" }, log:entry(10))
    end)

    it("replaces everything from the first entry on", function()
      log:save{ entries = { { term = 7, data = "new" } }, first = 5 }
      assert.equal(5, log:last_index())
      assert.same({ [0] = 0, 1, 1, 1, 4, 7 }, account(log).terms)
      assert.is_nil(log:first_of_term(5))
      assert.is_nil(log:entry(6))
      assert.same(account(log), account(Log.open(db, "replog")))
    end)

    it("only removes when there are no entries", function()
      log:save{ entries = {}, first = 7 }
      assert.equal(6, log:last_index())
      assert.equal(5, log:last_term())
      assert.same(account(log), account(Log.open(db, "replog")))
    end)

    it("can remove and replace all that is not committed, down to the first entry", function()
      local other = Log.open(db, "other")
      other:save{ term = 1, entries = entries_of(1, 1, 1) }
      other:save{ term = 2, entries = entries_of(2), first = 1 }
      assert.same({ [0] = 0, 2 }, account(other).terms)
      other:save{ entries = {}, first = 1 }
      assert.equal(0, other:last_index())
      assert.same(account(other), account(Log.open(db, "other")))
    end)

    it("keeps its own copy of what it is given and of what it gives", function()
      local entry = { term = 7, data = "mine" }
      log:save{ entries = { entry } }
      entry.data = "changed"
      log:entry(10).data = "changed too"
      log:entries(10)[1].data = "and too"
      assert.equal("mine", log:entry(10).data)
    end)

    describe("5.1:", function()
      it("clears the vote when the term rises without one", function()
        log:save{ term = 8 }
        local term, vote = log:hard_state()
        assert.equal(8, term)
        assert.is_nil(vote)
      end)

      it("keeps the vote when the term does not rise", function()
        log:save{ term = 7, commit = 4 }
        assert.same({ 7, "n2", 4 }, { log:hard_state() })
      end)

      it("takes the vote of a term with the term, or later", function()
        log:save{ term = 8, vote = "n1" }
        log:save{ term = 9 }
        log:save{ vote = "n3" }
        assert.same({ 9, "n3", 3 }, { log:hard_state() })
      end)

      it("refuses a lower term: log_term_fell", function()
        raises("log_term_fell", log.save, log, { term = 6 })
      end)

      it("refuses an entry of a term above the current one: log_entry_term_ahead", function()
        for _, case in ipairs{ { 10, 8 }, { 11, 7, 8 }, { 11, 7, 8, 9 }, { 12, 7, 7, 8 } } do
          assert.matches(("entry %d has term 8, but the current term is 7"):format(case[1]),
            raises("log_entry_term_ahead", log.save, log,
              { entries = entries_of(table.unpack(case, 2)) }))
        end
        assert.equal(9, log:last_index())
        log:save{ term = 8, entries = entries_of(8) }
        assert.equal(8, log:last_term())
      end)
    end)

    describe("5.3:", function()
      it("refuses a gap: log_gap", function()
        raises("log_gap", log.save, log, { entries = entries_of(7), first = 11 })
        raises("log_gap", log.save, log, { entries = {}, first = 11 })
      end)

      it("refuses to touch a committed entry: log_committed", function()
        raises("log_committed", log.save, log, { entries = entries_of(7), first = 3 })
        raises("log_committed", log.save, log, { entries = {}, first = 1 })
        log:save{ entries = entries_of(7), first = 4 }
      end)

      it("guards a commit index that is noted like a saved one, without writing it", function()
        log:note_commit(6)
        assert.same({ 7, "n2", 3 }, { log:hard_state() })
        raises("log_committed", log.save, log, { entries = entries_of(7), first = 6 })
        log:note_commit(5) -- says nothing new
        raises("log_committed", log.save, log, { entries = {}, first = 6 })
        raises("log_commit_fell", log.note_commit, log, 2)
        raises("log_commit_past_end", log.note_commit, log, 10)
        raises("log_bad_field", log.note_commit, log, "4")
        log:save{ entries = entries_of(7), first = 7 }
        log:save{ commit = 4 }
        raises("log_committed", log.save, log, { entries = {}, first = 5 })
        assert.same({ 7, "n2", 4 }, { Log.open(db, "replog"):hard_state() })
      end)

      it("refuses a term below the one before it: log_entry_term_fell", function()
        raises("log_entry_term_fell", log.save, log, { entries = entries_of(5) })
        assert.matches("entry 12 has term 6, the entry before it term 7",
          raises("log_entry_term_fell", log.save, log, { entries = entries_of(7, 7, 6) }))
        raises("log_entry_term_fell", log.save, log, { entries = entries_of(3), first = 6 })
        log:save{ entries = entries_of(4), first = 6 }
      end)

      it("refuses a commit index below the stored one: log_commit_fell", function()
        raises("log_commit_fell", log.save, log, { commit = 2 })
      end)

      it("refuses a commit index past the last entry to be: log_commit_past_end", function()
        raises("log_commit_past_end", log.save, log, { commit = 10 })
        raises("log_commit_past_end", log.save, log, { commit = 6, entries = {}, first = 6 })
        log:save{ commit = 10, entries = entries_of(7) }
        assert.same({ 7, "n2", 10 }, { log:hard_state() })
      end)
    end)

    it("refuses what is no field or has the wrong type: log_bad_field", function()
      for _, fields in ipairs{
        { entires = {} }, { "x" }, { term = "7" }, { term = 7.5 }, { term = -1 }, { vote = "" },
        { vote = 3 }, { vote = ("v"):rep(256) }, { commit = -1 }, { commit = 4.0 },
        { term = false }, { vote = false }, { commit = false }, { first = false },
        { entries = "x" }, { entries = { "x" } }, { entries = { { data = "x" } } },
        { entries = { { term = 7 } } }, { entries = { { term = 0, data = "x" } } },
        { entries = { { term = 7, data = "x", type = 256 } } },
        { entries = { { term = 7, data = "x", type = "a" } } },
        { entries = { { term = 7, data = 5 } } }, { first = 3 },
        { entries = { setmetatable({ term = 7, data = "x" }, {}) } },
        { entries = entries_of(6), first = 10.0 },
        { entries = entries_of(7), first = 0 }, { entries = entries_of(7), first = "10" },
      } do
        raises("log_bad_field", log.save, log, fields)
      end
      raises("log_bad_field", log.save, log, nil)
    end)

    it("names what a save or an entry has too much", function()
      assert.matches('"entires"', raises("log_bad_field", log.save, log, { entires = {} }))
      assert.matches('entries%[2%] has a field "dtaa"', raises("log_bad_field", log.save, log,
        { entries = { { term = 7, data = "" }, { term = 7, data = "", dtaa = "x" } } }))
      assert.matches('entries%[1%] has a field "1"', raises("log_bad_field", log.save, log,
        { entries = { { term = 7, data = "", type = 3, [1] = "x" } } }))
      assert.matches("entries%[1%].data must be a string", raises("log_bad_field", log.save, log,
        { entries = { { term = 7, dtaa = "x" } } }))
      assert.equal(9, log:last_index())
    end)

    it("checks everything before it writes anything", function()
      local before = account(log)
      raises("log_commit_past_end", log.save, log,
        { term = 8, vote = "n1", entries = entries_of(8), first = 5, commit = 6 })
      raises("log_entry_term_fell", log.save, log, { term = 8, entries = entries_of(8, 7) })
      db:update(function()
        raises("log_bad_field", log.save, log, { term = 8, entries = { { term = 8 } } })
      end)
      assert.same(before, account(log))
      assert.same(before, account(Log.open(db, "replog")))
    end)

    it("opens no transaction when nothing changes", function()
      local updates = 0
      local watched = setmetatable({ update = function(_, ...)
        updates = updates + 1
        return db:update(...)
      end, write_tx = function() return db:write_tx() end,
      view = function(_, ...) return db:view(...) end }, { __index = db })
      local quiet = Log.open(watched, "replog")
      quiet:save{ term = 7, vote = "n2", commit = 3, entries = {} }
      quiet:save{}
      assert.equal(0, updates)
      quiet:save{ commit = 4 }
      assert.equal(1, updates)
    end)
  end)
end

