local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local raises = logs.raises

for _, kind in ipairs(logs.kinds) do
  describe("a time series, " .. kind.name, function()
    local db, log
    before_each(function()
      db = kind.open()
      log = Log.open(db, "replog")
    end)
    after_each(scratch.clean)

    local function values(...)
      local found = {}
      for i, sample in ipairs(log:series(...)) do found[i] = sample.value end
      return found
    end

    it("keeps numbers and their times, in the order in which they came", function()
      log:sample("load", 0.5, 100)
      log:sample("load", 3, 101.25)
      log:sample("load", -1, 101.25)
      log:sample("load", 1 << 60, 90)
      db = kind.reopen(db)
      log = Log.open(db, "replog")
      local samples = log:series("load")
      assert.same({ { time = 100, value = 0.5 }, { time = 101.25, value = 3 },
        { time = 101.25, value = -1 }, { time = 90, value = 1 << 60 } }, samples)
      assert.equal("integer", math.type(samples[4].value))
      assert.equal("float", math.type(samples[1].value))
      assert.same({}, log:verify())
    end)

    it("is asked for by times, both inclusive", function()
      for i = 1, 9 do log:sample("n", i, i * 10) end
      assert.same({ 3, 4, 5 }, values("n", 30, 50))
      assert.same({ 8, 9 }, values("n", 79.5))
      assert.same({ 1 }, values("n", nil, 19))
      assert.same({}, values("n", 91, 1000))
      assert.same({}, values("m"))
    end)

    it("keeps the last thousand", function()
      db:update(function()
        for i = 1, 1500 do log:sample("n", i, i) end
      end)
      log:sample("n", 1501, 1501)
      local found = values("n")
      assert.equal(1000, #found)
      assert.same({ 502, 1501 }, { found[1], found[1000] })
    end)

    it("has a name that no other one's gets in the way of", function()
      local names = { "n", "nn", "n\0", "\1n", ("x"):rep(255), "a/b" }
      for i, name in ipairs(names) do log:sample(name, i, 0) end
      for i, name in ipairs(names) do assert.same({ i }, values(name)) end
      local listed = log:series_names()
      table.sort(listed)
      table.sort(names)
      assert.same(names, listed)
    end)

    it("takes its times from the clock when it is not told", function()
      local before = os.time()
      log:sample("n", 1)
      local time = log:series("n")[1].time
      assert.is_true(time >= before and time <= os.time())
    end)

    it("takes numbers that are numbers, and names: log_bad_field", function()
      for _, bad in ipairs{ "1", 0 / 0, math.huge, -math.huge, {} } do
        raises("log_bad_field", log.sample, log, "n", bad, 1)
        raises("log_bad_field", log.sample, log, "n", 1, bad)
      end
      for _, name in ipairs{ "", ("x"):rep(256), 7 } do
        raises("log_bad_field", log.sample, log, name, 1, 1)
        raises("log_bad_field", log.series, log, name)
      end
      raises("log_bad_field", log.sample, log, "n", nil, 1)
      raises("log_bad_field", log.series, log, "n", "1")
    end)

    it("is part of a transaction, and undone with it", function()
      log:sample("n", 1, 1)
      pcall(db.update, db, function()
        log:sample("n", 2, 2)
        log:save{ term = 1 }
        error("no")
      end)
      assert.same({ 1 }, values("n"))
      log:sample("n", 3, 3)
      assert.same({ 1, 3 }, values("n"))
    end)

    it("may be the first thing that a log holds, and be undone", function()
      local new = Log.open(db, "new")
      pcall(db.update, db, function()
        new:sample("n", 1, 1)
        error("no")
      end)
      assert.same({}, new:series("n"))
      new:save{ term = 1, entries = logs.entries_of(1) }
      assert.equal(1, new:last_index())
      new:sample("n", 2, 2)
      assert.equal(2, new:series("n")[1].value)
    end)
  end)
end
