local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local entries_of = logs.entries_of
local example, raises = logs.example, logs.raises

for _, kind in ipairs(logs.kinds) do
  describe("reading a log, " .. kind.name, function()
    after_each(scratch.clean)

    local db, log
    before_each(function()
      db = kind.open()
      log = example(db)
    end)

    it("limits a range by bytes of data, but gives at least one entry", function()
      for _ = 1, 2 do -- from memory, and from the file
        assert.equal(9, #log:entries(1))
        assert.equal(3, #log:entries(2, 4))
        assert.equal(2, #log:entries(2, 9, 8)) -- each has 4 bytes
        assert.equal(2, #log:entries(2, 9, 11))
        assert.equal(1, #log:entries(2, 9, 0))
        assert.equal("t4#4", log:entries(4, 4, 1)[1].data)
        Log.open(db, "replog")
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

    it("takes integers only: what is none is no index", function()
      for _, bad in ipairs{ 1.5, "1", 2.0, {} } do
        raises("log_bad_field", log.term, log, bad)
        raises("log_bad_field", log.entry, log, bad)
        raises("log_bad_field", log.entries, log, bad)
        raises("log_bad_field", log.entries, log, 1, bad)
        raises("log_bad_field", log.each, log, bad)
        raises("log_bad_field", log.visit, log, 1, bad, print)
        raises("log_bad_field", log.first_of_term, log, bad)
        raises("log_bad_field", log.conflict_hint, log, 1, bad)
      end
      raises("log_bad_field", log.term, log, nil)
      raises("log_bad_field", log.entries, log, 1, 2, -1)
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

    it("ends a visit whose function cuts the log, at either end", function()
      local other = Log.open(db, "cut")
      other:save{ term = 3, entries = entries_of(1, 3, 3), first = 1 }
      local seen = 0
      other:visit(1, 3, function()
        seen = seen + 1
        other:save{ entries = {}, first = 2 }
      end)
      assert.equal(1, seen)
      local entries = {}
      for i = 1, 3 do entries[i] = { term = 3, data = ("x"):rep(70000) } end -- a page each
      other:save{ entries = entries, first = 1, commit = 3 }
      other = Log.open(db, "cut")
      local message = raises("log_compacted", other.visit, other, 1, 3, function(_, index)
        if index > 1 then return end
        other:save{ snapshot = { index = 3, term = 3 }, compact = 3 }
        while other:sweep() > 0 do end
      end)
      assert.matches("entry 2 was removed: the log begins with entry 4", message)
    end)

    it("visits a range, whether its entries are in memory or not", function()
      local function visited(from, to)
        local seen = {}
        log:save{ entries = log:entries(4), first = 4 } -- what is read, is in memory now
        for _ = 1, 2 do
          local found = {}
          log:visit(from, to, function(context, index, term, type_of, data)
            context[#context + 1] = { index = index, term = term, type = type_of, data = data }
          end, found)
          seen[#seen + 1] = found
          Log.open(db, "replog")
        end
        assert.same(seen[1], seen[2])
        return seen[1]
      end
      local whole = visited(1, 99)
      assert.equal(9, #whole)
      assert.same({ index = 5, term = 4, type = 0, data = "t4#5" }, whole[5])
      assert.same(table.move(whole, 3, 4, 1, {}), visited(3, 4))
      assert.same({}, visited(4, 3))
      assert.same(whole, visited(1, nil))
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
end

