local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local screens = require "jangada.cli.screen"
local store = require "jangada.store"

local function exists(path)
  local f <close> = io.open(path, "rb")
  return f ~= nil
end

local bytes, write_file = fresh.read_file, fresh.write_file

-- store.open must refuse, and leave nothing open.
local function refuses(code, path, options)
  local db, message, got = store.open(path, options)
  assert.is_nil(db)
  assert.equal(code, got, message)
  assert.is_string(message)
  return message
end

-- A process that opens `path`, says "open", and holds it for 0.3 seconds.
local holder = [[
  local path, option = ...
  local options = { lock_timeout_ms = 0 }
  if option ~= "" then options[option] = true end
  local store = require "jangada.store"
  local db <close> = assert(store.open(path, options))
  io.write("open\n"):flush()
  os.execute("exec sleep 0.3")
]]

local function hold(path, option)
  local pipe = fresh.start(holder, path, option or "")
  assert.equal("open", pipe:read("l"))
  return pipe
end

describe("store.open", function()
  after_each(fresh.clean)

  it("makes a missing file, with the mode asked for and 0600 by default (Bolt 1)", function()
    for mode, text in pairs{ [false] = "600", [416] = "640", [292] = "444" } do -- 0640, 0444
      local _, path = fresh.open(nil, { mode = mode or nil })
      local pipe <close> = io.popen("stat -c %a '" .. path .. "'")
      assert.equal(text, pipe:read("l"))
    end
  end)

  it("leaves no other file than its own, LMDB's lock and the journal (Bolt 1)", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("b") end)
    db:close()
    local pipe <close> = io.popen("ls -A '" .. fresh.directory .. "'")
    local name = path:match("[^/]+$")
    local kinds = fresh.journals and { "", "-journal", "-lock" } or { "", "-lock" }
    assert.equal(name .. table.concat(kinds, "\n" .. name) .. "\n", pipe:read("a"))
  end)

  it("refuses an empty path, and one with a NUL (Bolt 1)", function()
    assert.error_matches(function() store.open("") end, "empty")
    assert.error_matches(function() store.open("a\0b") end, "NUL")
    assert.error_matches(function() store.open() end, "string expected")
    assert.error_matches(function() store.open(12) end, "string expected")
  end)

  it("gives nil, a message with the path and not_found for a missing directory (Bolt 1)", function()
    local path = fresh.directory .. "/none/x.db"
    assert.matches(path, refuses("not_found", path), 1, true)
    refuses("not_found", path, { read_only = true })
    write_file(fresh.directory .. "/file", "")
    refuses("not_found", fresh.directory .. "/file/x.db")
  end)

  it("gives not_found for a path that is too long, in whole or in part", function()
    for _, name in ipairs{ ("x"):rep(300), ("x/"):rep(3000), ("x"):rep(253) } do
      for _, options in ipairs{ {}, { read_only = true } } do
        refuses("not_found", fresh.directory .. "/" .. name, options)
      end
      fresh.raises("not_found", store.check, fresh.directory .. "/" .. name)
    end
  end)

  it("gives not_found for a missing file read_only, and makes nothing (Bolt 2)", function()
    local path = fresh.path()
    assert.matches(path, refuses("not_found", path, { read_only = true }), 1, true)
    assert.is_false(exists(path))
    assert.is_false(exists(path .. "-lock"))
  end)

  it("refuses a file of something else, and leaves it as it is (Bolt 3)", function()
    local path = fresh.path()
    local cases = { "", "x", ("x"):rep(4096), ("x"):rep(100000), ("\0"):rep(16384) }
    for _, content in ipairs(cases) do
      write_file(path, content)
      refuses("invalid_file", path)
      refuses("invalid_file", path, { read_only = true })
      assert.equal(content, bytes(path))
    end
  end)

  it("refuses what is no regular file (Bolt 3)", function()
    local fifo = fresh.path()
    os.execute("mkfifo '" .. fifo .. "'")
    refuses("invalid_file", fifo)
    refuses("invalid_file", "/dev/null")
    refuses("invalid_file", fresh.directory)
    refuses("invalid_file", fresh.directory, { read_only = true })
  end)

  it("refuses another format version (Bolt 3)", function()
    local db, path = fresh.open()
    db:close()
    local whole = bytes(path)
    -- the version follows the magic, 20 bytes into each of the two meta pages
    local page = string.unpack("<I4", whole, 41)
    local function versioned(at)
      return whole:sub(1, at + 20) .. "\9" .. whole:sub(at + 22)
    end
    write_file(path, versioned(0))
    refuses("version_mismatch", path)
    write_file(path, versioned(page))
    refuses("version_mismatch", path)
  end)

  it("gives in_use when another process holds the file, after lock_timeout_ms (Bolt 4)", function()
    local db, path = fresh.open()
    db:close()
    local owner <close> = children.worker(path)
    for _, timeout_ms in ipairs{ 0, 150 } do
      local before = screens.wall_clock()
      refuses("in_use", path, { lock_timeout_ms = timeout_ms })
      assert.is_true(screens.wall_clock() - before >= timeout_ms / 1000, "refused early")
    end
    refuses("in_use", path, { lock_timeout_ms = 0, read_only = true })
    assert.equal("7", owner:ask("return 7"))
  end)

  it("waits for the file and gets it when the other process is done (Bolt 4)", function()
    local db, path = fresh.open()
    db:close()
    local _ <close> = hold(path)
    fresh.open(path, { lock_timeout_ms = 10000 })
  end)

  it("lets several processes in that only read, and no writer beside them (Bolt 5)", function()
    local db, path = fresh.open()
    db:close()
    local _ <close> = hold(path, "read_only")
    local _ <close> = hold(path, "read_only")
    local mine <close> = assert(store.open(path, { read_only = true, lock_timeout_ms = 0 }))
    assert.is_true(mine:is_read_only())
    mine:close()
    refuses("in_use", path, { lock_timeout_ms = 0 })
  end)

  it("changes neither size nor data when a file is opened again (Bolt 6)", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("b"):put("k", ("v"):rep(10000)) end)
    db:close()
    local before = bytes(path)
    for _ = 1, 3 do
      db = fresh.open(path)
      db:view(function(tx) assert.equal(("v"):rep(10000), tx:bucket("b"):get("k")) end)
      db:close()
    end
    assert.equal(before, bytes(path))
  end)

  it("opens a file that is larger than size_max already (Bolt 12)", function()
    local db, path = fresh.open()
    db:update(function(tx) tx:create_bucket("b"):put("k", ("v"):rep(4 << 20)) end)
    db:close()
    db = fresh.open(path, { size_max = 1 << 20 })
    db:view(function(tx) assert.equal(4 << 20, #tx:bucket("b"):get("k")) end)
  end)

  it("opens a file over size_max from which buckets were deleted (Bolt 12)", function()
    local db, path = fresh.open()
    db:update(function(tx)
      tx:create_bucket("b"):put("k", ("v"):rep(4 << 20))
      tx:create_bucket("empty")
    end)
    db:update(function(tx) tx:delete_bucket("empty") end)
    db:close()
    db = fresh.open(path, { size_max = 1 << 20 })
    db:view(function(tx)
      assert.equal(4 << 20, #tx:bucket("b"):get("k"))
      assert.is_nil(tx:bucket("empty"))
    end)
    local tx = db:begin("write") -- the name is free, though there is no room for the bucket
    local ok, failure = pcall(tx.create_bucket, tx, "empty")
    if not ok then assert.equal("map_full", failure.code, tostring(failure)) end
    tx:rollback()
  end)

  it("takes every size_max that it accepts (Bolt 11)", function()
    for _, size_max in ipairs{ 1 << 16, 1 << 18, 1 << 20, 1 << 46 } do
      local db = fresh.open(nil, { size_max = size_max })
      db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    end
  end)

  it("names what stands in its way, and makes nothing", function()
    local obstacles = { -- how they are made, the code where a lock file should be, what is said
      { "mkfifo '%s'", "invalid_file", "not a regular file" },
      { "mkdir '%s'", "invalid_file", "not a regular file" },
      { "ln -s /nonexistent/x '%s'", "not_found", "No such file" },
      { "ln -s '%s' '%s'", "io_error", "symbolic links" },
    }
    for i, obstacle in ipairs(obstacles) do
      local make, code, what = table.unpack(obstacle)
      local db, path = fresh.open(nil, { durability = "commit" })
      db:close()
      assert(os.remove(path .. "-lock"))
      local lock, journal = path .. "-lock", path .. "-journal"
      assert(os.execute(make:format(lock, lock)))
      local message = refuses(code, path, { durability = "commit" })
      assert.truthy(message:find(lock .. ": ", 1, true), message)
      assert.matches(what, message)
      assert(os.execute(("rm -r '%s'"):format(lock)))

      assert(os.execute(make:format(journal, journal)))
      db = fresh.open(path, { durability = "journal", journal_size = 1 << 16 })
      local ok, failure = pcall(db.update, db, print)
      assert.is_false(ok)
      assert.truthy(failure.message:find(journal .. ": ", 1, true), i .. " " .. failure.message)
      db:view(function() end)
      db:close()
      assert(os.execute(("rm -r '%s'"):format(journal)))

      path = fresh.path()
      assert(os.execute(make:format(path, path)))
      message = refuses(code, path)
      assert.truthy(message:find(path .. ": ", 1, true), message)
    end
  end)

  it("lets nobody print into a file of a process without standard streams", function()
    local path, script = fresh.path(), fresh.path() .. ".lua"
    write_file(script, [[
      local store = require "jangada.store"
      local db <close> = assert(store.open(arg[1], { durability = "journal" }))
      io.stdout:setvbuf("no")
      local printed, complained = io.stdout:write("out"), io.stderr:write("err")
      local ends = io.popen("readlink /proc/$PPID/fd/0 /proc/$PPID/fd/1 /proc/$PPID/fd/2"):read("a")
      db:update(function(tx)
        tx:create_bucket("b"):put("seen", ("%s %s %s"):format(printed, complained, ends))
      end)
    ]])
    os.execute(("LUA_PATH='%s' LUA_CPATH='%s' lua5.4 %s %s <&- >&- 2>&-"):format(package.path,
      package.cpath, script, path))
    local db = fresh.open(path)
    assert.equal("nil nil " .. ("/dev/null\n"):rep(3), db:view(function(tx)
      return tx:bucket("b"):get("seen")
    end))
    assert.is_true(db:check())
  end)

  it("names an unknown option, and one of a wrong type or range", function()
    local path = fresh.path()
    local cases = {
      { { durabilty = "none" }, "unknown option 'durabilty'" },
      { { "read_only" }, "option name expected, got a number" },
      { { ["read_only\0"] = true }, "unknown option 'read_only'" },
      { { durability = "maybe" }, "option 'durability' is commit or none or journal, not 'maybe'" },
      { { durability = true }, "option 'durability' must be a string, not a boolean" },
      { { read_only = 1 }, "option 'read_only' must be a boolean, not a number" },
      { { size_max = "1" }, "option 'size_max' must be a number, not a string" },
      { { size_max = 1.5 }, "option 'size_max' must be an integer" },
      { { size_max = -1 }, "option 'size_max' must be an integer from" },
      { { lock_timeout_ms = -1 }, "option 'lock_timeout_ms' must be an integer from 0" },
      { { readers_max = 0 }, "option 'readers_max' must be an integer from 1" },
      { { trees_max = 0 }, "option 'trees_max' must be an integer from 1" },
      { { mode = 512 }, "option 'mode' must be an integer from 0" },
    }
    for _, case in ipairs(cases) do
      local ok, message = pcall(store.open, path, case[1])
      assert.is_false(ok)
      assert.matches(case[2], message, 1, true)
    end
    assert.is_false(exists(path))
  end)

  it("reads options without running code of theirs", function()
    local trap = setmetatable({}, { __index = function() error("run") end })
    assert(store.open(fresh.path(), trap)):close()
  end)

  it("opens a file that has more trees than trees_max", function()
    local db, path = fresh.open(nil, { trees_max = 40 })
    db:update(function(tx)
      for i = 1, 40 do tx:create_bucket("b" .. i):put("k", "v" .. i) end
    end)
    db:close()
    db = fresh.open(path, { trees_max = 1 })
    db:update(function(tx)
      for i = 1, 40 do assert.equal("v" .. i, tx:bucket("b" .. i):get("k")) end
    end)
  end)

  it("finds nothing left of deleted trees", function()
    local db, path = fresh.open()
    db:update(function(tx)
      for i = 1, 20 do tx:create_bucket("b" .. i):put("k", "v") end
    end)
    db:update(function(tx)
      for i = 1, 19 do tx:delete_bucket("b" .. i) end
    end)
    db:close()
    fresh.open(path):close()
    local pipe <close> = io.popen("mdb_stat -a -n '" .. path .. "' | grep -c '^Status of b'")
    if io.popen("command -v mdb_stat"):read("a") ~= "" then
      assert.equal("1", pipe:read("l"))
    end
    db = fresh.open(path)
    db:view(function(tx) assert.same({ "b20" }, fresh.keys(tx:buckets())) end)
  end)
end)
