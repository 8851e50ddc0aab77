-- A copy of a live file (csrc/backup.c).

local fresh = require "spec.support.fresh"

local function contents(db)
  local found = {}
  local function walk(bucket, into)
    for key, value in bucket:each() do into[key] = value or walk(bucket:bucket(key), {}) end
    into["\0sequence"] = bucket:sequence()
    return into
  end
  db:view(function(tx)
    for name, bucket in tx:buckets() do found[name] = walk(bucket, {}) end
  end)
  return found
end

local function fill(tx)
  local b = tx:ensure_bucket("b")
  for i = 1, 500 do b:put(("%04d"):format(i), ("v"):rep(i)) end
  b:set_sequence(42)
  local inner = b:ensure_bucket("inner", { tree = true })
  inner:put("k", "v")
  inner:ensure_bucket("numbers", { keys = "integer" }):put(7, "seven")
  tx:ensure_bucket("prefix", { tree = false }):put("k", "v")
end

describe("db:backup", function()
  after_each(fresh.clean)

  it("copies a file in use: keys, nested buckets, sequences (Bolt 94, 96)", function()
    local db = fresh.open()
    db:update(fill)
    local path = fresh.path()
    db:backup(path)
    local copy = fresh.open(path)
    assert.same(contents(db), contents(copy))
    assert.is_true((copy:check()))
  end)

  it("copies the last commit, while a write transaction and a reader are open (Bolt 94)", function()
    local db = fresh.open()
    db:update(fill)
    local before = contents(db)
    local reader, writer = db:begin("read"), db:begin("write")
    writer:bucket("b"):put("uncommitted", "x")
    local path = fresh.path()
    if fresh.journals then
      fresh.raises("write_tx_active", db.backup, db, path)
      writer:rollback()
    end
    db:backup(path)
    if not fresh.journals then writer:rollback() end
    reader:rollback()
    assert.same(before, contents(fresh.open(path)))
  end)

  it("copies a whole file beside a snapshot, though a writer commits between (Bolt 94)", function()
    local db = fresh.open()
    db:update(fill)
    local path, snapshot = fresh.path(), db:begin("read")
    db:update(function(tx) tx:bucket("b"):put("more", "x") end)
    db:backup(path)
    snapshot:rollback()
    assert.is_true((fresh.open(path):check()))
  end)

  it("within a view copies a whole file (Bolt 94); not with a journal", function()
    local db = fresh.open()
    db:update(fill)
    local path = fresh.path()
    db:view(function()
      if fresh.journals then return fresh.raises("read_tx_active", db.backup, db, path) end
      db:backup(path)
    end)
    if fresh.journals then db:backup(path) end
    assert.is_true((fresh.open(path):check()))
  end)

  it("compacts: what was deleted takes no room, and the source stays as it is (Bolt 96)", function()
    local db = fresh.open()
    db:update(function(tx) tx:create_bucket("big"):put("k", ("v"):rep(4 << 20)) end)
    db:update(function(tx) tx:delete_bucket("big") end)
    db:update(fill)
    db:checkpoint()
    local size = db:info().size
    local path = fresh.path()
    db:backup(path)
    assert.equal(size, db:info().size)
    assert.is_true(fresh.open(path):info().size < size // 4)
  end)

  it("overwrites nothing", function()
    local db, source = fresh.open()
    db:update(fill)
    for _, path in ipairs{ source, fresh.path() } do
      if path ~= source then assert(io.open(path, "w")):close() end
      local ok, failure = pcall(db.backup, db, path)
      assert.is_false(ok)
      assert.equal("file_exists", failure.code)
    end
  end)

  it("names the path that cannot be written, and leaves nothing there", function()
    local db = fresh.open()
    local ok, failure = pcall(db.backup, db, "/nonexistent/copy.db")
    assert.is_false(ok)
    assert.equal("not_found", failure.code)
    assert.truthy(failure.message:find("/nonexistent/copy.db", 1, true))
    assert.is_false(pcall(db.backup, db, ""))
    assert.is_false(pcall(db.backup, db, "a\0b"))
  end)
end)

describe("db:sync", function()
  after_each(fresh.clean)

  it("flushes what durability none has not, and needs a file that can be written", function()
    local db, path = fresh.open(nil, { durability = "none" })
    db:update(fill)
    db:sync()
    db:close()
    local reader = fresh.open(path, { read_only = true })
    local ok, failure = pcall(reader.sync, reader)
    assert.is_false(ok)
    assert.equal("db_read_only", failure.code)
  end)
end)
