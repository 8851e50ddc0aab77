local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"

local example, raises = logs.example, logs.raises

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

  it("of an entry is met by who walks when it is reached, and not before", function()
    damage("replog", function(bucket) bucket:put(5, "bad") end)
    local log = Log.open(db, "replog")
    local seen = 0
    assert.matches("entry 5", raises("log_damaged", function()
      for index in log:each() do seen = index end
    end))
    assert.equal(4, seen)
    assert.matches("entry 5", raises("log_damaged", log.visit, log, 1, 9,
      function(_, index) seen = -index end))
    assert.equal(-4, seen)
    for index in log:each(6) do seen = index end
    assert.equal(9, seen)
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
    assert.matches("entry 4 of replog is missing", raises("log_damaged", log.entry, log, 4))
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
    damage("replog.meta", function(b) b:put("format", format.seal("format", "jangada.log 3")) end)
    assert.matches("jangada.log 3", raises("version_mismatch", Log.open, db, "replog"))
  end)

  it("of what was never written stays out when the file is opened again", function()
    db:close()
    local log = Log.open(scratch.open(path), "replog")
    assert.equal(9, log:last_index())
    assert.same({ 7, "n2", 3 }, { log:hard_state() })
  end)
end)
