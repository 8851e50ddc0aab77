-- What cannot be had by asking: network file systems, and disks that fail (support/faults.c).
local fresh = require "spec.support.fresh"

local prelude = [[
  local store, path = require "jangada.store", ...
  local function code(fn, ...)
    local ok, failure = pcall(fn, ...)
    return ok and "done" or failure.code
  end
  local function put(db, value)
    return code(db.update, db, function(tx) tx:ensure_bucket("b"):put("k", value) end)
  end
]]

local function run(faults, script, path)
  local output, status = fresh.run_with(faults, prelude .. script, path)
  assert.equal(0, status, output)
  return output
end

describe("a network file system", function()
  local types = { NFS = "6969", CIFS = "ff534d42", SMB2 = "fe534d42", SMB = "517b",
    ["9p"] = "1021997", FUSE = "65735546" }
  local open = [[
    for _, options in ipairs{ {}, { read_only = true }, { shared = true } } do
      local db, message, code = store.open(path, options)
      print(db, code, message)
    end
    print(io.open(path))
  ]]

  after_each(fresh.clean)

  for name, number in pairs(types) do
    it("is refused, and nothing made on it: " .. name .. " (trap 34)", function()
      local path = fresh.path()
      local output = run("FAULT_FILESYSTEM=" .. number, open, path)
      assert.matches(("^nil\tremote_filesystem\t%s: on a network or FUSE filesystem "
        .. "%%(allow_remote makes it all the same%%)\nnil\tnot_found\t[^\n]*\n"
        .. "nil\tremote_filesystem\t[^\n]*\nnil\t[^\n]*No such file"):format(
        path:gsub("%p", "%%%0")), output)
      fresh.open(path):close()
      local _, count = run("FAULT_FILESYSTEM=" .. number, open, path)
        :gsub("nil\tremote_filesystem\t[^\n]*allow_remote", "")
      assert.equal(3, count)
    end)
  end

  it("is used when allow_remote says so (trap 34)", function()
    local output = run("FAULT_FILESYSTEM=6969", [[
      for _ = 1, 2 do -- made, then found
        local db <close> = assert(store.open(path, { allow_remote = true }))
        print(put(db, "v"))
      end
    ]], fresh.path())
    assert.equal("done\ndone\n", output)
  end)
end)

describe("a disk that fails", function()
  after_each(fresh.clean)

  it("while a commit's pages are flushed: that commit alone fails (trap 13)", function()
    for flush = 2, 4 do
      local db, path = fresh.open()
      db:close()
      local output = run("FAULT_FLUSH=" .. flush, [[
        local db <close> = assert(store.open(path))
        for i = 1, 5 do
          local handler = ""
          io.write(code(db.update, db, function(tx)
            tx:on_commit(function() handler = "committed" end)
            tx:on_rollback(function() handler = "rolled back" end)
            tx:ensure_bucket("b"):put(tostring(i), "v")
          end), " ", handler, "\n")
        end
        assert(db:check())
      ]], path)
      local kept, failures, i = {}, 0, 0
      for line in output:gmatch("[^\n]+") do
        i = i + 1
        if line == "done committed" then
          kept[#kept + 1] = tostring(i)
        else
          assert.equal("io_error rolled back", line)
          failures = failures + 1
        end
      end
      assert.equal(1, failures)
      db = fresh.open(path)
      db:view(function(tx) assert.same(kept, fresh.keys(tx:bucket("b"):each())) end)
    end
  end)

  it("while its meta page is flushed poisons the DB: nothing is promised until it is opened "
    .. "again (trap 13)", function()
    local db, path = fresh.open()
    db:close()
    local output = run("FAULT_META=3", [[ -- the first is the one of open
      local db = assert(store.open(path))
      local reader = db:begin("read")
      print(put(db, "first"))
      print(put(db, "second") ~= "done")
      print(put(db, "third"), code(db.view, db, print), code(db.begin, db, "write"),
        code(db.begin, db, "read"), code(db.batch, db, { print }))
      reader:rollback()
      print(code(db.begin, db, "read"), code(db.close, db))
      print(select(3, store.open(path))) -- which would write what it builds on
      db = assert(store.open(path, { read_only = true }))
      print((db:check()))
      print(db:view(function(tx) return tx:bucket("b"):get("k") end))
      db:close()
    ]], path)
    assert.matches("^done\ntrue\npoisoned\tpoisoned\tpoisoned\tpoisoned\tpoisoned\n"
      .. "poisoned\tdone\nio_error\ntrue\n%l+\n$", output)
    local value = output:match("(%l+)\n$")
    assert.is_true(value == "first" or value == "second", value)
    db = fresh.open(path)
    db:update(function(tx)
      assert.equal(value, tx:bucket("b"):get("k"))
      tx:bucket("b"):put("k", "fourth")
    end)
    assert.is_true(db:check())
  end)
end)
