local Log = require "jangada.log"
local errors = require "jangada.errors"
local scratch = require "spec.support.scratch"

local function raises(code, fn, ...)
  local ok, failure = pcall(fn, ...)
  assert.is_false(ok, code .. " was not raised")
  if not errors.is(failure) then error(failure, 0) end
  assert.equal(code, failure.code)
  return failure.message
end

local function entries_of(...)
  local entries = {}
  for i, term in ipairs{ ... } do entries[i] = { term = term, data = "t" .. term .. "#" .. i } end
  return entries
end

-- A log with terms 1 1 1 4 4 5 5 6 6, current term 7, committed up to 3.
local function example(db)
  local log = Log.open(db, "replog")
  log:save{ term = 7, vote = "n2", entries = entries_of(1, 1, 1, 4, 4, 5, 5, 6, 6), commit = 3 }
  return log
end

-- Everything a log says, to compare.
local function account(log)
  local term, vote, commit = log:hard_state()
  local said = {
    term = term, vote = vote, commit = commit, first = log:first_index(), last = log:last_index(),
    last_term = log:last_term(), entries = log:entries(1), terms = {},
  }
  for index = 0, log:last_index() + 1 do said.terms[index] = log:term(index) end
  return said
end

describe("a new log", function()
  after_each(scratch.clean)

  it("is empty, and opening it writes nothing", function()
    local db = scratch.open()
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
    local db = scratch.open()
    local one, two = Log.open(db, "one"), Log.open(db, "two")
    one:save{ term = 1, entries = entries_of(1) }
    two:save{ term = 2, entries = entries_of(2, 2) }
    assert.equal(1, Log.open(db, "one"):last_index())
    assert.equal(2, Log.open(db, "two"):last_index())
  end)

  it("may stand in a bucket, under a path of names", function()
    local db = scratch.open()
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
    local db = scratch.open()
    for _, name in ipairs{ 7, {}, { "groups", 7 }, true } do
      raises("log_bad_field", Log.open, db, name)
    end
  end)
end)

describe("log:save", function()
  local db, log
  before_each(function()
    db = scratch.open()
    log = example(db)
  end)
  after_each(scratch.clean)

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
      raises("log_entry_term_ahead", log.save, log, { entries = entries_of(8) })
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
      raises("log_entry_term_fell", log.save, log, { entries = entries_of(6, 7, 6) })
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
      { entries = "x" }, { entries = { "x" } }, { entries = { { data = "x" } } },
      { entries = { { term = 7 } } }, { entries = { { term = 0, data = "x" } } },
      { entries = { { term = 7, data = "x", type = 256 } } },
      { entries = { { term = 7, data = "x", type = "a" } } },
      { entries = { { term = 7, data = 5 } } }, { first = 3 },
      { entries = entries_of(7), first = 0 }, { entries = entries_of(7), first = "10" },
    } do
      raises("log_bad_field", log.save, log, fields)
    end
    raises("log_bad_field", log.save, log, nil)
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

describe("reading a log", function()
  local db, log
  before_each(function()
    db = scratch.open()
    log = example(db)
  end)
  after_each(scratch.clean)

  it("limits a range by bytes of data, but gives at least one entry", function()
    for _, read in ipairs{ log, Log.open(db, "replog") } do -- from memory, and from the file
      assert.equal(9, #read:entries(1))
      assert.equal(3, #read:entries(2, 4))
      assert.equal(2, #read:entries(2, 9, 8)) -- each has 4 bytes
      assert.equal(2, #read:entries(2, 9, 11))
      assert.equal(1, #read:entries(2, 9, 0))
      assert.equal("t4#4", read:entries(4, 4, 1)[1].data)
    end
  end)

  it("ends a range at the end of the log", function()
    assert.equal(2, #log:entries(8, 99))
    assert.same({}, log:entries(10))
    assert.same({}, log:entries(5, 4))
    assert.is_nil(log:entries(0))
    assert.is_nil(log:entry(0))
    assert.is_nil(log:entry(10))
    assert.is_nil(log:term(10))
    assert.is_nil(log:term(-1))
  end)

  it("iterates, and the loop may write", function()
    local seen = {}
    for index, entry in log:each(4, 6) do
      seen[#seen + 1] = index .. entry.data
      if index == 4 then log:save{ entries = entries_of(7), first = 6 } end
    end
    assert.same({ "4t4#4", "5t4#5", "6t5#6" }, seen) -- a page is read ahead
    seen = {}
    for index in log:each() do seen[#seen + 1] = index end
    assert.same({ 1, 2, 3, 4, 5, 6 }, seen)
  end)

  it("ends a visit whose function cuts the log", function()
    local other = Log.open(db, "cut")
    other:save{ term = 3, entries = entries_of(1, 3, 3), first = 1 }
    local seen = 0
    other:visit(1, 3, function()
      seen = seen + 1
      other:save{ entries = {}, first = 2 }
    end)
    assert.equal(1, seen)
  end)

  it("visits a range, whether its entries are in memory or not", function()
    local function visited(from, to)
      local seen = {}
      for _, reader in ipairs{ log, Log.open(db, "replog") } do
        local found = {}
        reader:visit(from, to, function(context, index, term, kind, data)
          context[#context + 1] = { index = index, term = term, type = kind, data = data }
        end, found)
        seen[#seen + 1] = found
      end
      assert.same(seen[1], seen[2])
      return seen[1]
    end
    local whole = visited(1, 99)
    assert.equal(9, #whole)
    assert.same({ index = 5, term = 4, type = 0, data = "t4#5" }, whole[5])
    assert.same(table.move(whole, 3, 4, 1, {}), visited(3, 4))
    assert.same({}, visited(4, 3))
  end)

  it("iterates over more than a page", function()
    local big = Log.open(db, "big")
    local entries = {}
    for i = 1, 300 do entries[i] = { term = 1, data = ("%4d"):format(i):rep(250) } end
    big:save{ term = 1, entries = entries }
    local count = 0
    for index, entry in Log.open(db, "big"):each() do
      count = count + 1
      assert.equal(count, index)
      assert.equal(entries[index].data, entry.data)
    end
    assert.equal(300, count)
  end)

  it("hints at where another log parts from it, a term at a time", function()
    assert.same({ 9, 6 }, { log:conflict_hint(20, 6) })
    assert.same({ 5, 4 }, { log:conflict_hint(20, 4) })
    assert.same({ 3, 1 }, { log:conflict_hint(20, 3) })
    assert.equal(6, log:first_of_term(5))
  end)

  it("works inside a view and inside an update", function()
    db:view(function() assert.equal("t1#2", Log.open(db, "replog"):entry(2).data) end)
    db:update(function()
      log:save{ entries = entries_of(7) }
      assert.equal(10, log:last_index())
      assert.equal("t7#1", log:entry(10).data)
      assert.equal("t7#1", Log.open(db, "replog"):entry(10).data)
    end)
  end)
end)

describe("a transaction that is rolled back leaves the log object true:", function()
  local db, log, before
  before_each(function()
    db = scratch.open()
    log = example(db)
    before = account(log)
  end)
  after_each(scratch.clean)

  local function scribble()
    log:save{ term = 9, vote = "n5", entries = entries_of(8, 9), first = 5, commit = 6 }
    assert.equal(6, log:last_index())
  end

  it("update that raises", function()
    assert.has_error(function()
      db:update(function()
        scribble()
        error("no", 0)
      end)
    end, "no")
    assert.same(before, account(log))
  end)

  it("begin and rollback", function()
    local tx = db:begin("write")
    scribble()
    log:save{ entries = entries_of(9) }
    tx:rollback()
    assert.same(before, account(log))
  end)

  it("a transaction closed by going out of scope", function()
    do
      local _tx <close> = db:begin("write")
      scribble()
    end
    assert.same(before, account(log))
  end)

  it("a savepoint, while what was saved before it stays", function()
    local between
    db:update(function(tx)
      log:save{ entries = entries_of(7) }
      between = account(log)
      assert.has_error(function()
        tx:savepoint(function()
          scribble()
          error("no", 0)
        end)
      end, "no")
      assert.same(between, account(log))
      log:save{ entries = entries_of(7) }
      between = account(log)
    end)
    assert.equal(11, between.last)
    assert.same(between, account(log))
    assert.same(between, account(Log.open(db, "replog")))
  end)

  it("a savepoint that joins, in a transaction that is then rolled back", function()
    local tx = db:begin("write")
    tx:savepoint(scribble)
    assert.equal(6, log:last_index())
    tx:rollback()
    assert.same(before, account(log))
  end)

  it("savepoints in savepoints", function()
    local tx = db:begin("write")
    tx:savepoint(function()
      log:save{ entries = entries_of(7) }
      pcall(tx.savepoint, tx, function()
        scribble()
        error("no")
      end)
      assert.equal(10, log:last_index())
    end)
    tx:commit()
    assert.equal(10, log:last_index())
    assert.same(account(Log.open(db, "replog")), account(log))
  end)

  it("a log opened, and one first written, inside it", function()
    local opened
    local tx = db:begin("write")
    scribble()
    opened = Log.open(db, "replog")
    local new = Log.open(db, "new")
    new:save{ term = 1, entries = entries_of(1) }
    tx:rollback()
    assert.same(before, account(opened))
    assert.equal(0, new:last_index())
    new:save{ term = 2, entries = entries_of(2, 2) }
    assert.equal(2, Log.open(db, "new"):last_index())
  end)
end)

describe("damage", function()
  local db, path
  before_each(function()
    db, path = scratch.open()
    example(db)
  end)
  after_each(scratch.clean)

  local function damage(bucket, fn)
    db:update(function(tx) fn(tx:bucket(bucket)) end)
  end

  it("of an entry is found when it is read, and the message has the index", function()
    damage("replog", function(bucket)
      local value = bucket:get(5)
      bucket:put(5, value:sub(1, -2) .. "!")
    end)
    local log = Log.open(db, "replog")
    assert.equal("t4#4", log:entry(4).data)
    assert.matches("entry 5", raises("log_damaged", log.entry, log, 5))
    assert.matches("entry 5", raises("log_damaged", log.entries, log, 1))
  end)

  it("of the last entry is found when the log is opened", function()
    damage("replog", function(bucket) bucket:put(9, bucket:get(9) .. "x") end)
    assert.matches("entry 9", raises("log_damaged", Log.open, db, "replog"))
  end)

  it("by a missing or exchanged entry is found when it is read", function()
    damage("replog", function(bucket)
      bucket:delete(4)
      bucket:put(6, bucket:get(7))
    end)
    local log = Log.open(db, "replog")
    assert.matches("entry 4 is missing", raises("log_damaged", log.entry, log, 4))
    assert.matches("entry 6", raises("log_damaged", log.entry, log, 6))
  end)

  it("of the hard state or a term run is found when the log is opened", function()
    for _, key in ipairs{ "hard", "run/\0\0\0\0\0\0\0\4", "format" } do
      local kept
      damage("replog.meta", function(bucket)
        kept = bucket:get(key)
        bucket:put(key, "\255" .. kept:sub(2))
      end)
      raises("log_damaged", Log.open, db, "replog")
      damage("replog.meta", function(bucket) bucket:put(key, kept) end)
    end
    assert.equal(9, Log.open(db, "replog"):last_index())
  end)

  it("that parts meta from entries is found when the log is opened", function()
    local function open_without(bucket, key)
      local kept
      damage(bucket, function(b)
        kept = b:get(key)
        b:delete(key)
      end)
      raises("log_damaged", Log.open, db, "replog")
      damage(bucket, function(b) b:put(key, kept) end)
    end
    open_without("replog.meta", "run/\0\0\0\0\0\0\0\1")
    open_without("replog.meta", "run/\0\0\0\0\0\0\0\6")
    damage("replog", function(b) b:delete(9) b:delete(8) end)
    raises("log_damaged", Log.open, db, "replog")
    db:update(function(tx) tx:delete_bucket("replog.meta") end)
    raises("log_damaged", Log.open, db, "replog")
  end)

  it("is told from another version of the format", function()
    local format = require "jangada.log.format"
    damage("replog.meta", function(b) b:put("format", format.seal("format", "jangada.log 2")) end)
    assert.matches("jangada.log 2", raises("version_mismatch", Log.open, db, "replog"))
  end)

  it("of what was never written stays out when the file is opened again", function()
    db:close()
    local log = Log.open(scratch.open(path), "replog")
    assert.equal(9, log:last_index())
    assert.same({ 7, "n2", 3 }, { log:hard_state() })
  end)
end)
