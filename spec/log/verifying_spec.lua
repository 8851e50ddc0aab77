local Log = require "jangada.log"
local format = require "jangada.log.format"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"
local verifying = require "jangada.log.verifying"

local raises = logs.raises

-- Terms 1 1 1 4 4 5 5 6 6 from index 3 on, a snapshot up to 5 with three chunks.
local function filled(db)
  local log = logs.example(db)
  logs.save_snapshot(log, { index = 5, term = 4 }, ("x"):rep(150000), { commit = 8, compact = 2 })
  log:save{ applied = 6, stable = { key = "value" } }
  log:sample("load", 1, 1)
  return log
end

for _, kind in ipairs(logs.kinds) do
  describe("verify, " .. kind.name, function()
    local db, log
    before_each(function()
      db = kind.open()
      log = filled(db)
    end)
    after_each(scratch.clean)

    -- The findings after a change of the buckets, as "code index" or "code key".
    local function after(change)
      db:update(function(tx) change(tx:bucket("replog"), tx:bucket("replog.meta"), tx) end)
      local found = {}
      for i, finding in ipairs(Log.verify_in(db, "replog")) do
        assert.is_string(verifying.codes[finding.code], finding.code)
        assert.is_string(finding.message)
        found[i] = ("%s %s"):format(finding.code, finding.index or finding.key or "-")
      end
      return found
    end

    local function seal_into(meta, key, payload)
      meta:put(key, format.seal(key, payload))
    end

    it("finds nothing in what is right", function()
      assert.same({}, log:verify())
      assert.same({}, Log.verify_in(db, "replog"))
      assert.same({}, Log.verify_in(db, "nothing"))
      assert.same({}, Log.verify_in(db, { "no", "such", "log" }))
    end)

    it("finds every damaged entry, and goes on behind it", function()
      assert.same({ "entry_damaged 4", "entry_damaged 8" }, after(function(bucket)
        bucket:put(4, bucket:get(4):sub(1, -2) .. "!")
        bucket:put(8, "short")
      end))
    end)

    it("finds a missing entry, and a row of them", function()
      local messages = {}
      assert.same({ "entry_missing 4", "entry_missing 6" }, after(function(bucket)
        bucket:delete(4)
        bucket:delete(6)
        bucket:delete(7)
      end))
      for i, finding in ipairs(Log.verify_in(db, "replog")) do messages[i] = finding.message end
      assert.same({ "entry 4 is missing", "entries 6 to 7 are missing" }, messages)
    end)

    it("finds the first entry and the last one missing", function()
      assert.same({ "entry_missing 3" }, after(function(bucket) bucket:delete(3) end))
      assert.same({ "run 8", "entry_missing 3", "bounds -" }, after(function(bucket)
        bucket:delete(9)
        bucket:delete(8)
      end))
    end)

    it("finds an entry under another one's index", function()
      assert.same({ "entry_damaged 6" }, after(function(bucket) bucket:put(6, bucket:get(7)) end))
    end)

    it("finds terms that fall, and are not what their records say", function()
      assert.same({ "term_fell 6", "run 6" }, after(function(bucket)
        bucket:put(6, format.encode(6, 3, 0, "t5#6", 24))
      end))
    end)

    it("finds a record of a term that is wrong, once for the entries that follow", function()
      assert.same({ "run 6" }, after(function(_, meta)
        meta:delete(format.run_key(5))
      end))
      assert.same({ "run 20", "run 6" }, after(function(_, meta)
        seal_into(meta, format.run_key(5), format.encode_run(20))
      end))
    end)

    it("finds a position that is not the sum of what is before it", function()
      assert.same({ "position 6", "position 7" }, after(function(bucket)
        bucket:put(6, format.encode(6, 5, 0, "t5#6", 25))
      end))
    end)

    it("finds damaged records, whatever they are, and names them", function()
      local keys = { "base", "format", "hard", format.run_key(5), "snapshot", "stable/key",
        format.sample_key("load", 1), format.chunk_key(1, 2) }
      for _, key in ipairs(keys) do
        local kept
        local found = after(function(_, meta)
          kept = assert(meta:get(key), key)
          meta:put(key, kept:sub(1, -2) .. string.char(kept:byte(-1) ~ 1))
        end)
        assert.is_truthy(table.concat(found, "\n"):find("record_damaged " .. key, 1, true), key)
        found = after(function(_, meta) meta:put(key, "") end)
        assert.is_truthy(table.concat(found, "\n"):find("record_damaged " .. key, 1, true), key)
        after(function(_, meta) meta:put(key, kept) end)
      end
      assert.same({}, log:verify())
    end)

    it("finds records of a wrong length though their seals are right", function()
      for _, key in ipairs{ "base", "hard", "snapshot", format.run_key(5),
        format.sample_key("load", 1) } do
        local kept
        local found = after(function(_, meta)
          kept = meta:get(key)
          seal_into(meta, key, "x")
        end)
        assert.is_truthy(table.concat(found, "\n"):find("record_damaged " .. key, 1, true), key)
        after(function(_, meta) meta:put(key, kept) end)
      end
    end)

    it("finds what is no record of a log, and another version", function()
      assert.same({ "record_unknown run/x", "record_unknown what" }, after(function(_, meta)
        meta:put("what", "ever")
        meta:put("run/x", "y")
      end))
      assert.same({ "version format" }, after(function(_, meta)
        meta:delete("what")
        meta:delete("run/x")
        seal_into(meta, "format", "jangada.log 1")
      end))
      assert.same({ "record_damaged format" }, after(function(_, meta) meta:delete("format") end))
    end)

    it("finds bounds that do not fit", function()
      local function with_hard(term, commit, applied)
        return #after(function(_, meta)
          seal_into(meta, "hard", format.encode_hard_state(term, nil, commit, applied))
        end)
      end
      assert.equal(1, with_hard(7, 10, 6)) -- past the last
      assert.equal(1, with_hard(7, 8, 9)) -- applied past commit
      assert.equal(1, with_hard(7, 4, 4)) -- commit below the snapshot
      assert.equal(1, with_hard(5, 8, 6)) -- an entry of a higher term
      assert.equal(0, with_hard(7, 8, 6))
      assert.same({ "chunk snapshot", "bounds -" }, after(function(_, meta)
        seal_into(meta, "snapshot", format.encode_snapshot{ index = 1, term = 1, position = 4,
          id = 9, size = 0, chunks = 1, info = "" })
      end))
    end)

    it("finds chunks that are missing, and lets garbage be", function()
      assert.same({ ("chunk %s"):format(format.chunk_key(1, 3)), "chunk snapshot" },
        after(function(_, meta) meta:delete(format.chunk_key(1, 2)) end))
      assert.same({ "chunk snapshot" }, after(function(_, meta)
        local key = format.chunk_key(1, 2)
        seal_into(meta, key, ("x"):rep(65515))
        meta:put(format.chunk_key(7, 7), "garbage")
      end))
    end)

    it("finds one bucket without the other, and buckets of something else", function()
      assert.same({ "buckets -" }, after(function(_, _, tx) tx:delete_bucket("replog.meta") end))
      db:update(function(tx) tx:create_bucket("people"):put("ann", "engineer") end)
      assert.equal("buckets", Log.verify_in(db, "people")[1].code)
      db:update(function(tx) tx:create_bucket("people.meta"):put("x", "y") end)
      assert.equal("buckets", Log.verify_in(db, "people")[1].code)
    end)

    it("finds the entries gone though the records are there", function()
      assert.same({ "run 3", "run 4", "run 6", "run 8", "bounds -" },
        after(function(_, _, tx) tx:delete_bucket("replog") end))
    end)

    it("stops after so many findings", function()
      db:update(function(tx)
        for index = 3, 9 do tx:bucket("replog"):put(index, "bad") end
      end)
      assert.equal(7, #Log.verify_in(db, "replog"))
      assert.equal(3, #Log.verify_in(db, "replog", { findings_max = 3 }))
      raises("log_bad_field", Log.verify_in, db, "replog", { findings_max = 0 })
      for _, options in ipairs{ 5, "all", print, true } do
        assert.matches("verify: options are a table",
          raises("log_bad_field", log.verify, log, options))
      end
    end)

    it("tells how far it is", function()
      local calls = {}
      log:verify{ progress = function(...) calls[#calls + 1] = { ... } end }
      assert.same({ { 7, 7 } }, calls)
    end)

    it("looks at what an open transaction has written", function()
      db:update(function(tx)
        tx:bucket("replog"):delete(5)
        assert.equal("entry_missing", log:verify()[1].code)
        tx:bucket("replog"):put(5, format.encode(5, 4, 0, "t4#5", 20))
        assert.same({}, log:verify())
      end)
    end)
  end)
end
