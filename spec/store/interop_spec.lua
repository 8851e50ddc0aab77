-- Other programs on our files, and we on theirs: LMDB's own tools and py-lmdb.
local fresh = require "spec.support.fresh"
local programs = require "spec.support.programs"
local store = require "jangada.store"

local raises = fresh.raises
local sh, must, py, write_file = programs.sh, programs.must, programs.py, programs.write_file
local sample, all_of = programs.sample, programs.all_of

-- A copy of a file that was in use misses its journal: what the checkpoint held can be had.
local function assert_copy(path, expected, misses_journal)
  if misses_journal then assert.equal("journal_missing", (select(3, store.open(path)))) end
  local db = fresh.open(path, { salvage = misses_journal })
  assert.same(expected, all_of(db))
  assert.is_true(db:check())
end

describe("LMDB's tools", function()
  if not programs.has_tools then return pending(programs.no_tools) end
  after_each(fresh.clean)

  it("mdb_stat finds the top-level buckets as databases, with their entries", function()
    local path = fresh.path()
    sample(path):close()
    local entries = {}
    for name, n in must("mdb_stat -n -a '%s'", path)
      :gmatch("Status of ([^\n]*)\n.-Entries: (%d+)") do
      entries[name] = tonumber(n)
    end
    assert.equal(9, entries.people) -- 6 keys and 3 buckets
    assert.equal(4, entries.numbers)
    assert.equal(0, entries.empty)
    assert.is_nil(entries.shared) -- it has no tree
    assert.matches("Entries: 4\n", must("mdb_stat -n -s numbers '%s'", path))
  end)

  it("mdb_stat -r sees our snapshots while the file is open", function()
    local db = sample(fresh.path())
    local snapshot <close> = db:begin("read")
    local id = db:readers()[1].tx_id
    if not fresh.journals then assert.equal(snapshot:id(), id) end
    assert.matches(("%%d+ +%%x+ %d\n"):format(id), (sh("mdb_stat -n -r '%s'", db:path())))
  end)

  it("mdb_dump shows keys and values as they were given", function()
    local db, path = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("people")
      b:put("ann", "engineer")
      b:put("bob", "")
      b:put("\1", "a\nb")
    end)
    db:checkpoint()
    assert.equal(" \\01\n a\\0ab\n ann\n engineer\n bob\n \n",
      must("mdb_dump -n -p -s people '%s'", path):match("HEADER=END\n(.*)DATA=END"))
  end)

  it("mdb_dump shows integer keys as 8 bytes, big-endian, in their order", function()
    local db, path = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("log", { keys = "integer" })
      for _, n in ipairs{ 256, 0, 255, math.maxinteger, 1 } do b:put(n, "v") end
    end)
    db:checkpoint()
    local keys = {}
    for key in must("mdb_dump -n -s log '%s'", path):gmatch("\n (%x+)\n 76") do
      keys[#keys + 1] = key
    end
    assert.same({ "0000000000000000", "0000000000000001", "00000000000000ff",
      "0000000000000100", "7fffffffffffffff" }, keys)
  end)

  it("mdb_dump -a and mdb_load make an equal file", function()
    local db, path, copy = sample(fresh.path())
    local expected = all_of(db)
    db:close()
    must("mdb_dump -n -a '%s' | mdb_load -n '%s'", path, copy)
    local loaded = fresh.open(copy)
    assert.same(expected, all_of(loaded))
    loaded:update(function(tx) -- and it lives on: ids, marks and sequences are right
      local people = tx:bucket("people")
      assert.equal(8, people:next_sequence())
      assert.equal("v", people:bucket("moved"):get("k"))
      people:create_bucket("new"):put("k", "v")
      assert.equal("nested", people:bucket("notes"):get("k"))
      assert.same({}, fresh.gather(tx:create_bucket("dead"):each()))
      tx:delete_bucket("people")
    end)
    assert.is_true(loaded:check())
  end)

  it("mdb_load adds to a bucket, and makes new ones", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("people"):put("ann", "engineer") end)
    db:close()
    write_file(path .. ".txt", "bob\nsailor\n")
    must("mdb_load -n -T -s people -f '%s.txt' '%s'", path, path)
    must("mdb_load -n -T -s more -f '%s.txt' '%s'", path, path)
    db = fresh.open(path)
    db:update(function(tx)
      assert.same({ "more", "people" }, fresh.keys(tx:buckets()))
      assert.same({ { "ann", "engineer" }, { "bob", "sailor" } },
        fresh.gather(tx:bucket("people"):each()))
      assert.same({ { "bob", "sailor" } }, fresh.gather(tx:bucket("more"):each()))
      assert.equal(1, tx:bucket("more"):next_sequence())
      tx:bucket("more"):create_bucket("n"):put("k", "v")
    end)
    assert.is_true(db:check())
  end)

  it("mdb_copy makes an equal file", function()
    local db, path, copy = sample(fresh.path())
    local expected = all_of(db)
    if fresh.journals then db:close() end
    must("mdb_copy -n '%s' '%s'", path, copy)
    assert_copy(copy, expected)
  end)

  it("mdb_copy -c does too, of the last commit, while a transaction writes", function()
    local db, path, copy = sample(fresh.path())
    db:checkpoint()
    local expected = all_of(db)
    local tx <close> = db:begin("write")
    tx:bucket("people"):put("later", "v")
    must("mdb_copy -n -c '%s' '%s'", path, copy)
    assert_copy(copy, expected, fresh.journals)
  end)

  it("mdb_copy waits while a journal has more than the file, and copies the checkpoint", function()
    if not fresh.journals then return end
    local db, path, copy = sample(fresh.path())
    local command = "exec 2> /dev/null; timeout -s KILL 0.2 mdb_copy -n '%s' '%s'"
    assert.equal(137, select(2, sh(command, path, copy))) -- it waits for LMDB's writer
    os.remove(copy)
    db:checkpoint()
    local expected = all_of(db) -- views alone do not keep it waiting
    db:begin("write"):rollback()
    must("mdb_copy -n '%s' '%s'", path, copy)
    assert_copy(copy, expected, true)
  end)

  it("read a backup", function()
    local db, source, copy = sample(fresh.path())
    db:backup(copy)
    local dumps = {}
    for i, path in ipairs{ source, copy } do -- the heads say how the file was opened
      dumps[i] = must("mdb_dump -n -a '%s'", path):gsub("maxreaders=%d+", "")
    end
    assert(dumps[1] == dumps[2])
    assert.is_true(#dumps[1] > 20000)
  end)
end)

describe("py-lmdb", function()
  if not programs.has_python then return pending(programs.no_python) end
  after_each(fresh.clean)

  it("reads what we wrote: keys, values, integer keys", function()
    local path = fresh.path()
    sample(path):close()
    assert.equal("b'engineer' b'' b'\\x00binary\\xff\\n' 10000\n0 b'zero'\n1 b'one'\n2 b'two'\n"
      .. "9223372036854775807 b'last'\n", py(path, [[
        env = lmdb.open(path, subdir=False, max_dbs=8, readonly=True)
        people, numbers = env.open_db(b'people'), env.open_db(b'numbers')
        with env.begin() as txn:
          get = lambda k: txn.get(k, db=people)
          print(get(b'ann'), get(b'empty'), get(b'\0\xff'), len(get(b'large')))
          for k, v in txn.cursor(numbers):
            print(struct.unpack('>Q', k)[0], v)
      ]]))
  end)

  it("writes what we read, in our buckets and in new ones", function()
    local db, path = fresh.open()
    db:update(function(tx)
      tx:create_bucket("people"):put("ann", "engineer")
      tx:bucket("people"):create_bucket("n"):put("k", "nested")
      tx:create_bucket("numbers", { keys = "integer" }):put(1, "one")
    end)
    db:close()
    py(path, [[
      env = lmdb.open(path, subdir=False, max_dbs=8)
      people, numbers, new = [env.open_db(n) for n in (b'people', b'numbers', b'new')]
      with env.begin(write=True) as txn:
        txn.put(b'bob', b'sailor', db=people)
        txn.delete(b'ann', db=people)
        txn.put(struct.pack('>Q', 256), b'later', db=numbers)
        for i in range(1000):
          txn.put(b'%04d' % i, b'v' * i, db=new)
    ]])
    db = fresh.open(path)
    db:update(function(tx)
      assert.same({ { "bob", "sailor" }, { "n", false } },
        fresh.gather(tx:bucket("people"):each()))
      assert.equal("nested", tx:bucket("people"):bucket("n"):get("k"))
      assert.same({ { 1, "one" }, { 256, "later" } }, fresh.gather(tx:bucket("numbers"):each()))
      local new = tx:bucket("new")
      assert.equal(1000, new:count())
      assert.equal(999, #new:get("0999"))
      new:put("k", "ours")
      new:create_bucket("n"):put("k", "v")
      assert.equal(1, new:next_sequence())
    end)
    assert.is_true(db:check())
  end)

  it("makes databases that we list and refuse: dupsort, integer and reverse keys", function()
    local path = fresh.path()
    py(path, [[
      env = lmdb.open(path, subdir=False, max_dbs=8)
      dbs = [env.open_db(b'dupsort', dupsort=True), env.open_db(b'integer', integerkey=True),
             env.open_db(b'reverse', reverse_key=True), env.open_db(b'plain')]
      with env.begin(write=True) as txn:
        for db in dbs:
          txn.put(struct.pack('@Q', 1), b'one', db=db)
          if db is dbs[0]:
            txn.put(struct.pack('@Q', 1), b'two', db=db)
    ]])
    local db = fresh.open(path)
    db:update(function(tx)
      assert.same({ { "dupsort", false }, { "integer", false },
        { "plain", tx:bucket("plain") }, { "reverse", false } }, fresh.gather(tx:buckets()))
      local plain = tx:bucket("plain")
      for _, name in ipairs{ "dupsort", "integer", "reverse" } do
        for _, method in ipairs{ "bucket", "create_bucket", "ensure_bucket", "delete_bucket" } do
          raises("incompatible", tx[method], tx, name)
        end
        raises("incompatible", tx.move_bucket, tx, name, plain)
        plain:create_bucket(name):put("k", "v") -- elsewhere the name is free
        raises("incompatible", plain.move_bucket, plain, name, tx)
      end
    end)
    db:close()
    assert.equal("[b'one', b'two']\n", py(path, [[
      env = lmdb.open(path, subdir=False, max_dbs=8)
      db = env.open_db(b'dupsort', dupsort=True, create=False)
      with env.begin() as txn:
        print([v for k, v in txn.cursor(db)])
    ]]))
  end)

  it("puts plain keys into the main database, which we leave alone", function()
    local path = fresh.path()
    py(path, [[
      env = lmdb.open(path, subdir=False, max_dbs=8)
      with env.begin(write=True) as txn:
        txn.put(b'plain', b'value')
        txn.put(b'48 bytes', b'x' * 48) # as many as the record of a database has
        txn.put(b'empty', b'')
      env.open_db(b'bucket')
    ]])
    local db = fresh.open(path)
    db:update(function(tx)
      assert.same({ "bucket" }, fresh.keys(tx:buckets()))
      for _, name in ipairs{ "plain", "48 bytes", "empty" } do
        assert.is_nil(tx:bucket(name))
        for _, method in ipairs{ "create_bucket", "ensure_bucket", "delete_bucket" } do
          raises("incompatible", tx[method], tx, name)
        end
        tx:bucket("bucket"):create_bucket(name):put("k", "v")
        raises("incompatible", tx.move_bucket, tx, name, tx:bucket("bucket"))
      end
      tx:create_bucket("new"):put("k", "v")
      tx:delete_bucket("bucket")
    end)
    assert.is_true(db:check())
    db:close()
    fresh.open(path):close() -- which removes what was deleted
    assert.equal("b'value' 48 b''\n", py(path, [[
      env = lmdb.open(path, subdir=False, max_dbs=8)
      with env.begin() as txn:
        print(txn.get(b'plain'), len(txn.get(b'48 bytes')), txn.get(b'empty'))
    ]]))
  end)

  it("drops a bucket's database: the bucket is gone, and can be made again", function()
    local path = fresh.path()
    sample(path):close()
    py(path, [[
      env = lmdb.open(path, subdir=False, max_dbs=8)
      db = env.open_db(b'people')
      with env.begin(write=True) as txn:
        txn.drop(db, delete=True)
    ]])
    local db = fresh.open(path)
    db:update(function(tx)
      assert.is_nil(tx:bucket("people"))
      assert.same({ "empty", "moved", "numbers", "odd\0name", "odd\nname", "shared" },
        fresh.keys(tx:buckets()))
      raises("bucket_not_found", tx.delete_bucket, tx, "people")
      local people = tx:create_bucket("people")
      assert.same({}, fresh.gather(people:each()))
      assert.equal(0, people:sequence())
      people:put("k", "v")
    end)
    db:view(function(tx) assert.equal("v", tx:bucket("people"):get("k")) end)
  end)

  it("cannot make us read a file of another format of ours", function()
    local path = fresh.path()
    sample(path):close()
    for _, format in ipairs{ "2", "", "11", "1" } do
      py(path, ([[
        env = lmdb.open(path, subdir=False, max_dbs=8)
        root = env.open_db(b'\1jangada')
        with env.begin(write=True) as txn:
          txn.put(b'\xff' * 8 + b'format', b'%s', db=root)
      ]]):format(format))
      for _, read_only in ipairs{ true, false } do
        local db, _, code = store.open(path, { read_only = read_only })
        assert.equal(format ~= "1" and "version_mismatch" or nil, code, format)
        if db then db:close() end
      end
    end
  end)

  it("shares a file with us: in turn, and each sees the other's databases", function()
    local db, path = fresh.open(nil, { shared = true })
    db:update(function(tx) tx:create_bucket("b"):put("n", "0") end)
    for i = 1, 5 do
      assert.equal(("b'%d'\n"):format(i - 1), py(path, ([[
        env = lmdb.open(path, subdir=False, max_dbs=32)
        b = env.open_db(b'b')
        with env.begin(write=True) as txn:
          print(txn.get(b'n', db=b))
          txn.put(b'n', b'%d', db=b)
        new = env.open_db(b'new%d')
        with env.begin(write=True) as txn:
          txn.put(b'k', b'v', db=new)
      ]]):format(i, i)))
      db:update(function(tx)
        assert.equal(tostring(i), tx:bucket("b"):get("n"))
        assert.equal("v", tx:bucket("new" .. i):get("k"))
      end)
    end
  end)

  it("cannot be kept waiting by our reading, nor we by its", function()
    local db, path = fresh.open(nil, { shared = true })
    db:update(function(tx) tx:create_bucket("b"):put("n", "old") end)
    db:view(function(tx)
      py(path, [[
        env = lmdb.open(path, subdir=False, max_dbs=32)
        b = env.open_db(b'b')
        with env.begin(write=True) as txn:
          txn.put(b'n', b'new', db=b)
      ]])
      assert.equal("old", tx:bucket("b"):get("n"))
    end)
    db:view(function(tx) assert.equal("new", tx:bucket("b"):get("n")) end)
  end)
end)

describe("a file of LMDB in which nothing is ours", function()
  if not programs.has_tools then return pending(programs.no_tools) end
  after_each(fresh.clean)

  it("is read without a change, also read_only", function()
    local path = fresh.path()
    write_file(path .. ".txt", "k\nv\n")
    must("mdb_load -n -T -s theirs -f '%s.txt' '%s'", path, path)
    local f <close> = assert(io.open(path, "rb"))
    local before = f:read("a")
    for _, read_only in ipairs{ true, false } do
      local db <close> = assert(store.open(path, { read_only = read_only }))
      db:view(function(tx)
        assert.same({ "theirs" }, fresh.keys(tx:buckets()))
        local b = tx:bucket("theirs")
        assert.same({ { "k", "v" } }, fresh.gather(b:each()))
        assert.equal(0, b:sequence())
        assert.equal(1, b:count())
        assert.is_nil(b:bucket("k"))
        assert.same({}, fresh.keys(b:buckets()))
      end)
    end
    f:seek("set")
    assert.equal(before, f:read("a"))
  end)
end)
