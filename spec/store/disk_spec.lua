-- The journal as a file.
local children = require "spec.support.children"
local fresh = require "spec.support.fresh"
local journals = require "spec.support.journals"
local programs = require "spec.support.programs"

local raises, must = fresh.raises, programs.must

local function create(tx) tx:create_bucket("b"):put("k", "v") end

describe("the journal's file", function()
  after_each(fresh.clean)

  it("is made by the first write, with the mode of the data file, full of written zeros", function()
    local db, path = journals.open(nil, { mode = tonumber("640", 8) })
    db:view(function() end)
    db:update(function() end)
    assert.equal("640 65536 1\n", must("stat -c '%%a %%s %%h' '%s-journal'", path))
    assert.is_true(tonumber((must("stat -c %%b '%s-journal'", path))) * 512 >= 65536)
    local bytes = assert(io.open(path .. "-journal", "rb"))
    assert.equal(1, #journals.records(bytes:read(48))) -- it says whose journal this is
    assert.equal(("\0"):rep(65536 - 48), bytes:read("a"))
    bytes:close()
    db:close()
    assert.equal("640 65536 1\n", must("stat -c '%%a %%s %%h' '%s-journal'", path))
  end)

  it("is not made for a DB that only reads", function()
    local db, path = journals.open()
    db:view(function() end)
    db:begin("read"):rollback()
    db:backup(fresh.path())
    db:close()
    assert.is_nil(io.open(path .. "-journal"))
  end)

  it("is no link, directory or pipe: the first write refuses, and reading goes on", function()
    local ways = { "ln -s /dev/null '%s-journal'", "mkdir '%s-journal'", "mkfifo '%s-journal'",
      "ln -s '%s-missing' '%s-journal'", "ln -s '%s-elsewhere' '%s-journal'" }
    for i, way in ipairs(ways) do
      local db, path = journals.open()
      programs.write_file(path .. "-elsewhere", "not ours")
      must(way, path, path)
      raises(i == 2 and "invalid_file" or "io_error", db.update, db, create)
      db:view(function(tx) assert.is_nil(tx:bucket("b")) end)
      must("rm -r '%s-journal'", path)
      assert.is_nil(io.open(path .. "-missing"))
      assert.equal("not ours", must("cat '%s-elsewhere'", path))
      db:update(create)
      db:abandon()
      db = journals.open(path)
      assert.equal(1, db:info().journal.replayed)
      db:close()
    end
  end)

  it("is of one store, also when that was moved away while it was open", function()
    local db, path = journals.open()
    db:update(create)
    must("mv '%s' '%s-moved'; rm '%s-lock'", path, path, path)
    local other = journals.open(path)
    raises("in_use", other.update, other, create)
    db:update(function(tx) tx:bucket("b"):put("l", "v") end)
    other:view(function(tx) assert.is_nil(tx:bucket("b")) end)
    db:close()
    other:update(create)
    other:close()
    local moved = journals.open(path .. "-moved")
    moved:view(function(tx) assert.same({ "k", "l" }, fresh.keys(tx:bucket("b"):each())) end)
  end)

  it("is inherited by no other program", function()
    local db, path = journals.open()
    db:update(create)
    local pid = io.open("/proc/self/stat"):read("n")
    assert.matches(path .. "-journal", must("ls -l /proc/%d/fd", pid), 1, true)
    assert.is_nil(must("ls -l /proc/self/fd"):find(path, 1, true))
  end)

  it("is free when its owner dies, though a forked child lives", function()
    if not children.process then return pending(children.missing) end
    local db, path = journals.open()
    db:update(create)
    local finish, pid = children.start(children.process.pause)
    db:abandon()
    db = journals.open(path)
    assert.equal(1, db:info().journal.replayed)
    db:update(function(tx) tx:bucket("b"):put("l", "v") end)
    children.process.kill(pid, 9)
    assert.is_false(pcall(finish))
  end)

  -- Past the page cache, or through it where a filesystem knows no O_DIRECT.
  for how, faults in pairs{ ["whole blocks"] = "", ["a system without O_DIRECT"] =
    "FAULT_DIRECT=fcntl", ["one that does not write so"] = "FAULT_DIRECT=pwrite" } do
    it("holds records of all sizes, one behind the other, on " .. how, function()
      local output = fresh.run_with(faults, [[
        local path = ...
        local store = require "jangada.store"
        local function open()
          local options = { durability = "journal", journal_size = 1 << 22 }
          local db = assert(store.open(path, options))
          return db, db:info().journal and db:info().journal.replayed
        end
        local db = open()
        db:update(function(tx) tx:create_bucket("b", { keys = "integer" }) end)
        local sizes = { 0, 1, 3900, 4096, 100, 8192, 12345, 600000, 5, 4000, 1100000, 7, 524192 }
        for n, size in ipairs(sizes) do
          local value = string.char(64 + n):rep(size)
          local tx <close> = db:begin("write")
          tx:bucket("b"):put(n, value)
          if n % 3 == 0 then tx:commit() else tx:commit{ wait = false } end
        end
        db:flush()
        db:abandon()
        local replayed
        db, replayed = open()
        db:view(function(tx)
          for n, size in ipairs(sizes) do
            assert(tx:bucket("b"):get(n) == string.char(64 + n):rep(size), n)
          end
        end)
        print(replayed, #sizes + 1)
        db:close()
      ]], fresh.path())
      assert.equal("14\t14\n", output)
    end)
  end

  it("holds zeros behind what is written at once, up to the end of its block", function()
    local rig = journals.rig{ journal_disk = false }
    rig:put("1", ("x"):rep(20000))
    rig.db:checkpoint()
    rig:put("2", ("y"):rep(5000))
    rig:put("3")
    rig:crash()
    local bytes = rig:bytes()
    local records = journals.records(bytes)
    assert.same({ 2, 0, 8192 }, { #records, records[1].at, records[2].at })
    for _, r in ipairs(records) do
      local past = r.at + r.size
      local block_end = (past + 4095) // 4096 * 4096
      assert.equal(("\0"):rep(block_end - past), bytes:sub(past + 1, block_end))
    end
    assert.equal("x", bytes:sub(12289, 12289))
  end)

  it("that the system has no room for makes the first write fail, and nothing else", function()
    local path = fresh.path()
    programs.write_file(path .. ".lua", [[
      local path = ...
      local store = require "jangada.store"
      local function open(size)
        return assert(store.open(path, { durability = "journal", journal_size = size }))
      end
      local db = open(1 << 24)
      for _ = 1, 2 do print(select(2, pcall(db.update, db, print)).code) end
      print(db:view(function(tx) return tx:bucket("b") end))
      db:close()
      db = open(1 << 16)
      db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
      db:abandon()
      db = open(1 << 16)
      print(db:info().journal.replayed, io.open(path .. "-journal"):seek("end"))
      db:close()
    ]])
    -- a file-size limit is the disk that every test may fill: 1 MiB
    local pipe <close> = io.popen(("trap '' XFSZ; ulimit -f 2048; LUA_PATH='%s' LUA_CPATH='%s' "
      .. "lua5.4 '%s.lua' '%s' 2>&1"):format(package.path, package.cpath, path, path))
    assert.equal("no_space\nno_space\nnil\n1\t65536\n", pipe:read("a"))
  end)
end)
