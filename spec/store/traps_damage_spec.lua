-- LMDB's traps of files that are not whole.
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local bytes, write_file = fresh.read_file, fresh.write_file

-- Opens files and uses all that is in them; prints, for each, what came of it. A process of its
-- own: LMDB reads through a map, so what nobody checks ends in a signal.
local inspect = [[
  local store = require "jangada.store"
  local list, first = ...
  local number = 0
  for path in io.lines(list) do
    number = number + 1
    if number >= tonumber(first) then
      io.write(number, " ")
      io.flush()
      local db, message, code = store.open(path, { durability = "none" })
      local ok, failure = db ~= nil, message
      if db then
        code = "opened"
        ok, failure = pcall(function()
          db:view(function(tx)
            for _, b in tx:buckets() do
              for _, v in b:each() do assert(not v or #v >= 0) end
            end
          end)
          db:update(function(tx) tx:ensure_bucket("b"):put("k", ("v"):rep(5000)) end)
        end)
        db:close{ force = true }
      end
      print(code)
    end
  end
]]

local function inspect_all(paths)
  local list = fresh.path()
  write_file(list, table.concat(paths, "\n") .. "\n")
  local results, died, first = {}, {}, 1
  while first <= #paths do
    local output, status = fresh.run(inspect, list, first)
    for number, code in output:gmatch("(%d+) ([%a_]+)\n") do results[tonumber(number)] = code end
    if status == 0 then break end
    while results[first] do first = first + 1 end
    died[#died + 1] = ("%s: status %d %s"):format(paths[first], status, output:match("[^\n]*\n?$"))
    first = first + 1
  end
  return results, died
end

describe("a damaged file", function()
  after_each(fresh.clean)

  local function sample()
    local db, path = fresh.open()
    db:update(function(tx)
      for _, name in ipairs{ "a", "b" } do
        local b = tx:create_bucket(name)
        for i = 1, 100 do b:put(("%03d"):format(i), ("v"):rep(100)) end
        b:create_bucket("n"):put("k", ("v"):rep(9000))
      end
    end)
    db:update(function(tx) tx:bucket("a"):delete_range("010", "090") end)
    db:close()
    return bytes(path)
  end

  it("cut to any length is refused or read, never a signal (trap 15)", function()
    local whole = sample()
    local paths, sizes = {}, {}
    for size = 0, #whole, 512 do sizes[#sizes + 1] = size end
    for _, size in ipairs{ 1, 8, 100, 152, 4095, 4097, 8191, 8193, #whole - 1 } do
      sizes[#sizes + 1] = size
    end
    for i, size in ipairs(sizes) do
      paths[i] = fresh.path()
      write_file(paths[i], whole:sub(1, size))
    end
    local results, died = inspect_all(paths)
    assert.same({}, died)
    for i, size in ipairs(sizes) do
      if size < 4096 then
        assert.is_true(results[i] == "invalid_file" or results[i] == "truncated", size)
      elseif size < #whole then
        assert.equal("truncated", results[i], size)
      else
        assert.equal("opened", results[i])
      end
    end
  end)

  it("no: one that ends before its last page, when all past its end are free, is whole "
    .. "(trap 15)", function()
    -- LMDB leaves the file so when the last pages that a transaction took are free again at its
    -- end. Here they are those of a deleted value, known by its bytes.
    local db, path = fresh.open(nil, { durability = "none" }) -- a commit is one of LMDB
    db:update(function(tx) tx:create_bucket("b"):put("k", "v") end)
    for _, pages in ipairs{ 50, 100 } do -- what the small one leaves serves to delete the large
      db:update(function(tx) tx:bucket("b"):put("x", ("x"):rep((pages << 12) - 16)) end)
      db:update(function(tx) tx:bucket("b"):delete("x") end)
    end
    db:close()
    local whole, page = bytes(path), ("x"):rep(4096)
    local size = #whole
    while whole:sub(size - 4095, size) == page do size = size - 4096 end
    assert.is_true(size < #whole)
    for _, options in ipairs{ { read_only = true }, {} } do
      write_file(path, whole:sub(1, size))
      db = fresh.open(path, options)
      db:view(function(tx) assert.same({ "k", "v" }, { tx:bucket("b"):cursor():first() }) end)
      if not options.read_only then
        db:update(function(tx) tx:bucket("b"):put("large", ("y"):rep(150 << 12)) end)
      end
      db:close()
    end
    db = fresh.open(path)
    db:view(function(tx) assert.equal(("y"):rep(150 << 12), tx:bucket("b"):get("large")) end)
    db:close()
    write_file(path, whole:sub(1, 8192)) -- and without what is not free, it is not
    assert.equal("truncated", (select(3, store.open(path))))
  end)

  it("with any byte of its meta pages changed is refused or used, never a signal "
    .. "(traps 15, 16)", function()
    local whole = sample()
    local page = string.unpack("<I4", whole, 41)
    local paths, what = {}, {}
    for meta = 0, 1 do
      for offset = 0, 151 do
        local at = meta * page + offset + 1
        local old = whole:byte(at)
        for _, new in ipairs{ old ~ 1, old ~ 0x80, old ~ 0xff } do
          local path = ("%s/%d.%03d.%02x"):format(fresh.directory, meta, offset, new)
          write_file(path, whole:sub(1, at - 1) .. string.char(new) .. whole:sub(at + 1))
          paths[#paths + 1], what[#what + 1] = path, offset
        end
      end
    end
    local results, died = inspect_all(paths)
    for i, offset in ipairs(what) do
      if offset >= 16 and offset < 24 then -- magic and version, in either meta page
        assert.is_truthy(("invalid_file truncated version_mismatch"):find(results[i]), paths[i])
      end
    end
    assert.same({}, died)
  end)
end)
