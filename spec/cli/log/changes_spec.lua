local Log = require "jangada.log"
local cjson = require "cjson"
local command = require "spec.support.log_command"
local logs = require "spec.support.logs"
local store = require "jangada.store"

local must, run, with = command.must, command.run, command.with

describe("jangada log compact", function()
  after_each(command.clean)

  local function state(path)
    return with(path, function(log)
      assert.same({}, log:verify())
      return { log:first_index(), log:last_index(), log:snapshot() and log:snapshot().index }
    end)
  end

  it("removes what the log's snapshot covers, all of it or less", function()
    local path = command.file(command.fill)
    assert.matches("^20 entries removed, [%d,.]+ %a+ of data; the log begins with entry 171\n$",
      must{ "compact", path, "--up-to", "170" })
    assert.same({ 171, 300, 200 }, state(path))
    must{ "compact", path, "--keep", "10" }
    assert.same({ 191, 300, 200 }, state(path))
    must{ "compact", path }
    assert.same({ 201, 300, 200 }, state(path))
    assert.matches("^0 entries removed", must{ "compact", path })
    assert.equal("z\xfez\xfe", with(path, function(log) return logs.data_of(log):sub(1, 4) end))
  end)

  it("removes what a snapshot elsewhere covers, if it is told where", function()
    local path = command.file(command.fill)
    local code, _, messages = run{ "compact", path, "--up-to", "240" }
    assert.equal(2, code)
    assert.matches("covers those up to 200; %-%-snapshot TEXT says where", messages)
    local told = cjson.decode((must{ "compact", path, "--up-to", "240", "--snapshot", "/b/240",
      "--json" }))
    assert.same({ removed = 90, first = 241, last = 300 },
      { removed = told.removed, first = told.first, last = told.last })
    assert.same({ 241, 300, 240 }, state(path))
    with(path, function(log) assert.equal("/b/240", log:snapshot().info) end)
  end)

  it("leaves no garbage", function()
    local path = command.file(function(log)
      local entries = {}
      for i = 1, 1000 do entries[i] = { term = 1, data = "x" } end
      for _ = 1, 30 do log:save{ term = 1, entries = entries } end
      log:save{ commit = 30000, snapshot = { index = 30000, term = 1 } }
    end)
    assert.matches("^29,990 entries removed", must{ "compact", path, "--keep", "10" })
    local db <close> = assert(store.open(path))
    db:view(function(tx) assert.equal(10, tx:bucket("replog"):count()) end)
  end)

  it("refuses what cannot be", function()
    local path = command.file()
    for arguments, message in pairs{
      [{}] = "the log has no snapshot",
      [{ "--snapshot", "x" }] = "no snapshot",
      [{ "--up-to", "4", "--snapshot", "x" }] = "covers more than is committed",
      [{ "--up-to", "40", "--snapshot", "x" }] = "there is no entry 40: the log has 1 to 9",
      [{ "--up-to", "0" }] = "at least 1",
    } do
      local code, _, messages = run{ "compact", path, table.unpack(arguments) }
      assert.equal(2, code)
      assert.matches(message, messages)
    end
    assert.same({ 1, 9 }, state(path))
  end)
end)

describe("jangada log copy", function()
  after_each(command.clean)

  it("makes a new file with the same log", function()
    local path, copy = command.file(command.fill), command.path()
    assert.matches("^150 entries copied, 3%.%d KiB of data\n$", must{ "copy", path, copy })
    assert.equal(must{ "export", path }, must{ "export", copy })
    assert.equal(0, (run{ "verify", copy }))
    local code, _, messages = run{ "copy", path, copy }
    assert.equal(2, code)
    assert.matches("which another one is to be copied to", messages)
  end)

  it("adds a log to a file, under a name", function()
    local path, other = command.file(command.fill), command.file()
    local told = cjson.decode((must{ "copy", path, other, "--as", "groups/17", "--json" }))
    assert.same({ { "replog" }, { "groups", "17" }, 150 }, { told.log, told.as, told.entries })
    assert.equal(must{ "export", path }, must{ "export", other, "--log", "groups/17" })
    with(other, function(log) assert.equal(9, log:last_index()) end)
  end)

  it("makes a log of another name in the same file", function()
    local path = command.file(command.fill)
    assert.matches("^150 entries copied", must{ "copy", path, path, "--as", "groups/17" })
    assert.equal(must{ "export", path }, must{ "export", path, "--log", "groups/17" })
    assert.equal(0, (run{ "verify", path, "--all" }))
    for _, name in ipairs{ "groups/17", "replog" } do
      local code, _, messages = run{ "copy", path, path, "--as", name }
      assert.equal(2, code)
      assert.matches("which another one is to be copied to", messages)
    end
  end)

  it("leaves nothing behind when it fails", function()
    local path = command.file(function(_, db)
      logs.example(db)
      db:update(function(tx) tx:bucket("replog"):put(5, "bad") end)
    end)
    local copy, other = command.path(), command.file(function(_, db)
      Log.open(db, "old"):save{ term = 1 }
    end)
    assert.equal(3, (run{ "copy", path, copy }))
    assert.is_nil(io.open(copy))
    local pipe <close> = assert(io.popen("ls " .. copy:match("^(.*)/")))
    assert.equal("", pipe:read("a"):gsub("in\n", ""):gsub("out\n", ""):gsub("err\n", ""))
    assert.equal(3, (run{ "copy", path, other }))
    assert.same({ "old" }, { must{ "list", other, "--json" }:match('%["(%a+)"%]') })
  end)
end)
