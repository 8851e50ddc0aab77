-- What a DB and its buckets tell of themselves (csrc/stats.c), and the size of a transaction.

local fresh = require "spec.support.fresh"

describe("bucket:stats", function()
  after_each(fresh.clean)

  it("counts keys and nested buckets among them, recursively (Bolt 91)", function()
    local db = fresh.open()
    db:update(function(tx)
      local top = tx:create_bucket("top")
      for i = 1, 10 do top:put("key " .. i, "v") end
      local prefixed = top:create_bucket("prefixed")
      for i = 1, 5 do prefixed:put("key " .. i, "v") end
      local tree = prefixed:create_bucket("tree", { tree = true })
      tree:put("k", "v")
      tree:create_bucket("empty")
    end)
    db:view(function(tx)
      local stats = tx:bucket("top"):stats()
      assert.equal(10 + 1 + 5 + 1 + 1 + 1, stats.keys)
      assert.equal(4, stats.buckets)
      assert.equal(2, stats.trees)
    end)
  end)

  it("of an empty bucket has no key, and depth 1 (Bolt 91)", function()
    local db = fresh.open()
    db:update(function(tx)
      tx:create_bucket("tree")
      tx:create_bucket("prefix", { tree = false })
      for _, name in ipairs{ "tree", "prefix" } do
        local stats = tx:bucket(name):stats()
        assert.same({ 0, 1, 1 }, { stats.keys, stats.buckets, stats.depth })
      end
    end)
  end)

  it("counts the pages of trees, overflow pages of large values too (Bolt 91)", function()
    local db = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      for i = 1, 1000 do b:put(("%05d"):format(i), ("v"):rep(100)) end
      b:put("large", ("v"):rep(20 * 4096))
      local stats = b:stats()
      assert.is_true(stats.leaf_pages > 25 and stats.branch_pages >= 1 and stats.depth == 2)
      assert.is_true(stats.overflow_pages >= 20)
    end)
  end)
end)

describe("bucket:count", function()
  after_each(fresh.clean)

  it("counts the items of this bucket alone, the buckets in it too", function()
    local db = fresh.open()
    db:update(function(tx)
      for _, tree in ipairs{ true, false } do
        local b = tx:create_bucket("tree " .. tostring(tree), { tree = tree })
        assert.equal(0, b:count())
        for i = 1, 7 do b:put("k" .. i, "v") end
        b:create_bucket("inner"):put("k", "v")
        assert.equal(8, b:count())
        b:delete("k3")
        assert.equal(7, b:count())
      end
    end)
  end)
end)

describe("db:stats", function()
  after_each(fresh.clean)

  it("counts open and total read transactions (Bolt 93)", function()
    local db = fresh.open()
    local before = db:stats()
    local first, second = db:begin("read"), db:begin("read")
    assert.equal(before.open_reads + 2, db:stats().open_reads)
    assert.equal(before.reads + 2, db:stats().reads)
    first:rollback()
    second:rollback()
    assert.equal(before.open_reads, db:stats().open_reads)
    assert.equal(before.reads + 2, db:stats().reads)
  end)

  it("counts commits, rollbacks and the open writer", function()
    local db = fresh.open()
    local before = db:stats()
    db:update(function(tx) tx:create_bucket("b") end)
    pcall(db.update, db, function() error("no") end)
    local tx = db:begin("write")
    local stats = db:stats()
    assert.same({ 1, 1, 1 }, { stats.commits - before.commits, stats.rollbacks - before.rollbacks,
      stats.open_writes })
    tx:rollback()
    assert.equal(0, db:stats().open_writes)
  end)

  it("adds what a transaction did when it ends (Bolt 93)", function()
    local db = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      b:put("k", "v")
      b:get("k")
      b:delete("k")
      b:append({ "x", "y" }, { "1", "2" })
      assert.same({ 1, 1, 1, 2 }, { tx:stats().puts, tx:stats().gets, tx:stats().deletes,
        tx:stats().appended })
      assert.equal(0, db:stats().puts)
    end)
    assert.equal(1, db:stats().puts)
  end)

  it("counts free pages, and reads of a snapshot pin them", function()
    local db = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      for i = 1, 2000 do b:put(("%05d"):format(i), ("v"):rep(200)) end
    end)
    db:checkpoint()
    local before = db:stats().free_pages
    db:update(function(tx) tx:bucket("b"):delete_range() end)
    if fresh.journals then
      assert.equal(before, db:stats().free_pages) -- pages are those of the last checkpoint
      db:checkpoint()
    end
    assert.is_true(db:stats().free_pages > before + 80)
  end)
end)

describe("db:info and db:readers", function()
  after_each(fresh.clean)

  it("tell how old the oldest snapshot is, in commits (trap 26)", function()
    local db = fresh.open()
    db:update(function(tx) tx:create_bucket("b") end)
    local tx = db:begin("read")
    assert.equal(0, db:info().reader_age)
    for i = 1, 5 do
      db:update(function(w) w:bucket("b"):put("k", tostring(i)) end)
      if fresh.journals then -- ages count checkpoints, and tx_id is LMDB's
        assert.equal(i - 1, db:info().reader_age)
        db:checkpoint()
      end
    end
    assert.equal(5, db:info().reader_age)
    local readers = db:readers()
    assert.same({ 1, 5 }, { #readers, readers[1].age })
    if not fresh.journals then assert.equal(tx:id(), readers[1].tx_id) end
    tx:rollback()
    assert.equal(0, db:info().reader_age)
    assert.same({}, (db:readers()))
  end)

  it("an old snapshot makes the file grow, until it ends (trap 26)", function()
    local db = fresh.open(nil, { durability = "none" })
    db:update(function(tx) tx:create_bucket("b") end)
    local function write(n)
      for i = 1, n do db:update(function(w) w:bucket("b"):put("k", tostring(i)) end) end
      return db:info().size
    end
    write(20)
    local tx = db:begin("read")
    local pinned = write(300)
    tx:rollback()
    write(20)
    assert.equal(pinned, write(300))
    assert.is_true(pinned > 300 * 4096)
  end)
end)

describe("tx:size", function()
  after_each(fresh.clean)

  it("is the bytes up to the last page in use when it began (Bolt 30)", function()
    local db = fresh.open()
    local before = db:view(function(tx) return tx:size() end)
    db:update(function(tx) tx:create_bucket("b"):put("k", ("v"):rep(1 << 20)) end)
    local after = db:view(function(tx) return tx:size() end)
    assert.equal(0, after % db:info().page_size)
    assert.is_true(after - before >= 1 << 20)
    assert.equal(db:info().size, after)
  end)
end)
