local cjson = require "cjson"
local command = require "spec.support.db_command"
local process = require "spec.support.process"
local store = require "jangada.store"

local must, run = command.must, command.run

-- All kinds of buckets, keys and values.
local function fill(tx)
  local mixed = tx:create_bucket("mixed")
  for i = 1, 400 do
    mixed:put(("key %03d"):format(i), ("v"):rep(i))
    if i % 100 == 0 then
      local inner = mixed:create_bucket(("key %03d inner/"):format(i), { tree = i == 200 })
      inner:put("k\0", "\xff")
      inner:set_sequence(i)
      inner:create_bucket("numbers", { keys = "integer", tree = i == 100 }):put(i, "n")
    end
  end
  mixed:put("large", ("x"):rep(3 << 20))
  -- A value that looks like the record of a bucket.
  mixed:put("like a record", "\x8aJangada\r\n\x1a\n\xf3\\\xb9'T\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0x")
  local log = tx:create_bucket("log", { keys = "integer" })
  for i = 1, 3000 do log:put(i * i, "entry " .. i) end
  log:put(0, "")
  log:put(math.maxinteger, "last")
  tx:create_bucket("shared", { tree = false }):put("k", "v")
  tx:create_bucket("empty"):set_sequence(math.maxinteger)
  tx:create_bucket("odd\0name"):put("k", "v")
end

local function make()
  local path = command.file(fill)
  local db <close> = assert(store.open(path, { durability = "none" }))
  db:update(function(tx)
    tx:create_bucket("gone"):put("k", ("y"):rep(2 << 20))
  end)
  db:update(function(tx) tx:delete_bucket("gone") end)
  return path
end

local function files_beside(path)
  local pipe <close> = assert(io.popen("ls " .. process.quote(path:match("^(.*)/"))))
  return command.lines(pipe:read("a"))
end

describe("jangada db compact", function()
  it("copies all buckets, keys, sequences and kinds into a smaller file (Bolt 71, 96)", function()
    local source, copy = make(), command.path()
    local before = command.read(source)
    local output = must{ "compact", source, copy }
    assert.matches("\n3,4%d%d keys in 13 buckets copied\n$", output)
    assert.matches(copy:gsub("%p", "%%%0") .. "  [%d.]+ MiB, %d+ %%\n", output)
    assert.equal(before, command.read(source))
    assert.equal(must{ "dump", source, "--json" }, must{ "dump", copy, "--json" })
    must{ "check", copy }
    assert.is_true(#command.read(copy) < #before - (2 << 20))
    assert.same({ "new.db" }, { files_beside(copy)[1] })
  end)

  it("copies the same in transactions of any size", function()
    local source, copy = make(), command.path()
    local db <close> = assert(store.open(source, { read_only = true }))
    local target <close> = assert(store.open(copy, { durability = "none" }))
    local copying = require "jangada.cli.db.copying"
    local description = require "jangada.cli.db.description"
    local calls = 0
    db:view(function(tx)
      copying.copy(tx, description.all(tx), target, 1, function() calls = calls + 1 end)
    end)
    assert.is_true(calls > 10)
    assert.is_true(target:info().last_tx_id > 20)
    target:close()
    db:close()
    assert.equal(must{ "dump", source, "--json" }, must{ "dump", copy, "--json" })
    assert.equal(0, (run{ "check", copy }))
  end)

  it("fills its pages", function()
    local source = command.file()
    local db <close> = assert(store.open(source, { durability = "none" }))
    for _ = 1, 30 do
      db:update(function(tx)
        local bucket = tx:ensure_bucket("b")
        for _ = 1, 100 do bucket:put(("%016x"):format(math.random(0)), ("v"):rep(100)) end
      end)
    end
    db:close()
    local copy = command.path()
    must{ "compact", source, copy }
    local sums = {}
    for _, line in ipairs(command.lines(must{ "pages", copy, "--summary", "--json" })) do
      local row = cjson.decode(line)
      if row.tree then sums[row.tree] = row end
    end
    assert.is_true(sums.b.fill_percent > 90, tostring(sums.b.fill_percent))
  end)

  it("keeps the access rights of the source", function()
    local source, copy = make(), command.path()
    os.execute("chmod 640 " .. source)
    must{ "compact", source, copy }
    local pipe <close> = assert(io.popen("stat -c %a " .. copy))
    assert.equal("640\n", pipe:read("a"))
  end)

  it("takes a file without a bucket", function()
    local source, copy = command.file(), command.path()
    local result = cjson.decode(must{ "compact", source, copy, "--json" })
    assert.same({ 0, 0 }, { result.keys, result.buckets })
    assert.equal("", must{ "dump", copy })
  end)

  it("takes more buckets with trees than a file is opened for at first", function()
    local source, copy = command.path(), command.path()
    local db <close> = assert(store.open(source, { durability = "none", trees_max = 300 }))
    db:update(function(tx)
      for i = 1, 250 do tx:create_bucket(("bucket %d"):format(i)):put("k", "v") end
    end)
    db:close()
    must{ "compact", source, copy }
    assert.equal(must{ "dump", source, "--json" }, must{ "dump", copy, "--json" })
  end)

  it("overwrites nothing", function()
    local source, other = make(), make()
    local before = command.read(other)
    for _, verb in ipairs{ "compact", "backup" } do
      local code, _, message = run{ verb, source, other }
      assert.equal(2, code)
      assert.equal(("jangada db %s: %s: it exists already\n"):format(verb, other), message)
    end
    assert.equal(2, (run{ "compact", source, source }))
    assert.equal(before, command.read(other))
  end)

  it("refuses what it would lose, and leaves nothing behind", function()
    local copy = command.path()
    local plain = command.foreign([[
VERSION=3
format=print
type=btree
HEADER=END
 plain
 v
DATA=END
]])
    local code, _, message = run{ "compact", plain, copy }
    assert.equal(2, code)
    assert.matches("holds 1 key outside of any bucket", message)
    local pairs_ = command.foreign([[
VERSION=3
format=print
database=pairs
type=btree
dupsort=1
HEADER=END
 k
 v
DATA=END
]])
    code, _, message = run{ "compact", pairs_, copy }
    assert.equal(2, code)
    assert.matches("'pairs' has LMDB flags", message)
    assert.same({}, files_beside(copy))
    must{ "backup", plain, copy }
    local pipe <close> = assert(io.popen("mdb_dump -n -p " .. copy))
    assert.matches(" plain\n v\n", pipe:read("a"))
  end)

  it("refuses a damaged file, and leaves nothing behind", function()
    local source, copy = make(), command.path()
    command.scribble(source, 9 * 4096, ("\xa5"):rep(64))
    local code, _, message = run{ "compact", source, copy }
    assert.equal(3, code)
    assert.truthy(message:find(source .. ": damaged: ", 1, true), message)
    assert.same({}, files_beside(copy))
  end)

  it("leaves nothing behind when it is interrupted", function()
    local source = command.file(function(tx)
      local bucket = tx:create_bucket("b", { keys = "integer" })
      for i = 1, 100 do bucket:put(i, ("x"):rep(1 << 20)) end
    end)
    local copy = command.path()
    local build = os.getenv("BUILD") or "build"
    -- timeout sends SIGINT as Ctrl-C does, when the temporary file is there.
    local pipe <close> = assert(io.popen((
      "LUA_CPATH='%s/?.so;;' lua5.4 bin/jangada db compact %s %s 2>&1 & p=$!; "
      .. "until ls %s.new-* >/dev/null 2>&1 || ! kill -0 $p 2>/dev/null; do :; done; "
      .. "kill -INT $p; wait $p; echo exit $?"):format(build, source, copy, copy)))
    local output = pipe:read("a")
    assert.matches("jangada db compact: interrupted\nexit 130\n", output, 1, true)
    assert.same({}, files_beside(copy))
  end)

  it("tells when the copy has no place", function()
    local code, _, message = run{ "compact", make(), "/nonexistent/x.db" }
    assert.equal(2, code)
    assert.truthy(message:find("/nonexistent/x.db", 1, true), message)
  end)
end)

describe("jangada db backup", function()
  it("copies a file with all that is in it", function()
    local source, copy = make(), command.path()
    local output = must{ "backup", source, copy }
    assert.matches(copy:gsub("%p", "%%%0") .. "  [%d.]+ MiB, %d+ %%\n", output)
    assert.equal(must{ "dump", source, "--json" }, must{ "dump", copy, "--json" })
    must{ "check", copy }
    assert.same({ "new.db", "new.db-lock" }, files_beside(copy))
  end)

  it("copies the last commit of a file that others share", function()
    local source, copy = make(), command.path()
    local db <close> = assert(store.open(source, { shared = true }))
    local tx <close> = db:begin("write")
    tx:bucket("shared"):put("k", "not yet")
    must{ "backup", source, copy }
    assert.equal("v\n", must{ "get", copy, "shared", "k" })
  end)
end)
