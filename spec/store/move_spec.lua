local fresh = require "spec.support.fresh"

local raises = fresh.raises

describe("a bucket's sequence", function()
  local db, path
  before_each(function()
    db, path = fresh.open()
    db:update(function(tx)
      local up = tx:create_bucket("up", { tree = false })
      up:create_bucket("prefix")
      up:create_bucket("tree", { tree = true })
      up:create_bucket("integers", { keys = "integer" })
      tx:create_bucket("top")
    end)
  end)
  after_each(fresh.clean)

  local function each_of(tx)
    local up = tx:bucket("up")
    return { tx:bucket("top"), up, up:bucket("prefix"), up:bucket("tree"), up:bucket("integers") }
  end

  it("begins at 0 and is each bucket's own (Bolt 66)", function()
    db:update(function(tx)
      for i, b in ipairs(each_of(tx)) do
        assert.equal(0, b:sequence())
        for n = 1, i do assert.equal(n, b:next_sequence()) end
      end
      for i, b in ipairs(each_of(tx)) do assert.equal(i, b:sequence()) end
    end)
  end)

  it("is kept, also as the only change of a transaction (Bolt 67, 68)", function()
    db:update(function(tx)
      for i, b in ipairs(each_of(tx)) do b:set_sequence(i * 1000) end
    end)
    db:update(function(tx)
      for _, b in ipairs(each_of(tx)) do b:next_sequence() end
    end)
    db:close()
    db = fresh.open(path)
    db:view(function(tx)
      for i, b in ipairs(each_of(tx)) do assert.equal(i * 1000 + 1, b:sequence()) end
    end)
  end)

  it("is rolled back with its transaction or savepoint (Bolt 27, 69)", function()
    db:update(function(tx)
      tx:bucket("top"):set_sequence(5)
      pcall(tx.savepoint, tx, function() tx:bucket("top"):next_sequence() error() end)
      assert.equal(5, tx:bucket("top"):sequence())
    end)
    local tx = db:begin("write")
    assert.equal(6, tx:bucket("top"):next_sequence())
    tx:rollback()
    db:view(function(now) assert.equal(5, now:bucket("top"):sequence()) end)
  end)

  it("is read, not written, in a read transaction; not at all after its end (Bolt 70)", function()
    local tx = db:begin("read")
    local b = tx:bucket("top")
    assert.equal(0, b:sequence())
    raises("tx_not_writable", b.next_sequence, b)
    raises("tx_not_writable", b.set_sequence, b, 1)
    tx:rollback()
    raises("tx_closed", b.sequence, b)
    raises("tx_closed", b.next_sequence, b)
    raises("tx_closed", b.set_sequence, b, 1)
  end)

  it("ends at 2^63-1: sequence_overflow (Bolt 72)", function()
    db:update(function(tx)
      local b = tx:bucket("top")
      b:set_sequence(math.maxinteger - 1)
      assert.equal(math.maxinteger, b:next_sequence())
      raises("sequence_overflow", b.next_sequence, b)
      assert.equal(math.maxinteger, b:sequence())
      for _, wrong in ipairs{ -1, 1.5, "x", {} } do
        assert.is_false(pcall(b.set_sequence, b, wrong))
      end
    end)
  end)

  it("is 0 again in a bucket deleted and made again (Bolt 37)", function()
    db:update(function(tx)
      tx:bucket("top"):set_sequence(7)
      tx:delete_bucket("top")
      assert.equal(0, tx:create_bucket("top"):sequence())
    end)
  end)
end)

describe("move_bucket", function()
  local db, path
  before_each(function()
    db, path = fresh.open()
    db:update(function(tx)
      for _, name in ipairs{ "a", "b" } do tx:create_bucket(name):put("key", name) end
      for _, tree in ipairs{ true, false } do
        for _, up in ipairs{ tx, (tx:bucket("a")) } do
          local b = up:create_bucket("m" .. tostring(tree), { tree = tree })
          b:set_sequence(7)
          b:put("k", "v")
          b:create_bucket("n"):put("k", "deep")
        end
      end
    end)
  end)
  after_each(fresh.clean)

  local function check_content(b)
    assert.same({ { "k", "v" }, { "n", false } }, fresh.gather(b:each()))
    assert.equal("deep", b:bucket("n"):get("k"))
    assert.equal(7, b:sequence())
  end

  it("moves between any two parents; content, sequence and handles go along "
    .. "(Bolt 45, 71)", function()
    for _, name in ipairs{ "mtrue", "mfalse" } do
      db:update(function(tx)
        local a, b, held = tx:bucket("a"), tx:bucket("b"), tx:bucket(name)
        local nested, c = held:bucket("n"), held:cursor()
        c:first()
        tx:move_bucket(name, b) -- root to nested
        assert.is_nil(tx:bucket(name))
        assert.equal(held, b:bucket(name))
        assert.equal("deep", nested:get("k"))
        assert.equal("n", (c:next()))
        check_content(held)
        b:delete_bucket(name)
        raises("bucket_closed", held.get, held, "k")
        raises("bucket_closed", nested.get, nested, "k")
        a:move_bucket(name, b) -- nested to nested
        assert.is_nil(a:bucket(name))
        check_content(b:bucket(name))
        b:move_bucket(name, tx) -- nested to root
        check_content(tx:bucket(name))
      end)
    end
    db:close()
    db = fresh.open(path)
    db:view(function(tx)
      assert.same({ "a", "b", "mfalse", "mtrue" }, fresh.keys(tx:buckets()))
      check_content(tx:bucket("mtrue"))
      check_content(tx:bucket("mfalse"))
    end)
    assert.is_true((db:check()))
  end)

  it("back to where it was leaves no trace of it: no tree is marked as moved (Bolt 45)", function()
    for _, name in ipairs{ "mtrue", "mfalse" } do
      db:update(function(tx) tx:move_bucket(name, tx:bucket("b")) end)
      db:update(function(tx) tx:bucket("b"):move_bucket(name, tx) end)
      assert.is_true((db:check()))
      db:update(function(tx)
        check_content(tx:bucket(name))
        tx:delete_bucket(name)
      end)
      db:update(function(tx) assert.equal(0, tx:create_bucket(name):count()) end)
      assert.is_true((db:check()))
    end
  end)

  it("leaves the name free, and old snapshots as they were (Bolt 25)", function()
    local old = db:begin("read")
    db:update(function(tx)
      for _, name in ipairs{ "mtrue", "mfalse" } do
        tx:move_bucket(name, tx:bucket("b"))
        tx:create_bucket(name):put("k", "another")
        check_content(tx:bucket("b"):bucket(name))
      end
    end)
    for _, name in ipairs{ "mtrue", "mfalse" } do
      check_content(old:bucket(name))
      assert.is_nil(old:bucket("b"):bucket(name))
    end
    old:rollback()
    db:close()
    db = fresh.open(path)
    db:view(function(tx)
      assert.equal("another", tx:bucket("mtrue"):get("k"))
      check_content(tx:bucket("b"):bucket("mtrue"))
    end)
  end)

  it("is undone with its savepoint or transaction (Bolt 27)", function()
    db:update(function(tx)
      pcall(tx.savepoint, tx, function() tx:move_bucket("mtrue", tx:bucket("b")) error() end)
      check_content(tx:bucket("mtrue"))
      assert.is_nil(tx:bucket("b"):bucket("mtrue"))
    end)
    local tx = db:begin("write")
    tx:move_bucket("mtrue", tx:bucket("b"))
    tx:rollback()
    db:view(function(now) check_content(now:bucket("mtrue")) end)
  end)

  it("refuses what is missing or no bucket, at either end (Bolt 46)", function()
    db:update(function(tx)
      local a, b = tx:bucket("a"), tx:bucket("b")
      raises("bucket_not_found", tx.move_bucket, tx, "missing", b)
      raises("bucket_not_found", a.move_bucket, a, "missing", b)
      raises("incompatible", a.move_bucket, a, "key", b)
      raises("bucket_exists", a.move_bucket, a, "mtrue", tx)
      b:put("mtrue", "a key")
      raises("incompatible", a.move_bucket, a, "mtrue", b)
      local i = tx:create_bucket("i", { keys = "integer" })
      raises("incompatible", a.move_bucket, a, "mtrue", i)
      raises("bucket_name_required", tx.move_bucket, tx, "", b)
      raises("key_too_large", tx.move_bucket, tx, ("n"):rep(504), b)
      check_content(a:bucket("mtrue"))
    end)
  end)

  it("refuses the place where it is (Bolt 47)", function()
    db:update(function(tx)
      local a = tx:bucket("a")
      raises("same_bucket", tx.move_bucket, tx, "a", tx)
      raises("same_bucket", a.move_bucket, a, "mtrue", a)
    end)
  end)

  it("refuses another transaction, of this DB or another (Bolt 48, 49)", function()
    local other = fresh.open()
    local there, reader = other:begin("write"), db:begin("read")
    local to = there:create_bucket("b")
    db:update(function(tx)
      raises("different_tx", tx.move_bucket, tx, "a", to)
      raises("different_tx", tx.move_bucket, tx, "a", there)
      raises("tx_not_writable", tx.move_bucket, tx, "a", reader)
      raises("tx_not_writable", reader.move_bucket, reader, "a", tx:bucket("b"))
      there:rollback()
      raises("tx_closed", tx.move_bucket, tx, "a", to)
      raises("tx_closed", tx.move_bucket, tx, "a", there)
      for _, wrong in ipairs{ db, "b", {} } do
        assert.error_matches(function() tx:move_bucket("a", wrong) end, "Bucket or Tx")
      end
      assert.error_matches(function() tx:move_bucket("a") end, "Bucket or Tx")
    end)
    reader:rollback()
  end)

  it("tells the first of several reasons: closed, read-only, other transaction, missing, "
    .. "no bucket, where it is or leads, what is there (Bolt 50)", function()
    local reader = db:begin("read")
    local closed = db:begin("read")
    closed:rollback()
    raises("tx_closed", reader.move_bucket, reader, "missing", closed)
    db:update(function(tx)
      raises("tx_not_writable", reader.move_bucket, reader, "missing", tx)
      local a, b = tx:bucket("a"), tx:bucket("b")
      raises("bucket_not_found", tx.move_bucket, tx, "missing", tx)
      raises("incompatible", a.move_bucket, a, "key", a)
      b:put("b", "a key in the way")
      raises("bucket_cycle", tx.move_bucket, tx, "b", b)
    end)
    reader:rollback()
  end)

  it("refuses to move a bucket into itself or into what is in it (Bolt 51 D)", function()
    db:update(function(tx)
      for _, name in ipairs{ "mtrue", "mfalse" } do
        local m = tx:bucket(name)
        raises("bucket_cycle", tx.move_bucket, tx, name, m)
        raises("bucket_cycle", tx.move_bucket, tx, name, m:bucket("n"))
        check_content(m)
      end
    end)
  end)
end)

describe("db:batch", function()
  local db
  before_each(function() db = fresh.open() end)
  after_each(fresh.clean)

  local function putter(key)
    return function(tx)
      tx:ensure_bucket("b"):put(key, "v")
      return key, "more"
    end
  end

  it("makes one commit of all at once, and gives the results (Bolt 87, 88)", function()
    local before = db:view(function(tx) return tx:id() end)
    assert.same({ { "1", "2", "3" } }, { db:batch{ putter "1", putter "2", putter "3" } })
    db:view(function(tx)
      assert.equal(before + 1, tx:id())
      assert.same({ "1", "2", "3" }, fresh.keys(tx:bucket("b"):each()))
    end)
    assert.same({ {} }, { db:batch{} })
  end)

  it("tells a failure that raised nothing from none (Bolt 89)", function()
    local results, failures = fresh.open():batch{
      function() error(nil) end, function() return 1 end,
    }
    assert.same({ false, 1 }, results)
    assert.same({ false }, failures)
  end)

  it("undoes alone what fails, and tells by position what it raised (Bolt 89, 90)", function()
    local mine, ran = {}, {}
    local function failing(tx)
      putter "lost"(tx)
      tx:on_rollback(function() ran[#ran + 1] = "rollback" end)
      tx:on_commit(function() ran[#ran + 1] = "commit" end)
      error(mine)
    end
    local results, failures = db:batch{ putter "1", failing, putter "3" }
    assert.same({ "1", false, "3" }, results)
    assert.equal(mine, failures[2])
    assert.same({ 2 }, fresh.keys(pairs(failures)))
    assert.same({ "rollback" }, ran)
    db:view(function(tx) assert.same({ "1", "3" }, fresh.keys(tx:bucket("b"):each())) end)
  end)

  it("wants functions, and begins nothing otherwise", function()
    assert.error_matches(function() db:batch() end, "table expected")
    assert.error_matches(function() db:batch{ print, 2 } end, "member 2 is a number")
    db:update(function() raises("write_tx_active", db.batch, db, {}) end)
  end)
end)
