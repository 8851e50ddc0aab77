local Log = require "jangada.log"
local logs = require "spec.support.logs"
local scratch = require "spec.support.scratch"
local snapshots = require "jangada.log.snapshots"

local entries_of, example, raises = logs.entries_of, logs.example, logs.raises
local data_of, save_snapshot = logs.data_of, logs.save_snapshot

local CHUNK <const> = snapshots.CHUNK_SIZE

local all = {}
for i = 1, (8 << 20) // 64 do all[i] = ("%064x"):format(i * 0x9E3779B97F4A7C15) end
all = table.concat(all)

-- Bytes that differ from chunk to chunk.
local function bytes(size)
  return all:sub(1, size)
end

-- How many chunks there are, of all snapshots.
local function chunks_in(db)
  return db:view(function(tx)
    local count, meta = 0, tx:bucket("replog.meta")
    for _ in meta:each{ prefix = "chunk/" } do count = count + 1 end
    return count
  end)
end

for _, kind in ipairs(logs.kinds) do
  describe("a snapshot with data, " .. kind.name, function()
    local db, log
    before_each(function()
      db = kind.open()
      log = example(db)
    end)
    after_each(scratch.clean)

    local function reopen()
      db = kind.reopen(db)
      log = Log.open(db, "replog")
    end

    it("is read back as it was written, whatever its size", function()
      for _, size in ipairs{ 0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 16 * CHUNK, 16 * CHUNK + 1,
        50 * CHUNK - 7 } do
        local data = bytes(size)
        save_snapshot(log, { index = 3, term = 1, info = "s" }, data)
        assert.same({ index = 3, term = 1, position = 12, info = "s", size = size },
          log:snapshot())
        assert.is_true(data == data_of(log), size)
        assert.same({}, log:verify())
        reopen()
        assert.is_true(data == data_of(log), size)
        assert.equal(size, log:stats().snapshot_size)
      end
    end)

    it("is the same, in whatever pieces it is written", function()
      local data = bytes(3 << 20)
      local writer = log:snapshot_writer{ index = 3, term = 1 }
      local at, size = 1, 1
      while at <= #data do
        writer:write(data:sub(at, at + size - 1), "")
        at, size = at + size, size * 3 % 100003 + 1
      end
      log:save{ snapshot = writer }
      assert.is_true(data == data_of(log))
      for chunk in log:snapshot_reader():each() do assert.is_true(#chunk <= 65536) end
    end)

    it("is not there until it is saved, and the one before it is", function()
      save_snapshot(log, { index = 2, term = 1 }, "old")
      local writer = log:snapshot_writer{ index = 3, term = 1 }
      writer:write(bytes(4 << 20))
      assert.equal(2, log:snapshot().index)
      assert.equal("old", data_of(log))
      reopen()
      assert.equal("old", data_of(log))
      assert.same({}, log:verify())
    end)

    it("aborted, or left by a block or an error, changes nothing", function()
      save_snapshot(log, { index = 2, term = 1 }, "old")
      local writer = log:snapshot_writer{ index = 3, term = 1 }
      writer:write(bytes(2 << 20))
      writer:abort()
      writer:abort()
      assert.matches("aborted", raises("log_snapshot_ended", writer.write, writer, "x"))
      raises("log_snapshot_ended", log.save, log, { snapshot = writer })
      local left
      pcall(function()
        local closing <close> = log:snapshot_writer{ index = 3, term = 1 }
        left = closing
        closing:write("half")
        error("no")
      end)
      raises("log_snapshot_ended", left.write, left, "x")
      assert.equal("old", data_of(log))
    end)

    it("ends its writer when it is saved", function()
      local writer = log:snapshot_writer{ index = 3, term = 1 }
      log:save{ snapshot = writer }
      assert.matches("saved", raises("log_snapshot_ended", log.save, log, { snapshot = writer }))
    end)

    it("has one writer at a time, the one begun last", function()
      local first = log:snapshot_writer{ index = 3, term = 1 }
      first:write(bytes(2 << 20))
      local second = log:snapshot_writer{ index = 2, term = 1 }
      second:write(bytes(1 << 20))
      assert.matches("another", raises("log_snapshot_ended", log.save, log, { snapshot = first }))
      second:write("the end")
      log:save{ snapshot = second }
      assert.equal((1 << 20) + 7, #data_of(log))
      assert.matches("another", raises("log_snapshot_ended", first.write, first, bytes(2 << 20)))
    end)

    it("leaves no chunk behind once its garbage is swept", function()
      save_snapshot(log, { index = 1, term = 1 }, bytes(20 * CHUNK))
      save_snapshot(log, { index = 2, term = 1 }, bytes(9 * CHUNK))
      local writer = log:snapshot_writer{ index = 3, term = 1 }
      writer:write(bytes(40 * CHUNK)) -- and then the process dies
      reopen()
      assert.equal(32 + 9, chunks_in(db))
      save_snapshot(log, { index = 3, term = 1 }, bytes(2 * CHUNK))
      while log:sweep() > 0 do end
      assert.equal(2, chunks_in(db))
      log:save{ snapshot = { index = 3, term = 1, info = "a reference" } }
      while log:sweep() > 0 do end
      assert.equal(0, chunks_in(db))
    end)

    it("is as long as it was said to be: log_snapshot_size", function()
      local writer = log:snapshot_writer{ index = 3, term = 1, size = 5 }
      writer:write("four")
      local message = raises("log_snapshot_size", log.save, log, { snapshot = writer })
      assert.matches("5 bytes.*4", message)
      writer:write("5")
      log:save{ snapshot = writer }
      assert.equal("four5", data_of(log))
    end)

    it("is written in pieces of strings, and described like any other: log_bad_field", function()
      local writer = log:snapshot_writer{ index = 3, term = 1 }
      for _, bad in ipairs{ 7, {}, true } do raises("log_bad_field", writer.write, writer, bad) end
      raises("log_bad_field", log.snapshot_writer, log, { index = 3 })
      raises("log_bad_field", log.snapshot_writer, log, { index = 3, term = 1, dtaa = "" })
      local other = Log.open(db, "other")
      raises("log_bad_field", other.save, other, { snapshot = writer })
      raises("log_bad_field", log.save, log, { snapshot = setmetatable({}, { __index = writer }) })
    end)

    it("moves from log to log as it is described", function()
      local data = bytes(3 * CHUNK)
      save_snapshot(log, { index = 7, term = 5, info = "members" }, data,
        { commit = 8, compact = 5 })
      local other = Log.open(kind.open(), "replog")
      local writer <close> = other:snapshot_writer(log:snapshot())
      for chunk in log:snapshot_reader():each() do writer:write(chunk) end
      other:save{ term = 7, snapshot = writer, first = 8, commit = 7 }
      assert.same(log:snapshot(), other:snapshot())
      assert.is_true(data == data_of(other))
      other:save{ entries = log:entries(8), commit = 8 }
      assert.equal(log:stats().position, other:stats().position)
      assert.same({}, other:verify())
    end)

    it("joins a transaction, and is undone with it", function()
      save_snapshot(log, { index = 2, term = 1 }, "old")
      local writer
      assert.has_error(function()
        db:update(function()
          writer = log:snapshot_writer{ index = 3, term = 1 }
          writer:write(bytes(2 << 20))
          log:save{ snapshot = writer, compact = 3 }
          assert.equal(2 << 20, #data_of(log))
          error("no", 0)
        end)
      end, "no")
      assert.equal("old", data_of(log))
      assert.equal(1, log:first_index())
      assert.matches("rolled back", raises("log_snapshot_ended", writer.write, writer, "x"))
      db:update(function() save_snapshot(log, { index = 3, term = 1 }, "new") end)
      reopen()
      assert.equal("new", data_of(log))
    end)

    it("cannot go on when a part of it was rolled back", function()
      local writer = log:snapshot_writer{ index = 3, term = 1 }
      writer:write(bytes(1 << 20))
      pcall(db.update, db, function()
        writer:write(bytes(1 << 20))
        error("no")
      end)
      raises("log_snapshot_ended", log.save, log, { snapshot = writer })
      assert.is_nil(log:snapshot())
    end)

    it("is read chunk by chunk, and tells when it was replaced: log_snapshot_ended", function()
      save_snapshot(log, { index = 2, term = 1, info = "i" }, bytes(3 * CHUNK))
      local reader = log:snapshot_reader()
      assert.same({ 2, 1, "i", 3 * CHUNK, 3 },
        { reader.index, reader.term, reader.info, reader.size, reader.chunks })
      assert.equal(CHUNK, #reader:read())
      log:save{ entries = entries_of(7) }
      assert.equal(CHUNK, #reader:read())
      save_snapshot(log, { index = 3, term = 1 }, "new")
      assert.matches("up to entry 2", raises("log_snapshot_ended", reader.read, reader))
      reader = log:snapshot_reader()
      assert.equal("new", reader:read())
      assert.is_nil(reader:read())
      assert.is_nil(reader:read())
      assert.is_nil(Log.open(db, "none"):snapshot_reader())
    end)

    it("that is damaged is found when it is read: log_damaged", function()
      save_snapshot(log, { index = 2, term = 1 }, bytes(3 * CHUNK))
      local format = require "jangada.log.format"
      local function damage(number, change)
        db:update(function(tx)
          local meta = tx:bucket("replog.meta")
          local key = format.chunk_key(1, number)
          local value = change(meta:get(key))
          if value then meta:put(key, value) else meta:delete(key) end
        end)
      end
      damage(2, function(value) return value:sub(1, 100) .. "!" .. value:sub(102) end)
      assert.matches("chunk 2 .*damaged", raises("log_damaged", data_of, log))
      damage(2, function() return nil end)
      assert.matches("chunk 2 .*missing", raises("log_damaged", data_of, log))
      damage(2, function() return format.seal(format.chunk_key(1, 2), "short") end)
      assert.matches("bytes, not", raises("log_damaged", data_of, log))
    end)
  end)
end

describe("writing a snapshot", function()
  after_each(scratch.clean)

  it("takes a transaction for each MiB, and none stays open", function()
    local db = scratch.open()
    local log = example(db)
    local before = db:info().last_tx_id
    local writer = log:snapshot_writer{ index = 3, term = 1 }
    writer:write(bytes(8 << 20))
    assert.is_nil(db:write_tx())
    local steps = db:info().last_tx_id - before
    assert.is_true(steps >= 8 and steps <= 9, tostring(steps))
  end)
end)
