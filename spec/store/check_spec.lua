-- check: what is whole is found to be whole, and each kind of damage is found, with its page.
local damage = require "spec.support.damage"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local function describe_findings(findings)
  local lines = {}
  for i, f in ipairs(findings or {}) do
    lines[i] = ("page %s: %s: %s"):format(f.page, f.code, f.message)
  end
  return table.concat(lines, "\n")
end

local function assert_clean(ok, findings)
  if not ok then error("not clean:\n" .. describe_findings(findings), 2) end
  assert.is_nil(findings)
end

local function fill(bucket, count, size)
  for i = 1, count do bucket:put("key" .. i, ("v"):rep(size or i % 300)) end
end

describe("check finds nothing", function()
  after_each(fresh.clean)

  it("in an empty store", function()
    local db = fresh.open()
    assert_clean(db:check())
  end)

  it("in buckets of every kind", function()
    local db, path = fresh.open()
    db:update(function(tx)
      fill(tx:create_bucket("accounts"), 20000)
      local log = tx:create_bucket("log", { keys = "integer" })
      for i = 1, 5000 do log:put(i, "entry " .. i) end
      log:put(2 ^ 53 | 0, damage.magic .. "P") -- there a value is never a record
      local prefixed = tx:create_bucket("prefixed", { tree = false })
      fill(prefixed, 100)
      prefixed:create_bucket("numbers", { keys = "integer" }):put(1, damage.magic .. "T")
      local parent = tx:create_bucket("parent")
      parent:put("literal", damage.magic .. "T") -- and here it is escaped
      for i = 1, 40 do
        parent = parent:create_bucket("nested", { tree = i % 3 == 0 })
        fill(parent, 30)
      end
    end)
    assert_clean(db:check())
    db:close()
    assert_clean(store.check(path))
  end)

  it("in values of many pages, of all sizes around a page", function()
    local db = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("big")
      for i = 0, 300 do b:put("k" .. i, ("x"):rep(1900 + 37 * i)) end
      b:put("huge", ("x"):rep(5000000))
      b:create_bucket("nested"):put("huge", ("x"):rep(1000000))
    end)
    assert_clean(db:check())
    db:update(function(tx)
      for i = 0, 300, 2 do tx:bucket("big"):put("k" .. i, ("y"):rep(100 + i * 13)) end
    end)
    assert_clean(db:check())
  end)

  it("after deletions, rollbacks and savepoints (behaviours 38, 64, 65)", function()
    local db = fresh.open()
    db:update(function(tx) fill(tx:create_bucket("b"), 20000, 100) end)
    db:update(function(tx)
      for i = 1, 20000, 2 do tx:bucket("b"):delete("key" .. i) end
    end)
    assert_clean(db:check())
    pcall(db.update, db, function(tx)
      fill(tx:bucket("b"), 3000, 900)
      error("never mind")
    end)
    db:update(function(tx)
      pcall(tx.savepoint, tx, function()
        fill(tx:create_bucket("c"), 3000, 900)
        error("never mind")
      end)
      fill(tx:create_bucket("d"), 100)
    end)
    assert_clean(db:check())
    db:update(function(tx) tx:bucket("b"):delete_range(nil, nil) end)
    assert_clean(db:check())
    db:update(function(tx)
      tx:delete_bucket("b")
      tx:delete_bucket("d")
    end)
    assert_clean(db:check())
  end)

  it("when trees are deleted, purged, moved and made anew", function()
    local db, path = fresh.open()
    db:update(function(tx)
      for _, name in ipairs{ "a", "b", "c" } do
        local b = tx:create_bucket(name)
        fill(b, 500)
        fill(b:create_bucket("tree", { tree = true }), 500)
      end
    end)
    db:update(function(tx)
      tx:delete_bucket("a")
      tx:move_bucket("b", tx:bucket("c"))
      tx:create_bucket("b"):put("new", "one")
    end)
    assert_clean(db:check())
    db:close()
    db = fresh.open(path) -- removes the trees of deleted buckets
    assert_clean(db:check())
    db:update(function(tx) fill(tx:create_bucket("a"), 10) end)
    assert_clean(db:check())
  end)

  it("in 10,000 nested buckets", function()
    local db = fresh.open()
    db:update(function(tx)
      local b = tx:create_bucket("b")
      for i = 1, 10000 do b:create_bucket(("%05d"):format(i)):put("k", "v") end
    end)
    assert_clean(db:check())
    db:update(function(tx)
      for i = 1, 10000, 3 do tx:bucket("b"):delete_bucket(("%05d"):format(i)) end
    end)
    assert_clean(db:check())
  end)

  it("in a file that ends before its last page, when all past its end are free", function()
    -- So LMDB leaves it when the last pages that a transaction took are free again at its end.
    local function put(pages)
      return function(tx) tx:bucket("b"):put("x", ("x"):rep((pages << 12) - 16)) end
    end
    local function delete(tx) tx:bucket("b"):delete("x") end
    local db, path = fresh.open(nil, { durability = "none" }) -- a commit is one of LMDB
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    for _, pages in ipairs{ 50, 100 } do -- what the small one leaves serves to delete the large
      db:update(put(pages))
      db:update(delete)
    end
    db:close()
    local file = damage.of(path)
    local bytes = file.original
    local size = #bytes
    while bytes:sub(size - 4095, size) == ("x"):rep(4096) do size = size - 4096 end
    assert.is_true(size < #bytes)
    assert_clean(file:write(bytes:sub(1, size)):check())
    assert.is_false((file:write(bytes:sub(1, 4 * 4096)):check()))
  end)

  it("in a backup", function()
    local db = fresh.open()
    db:update(function(tx) fill(tx:create_bucket("b"), 3000) end)
    db:update(function(tx) tx:bucket("b"):delete_range("key2", "key3") end)
    local copy = fresh.path()
    db:backup(copy)
    assert_clean(store.check(copy))
  end)

  it("in what mdb_load makes, opened by us or not", function()
    local path = fresh.path()
    local pipe = assert(io.popen(("mdb_load -n '%s'"):format(path), "w"))
    for _, database in ipairs{ "plain\n", "dups\ndupsort=1\n", "backwards\nreversekey=1\n" } do
      pipe:write("VERSION=3\nformat=print\ntype=btree\nmapsize=104857600\ndatabase=", database,
        "HEADER=END\n")
      for i = 1, 2000 do -- in the order of the keys and of their values
        local number = ("%05d"):format(i)
        if database:find("dups") then
          pipe:write((" key%d\n value%s\n"):format(1000 + i // 500, number))
        else
          pipe:write(" ", database:find("back") and number:reverse() or number, "\n ",
            ("v"):rep(i % 40 == 0 and 5000 or i % 50), "\n")
        end
      end
      pipe:write("DATA=END\n")
    end
    assert(pipe:close())
    assert_clean(store.check(path))
    local db = fresh.open(path)
    assert_clean(db:check())
    db:update(function(tx) tx:bucket("plain"):create_bucket("ours"):put("k", "v") end)
    assert_clean(db:check())
  end)

  it("in trees of every kind, as liblmdb itself makes them at random", function()
    local program, path = fresh.path(), fresh.path()
    local function run(command, ...) -- without a sanitizer
      assert(os.execute("env -u LD_PRELOAD " .. command:format(...)))
    end
    run("cc -D_GNU_SOURCE -o '%s' spec/support/foreign_check.c $(pkg-config --cflags --libs lmdb)",
      program)
    for seed = 1, 15 do
      for _, page_size in ipairs{ 512, 4096 } do
        os.remove(path)
        run("'%s' '%s' %d %d %d", program, path, seed, page_size, seed * 9)
        assert_clean(store.check(path))
      end
    end
  end)

  it("in the files that the fuzzer starts from, of 512-byte pages", function()
    local pipe <close> = assert(io.popen("ls spec/corpus/check/*.db"))
    local count = 0
    for path in pipe:lines() do
      assert_clean(store.check(path))
      count = count + 1
    end
    assert.is_true(count > 10)
  end)
end)

describe("check of a live file", function()
  after_each(fresh.clean)

  it("sees the last commit, also within a write transaction", function()
    local db = fresh.open()
    db:update(function(tx) fill(tx:create_bucket("b"), 1000) end)
    db:update(function(tx)
      fill(tx:bucket("b"), 5000, 500)
      if fresh.journals then return fresh.raises("write_tx_active", db.check, db) end
      assert_clean(db:check())
    end)
    assert_clean(db:check())
  end)

  it("walks its snapshot while the progress function commits", function()
    local db = fresh.open()
    db:update(function(tx) fill(tx:create_bucket("b"), 40000, 200) end)
    local calls = 0
    assert_clean(db:check{ progress = function(done, total)
      calls = calls + 1
      assert.is_true(done <= total)
      for _ = 1, 5 do
        db:update(function(tx)
          tx:bucket("b"):delete_range("key" .. calls, "key" .. calls .. "5")
          fill(tx:bucket("b"), 200, 300)
        end)
      end
    end })
    assert.is_true(calls > 2)
    assert_clean(db:check())
  end)

  it("ends with progress(total, total)", function()
    local db, done, total = fresh.open(), nil, nil
    db:check{ progress = function(...) done, total = ... end }
    assert.is_truthy(done)
    assert.are.equal(total, done)
  end)

  it("passes on what progress raises, and leaves nothing open", function()
    local db = fresh.open()
    local thrown = {}
    local ok, caught = pcall(db.check, db, { progress = function() error(thrown) end })
    assert.is_false(ok)
    assert.are.equal(thrown, caught)
    db:close() -- would raise tx_open
  end)

  it("refuses a yield in progress", function()
    local db = fresh.open()
    local thread = coroutine.create(function() db:check{ progress = coroutine.yield } end)
    local ok, message = coroutine.resume(thread)
    assert.is_false(ok)
    assert.matches("yield", tostring(message))
    db:close()
  end)

  it("ends when progress closes the DB", function()
    local db = fresh.open()
    fresh.raises("db_closed", db.check, db, { progress = function() db:close{ force = true } end })
    fresh.raises("db_closed", db.check, db)
  end)

  it("works on a DB opened read_only (Bolt 95)", function()
    local db, path = fresh.open()
    db:update(function(tx) fill(tx:create_bucket("b"), 1000) end)
    db:close()
    assert_clean(fresh.open(path, { read_only = true }):check())
  end)

  it("stands while another process writes to a shared file", function()
    local db, path = fresh.open(nil, { shared = true })
    db:update(function(tx) fill(tx:create_bucket("b"), 5000) end)
    local pipe = fresh.start([[
      local db = assert(require("jangada.store").open(..., { shared = true, durability = "none" }))
      for i = 1, 300 do
        db:update(function(tx)
          local b = tx:bucket("b")
          for j = 1, 50 do b:put("key" .. (i * 37 + j) % 5000, ("w"):rep((i + j) % 400)) end
        end)
      end
      db:close()
      print("done")
    ]], path)
    for _ = 1, 30 do assert_clean(db:check()) end
    assert.are.equal("done\n", pipe:read("a"))
    pipe:close()
    assert_clean(db:check())
  end)

  it("takes options by name", function()
    local db = fresh.open()
    assert.has_error(function() db:check{ findings = 3 } end)
    assert.has_error(function() db:check{ findings_max = 0 } end)
    assert.has_error(function() db:check{ progress = 1 } end)
    assert.has_error(function() db:check(1) end)
  end)
end)

describe("store.check", function()
  after_each(fresh.clean)

  it("raises for what is no file to read", function()
    fresh.raises("not_found", store.check, fresh.path())
    fresh.raises("invalid_file", store.check, fresh.directory)
    assert.has_error(function() store.check("") end)
    assert.has_error(function() store.check("a\0b") end)
    assert.has_error(function() store.check(1) end)
  end)

  it("refuses a file that is open here or elsewhere", function()
    local db, path = fresh.open()
    fresh.raises("already_open", store.check, path)
    db:close()
    local done = path .. "-done"
    local pipe = fresh.start([[
      local path, done = ...
      local db = assert(require("jangada.store").open(path))
      print("open")
      io.stdout:flush()
      for _ = 1, 3000 do
        if io.open(done) then break end
        os.execute("sleep 0.02")
      end
    ]], path, done)
    assert.are.equal("open", pipe:read())
    fresh.raises("in_use", store.check, path, { lock_timeout_ms = 0 })
    fresh.raises("in_use", store.pages, path, { lock_timeout_ms = 10 })
    assert(io.open(done, "w")):close()
    pipe:close()
    assert_clean(store.check(path))
  end)

  it("leaves the file and its directory as they were", function()
    local file = damage.make(function(tx) fill(tx:create_bucket("b"), 10) end)
    os.remove(file.path .. "-lock")
    assert_clean(file:check())
    assert.is_nil(io.open(file.path .. "-lock"))
    assert.are.equal(file.original, damage.of(file.path).original)
  end)
end)
