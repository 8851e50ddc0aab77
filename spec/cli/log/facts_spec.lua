local Log = require "jangada.log"
local cjson = require "cjson"
local command = require "spec.support.log_command"
local logs = require "spec.support.logs"

local must, run = command.must, command.run

describe("jangada log list", function()
  after_each(command.clean)

  it("lists all logs of a file, and nothing else", function()
    local path = command.file(function(log, db)
      logs.example(db)
      for i = 1, 3 do
        Log.open(db, { "groups", "1/" .. i }):save{ term = i, entries = logs.entries_of(i, i) }
      end
      db:update(function(tx)
        tx:create_bucket("people"):create_bucket("x.meta"):put("format", "something else")
        tx:create_bucket("numbers.meta", { keys = "integer" }):put(1, "x")
      end)
      log:save{ commit = 4 }
    end)
    assert.equal([[
  log          first  last  entries      data  term  commit
  -----------  -----  ----  -------  --------  ----  ------
  groups/1\/1      1     2        2   8 bytes     1       0
  groups/1\/2      1     2        2   8 bytes     2       0
  groups/1\/3      1     2        2   8 bytes     3       0
  replog           1     9        9  36 bytes     7       4
]], must{ "list", path })
    local rows = command.lines(must{ "list", path, "--json" })
    assert.same({ log = { "groups", "1/3" }, first = 1, last = 2, entries = 2, bytes = 8, term = 3,
      commit = 0 }, cjson.decode(rows[3]))
    assert.equal(4, #rows)
  end)

  it("says that there is none", function()
    assert.matches("there is no log\n$", must{ "list", command.file(function() end) })
    assert.equal("", must{ "list", command.file(function() end), "--json" })
  end)
end)

describe("jangada log stats", function()
  after_each(command.clean)

  it("tells bounds, sizes, hard state and snapshot", function()
    assert.equal([[
log        replog
entries    150: 151 to 300, of 3 terms
data       3.2 KiB
term       9, voted for n\xff2
commit     250
applied    100
snapshot   up to entry 200 of term 3, 195.3 KiB of data
           i\n
compacted  1 time, up to entry 150
series     n\xff
           cpu
]], must{ "stats", command.file(command.fill) })
    assert.equal([[
log        replog
entries    none; the next index is 1
data       0 bytes
term       2
commit     0
applied    0
snapshot   none
]], must{ "stats", command.file(function(log) log:save{ term = 2 } end) })
  end)

  it("tells programs", function()
    local told = cjson.decode((must{ "stats", command.file(command.fill), "--json" }))
    assert.same({ 151, 300, 150, 3, 9, 250, 100, 1 }, { told.first, told.last, told.entries,
      told.terms, told.term, told.commit, told.applied, told.compactions })
    assert.same({ index = 200, term = 3, size = 200000, info = "i\n" }, told.snapshot)
    assert.same({ base64 = "bv8y" }, told.vote)
    told = cjson.decode((must{ "stats", command.file(), "--json" }))
    assert.is_nil(told.snapshot)
    assert.equal("n2", told.vote)
  end)
end)

describe("jangada log verify", function()
  after_each(command.clean)

  local function damaged()
    return command.file(function(_, db)
      logs.example(db)
      Log.open(db, "well"):save{ term = 1, entries = logs.entries_of(1) }
      db:update(function(tx)
        tx:bucket("replog"):delete(3)
        tx:bucket("replog"):put(5, "bad")
        tx:bucket("replog.meta"):put("hard", "bad")
        tx:bucket("replog.meta"):put("run/\0\0\0\0\0\0\0\6", "bad")
      end)
    end)
  end

  it("is content with what is right", function()
    local path = command.file(command.fill)
    assert.equal(path .. ": log replog: clean (150 entries)\n", must{ "verify", path })
    assert.same({ log = { "replog" }, clean = true, entries = 150, findings = {} },
      cjson.decode((must{ "verify", path, "--json" })))
  end)

  it("tells what is wrong and where, also of a log that cannot be opened", function()
    local path = damaged()
    local code, output, messages = run{ "verify", path }
    assert.same({ 1, "" }, { code, messages })
    assert.matches("\n  3 +entry_missing   entry 3 is missing\n", output)
    assert.matches("\n  5 +entry_damaged   entry 5 is damaged: it has 3 bytes", output)
    assert.matches("\n  hard +record_damaged  the record \"hard\" is damaged\n", output)
    assert.matches("\n  run/\\x00\\x00", output)
    assert.matches(": log replog: damaged: %d+ findings\n$", output)
    assert.equal(3, (run{ "stats", path }))
    code, output = run{ "verify", path, "--json" }
    assert.equal(1, code)
    local told = cjson.decode(output)
    assert.is_false(told.clean)
    local found = {}
    for _, finding in ipairs(told.findings) do
      found[finding.code .. (math.tointeger(finding.index) or "")] = finding
    end
    assert.is_truthy(found.entry_missing3 and found.entry_damaged5)
    assert.equal("hard", told.findings[1].key)
  end)

  it("looks at one log or at all, and stops where it is told to", function()
    local path = damaged()
    assert.equal(0, (run{ "verify", path, "--log", "well" }))
    local code, output = run{ "verify", path, "--all" }
    assert.equal(1, code)
    assert.matches("log replog: damaged", output)
    assert.matches("log well: clean %(1 entry%)", output)
    output = select(2, run{ "verify", path, "--findings-max", "2" })
    assert.matches("damaged: 2 findings, and perhaps more", output)
  end)

  it("stays within 80 columns where it can", function()
    for line in select(2, run{ "verify", damaged() }):gmatch("[^\n]+") do
      assert.is_true(utf8.len(line) <= 110, line)
    end
  end)
end)
