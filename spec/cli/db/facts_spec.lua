local cjson = require "cjson"
local command = require "spec.support.db_command"

local must, run = command.must, command.run

local function sample()
  return command.file(function(tx)
    local bucket = tx:create_bucket("b", { keys = "integer" })
    local values = {}
    for i = 1, 2000 do values[i] = "value " .. i end
    bucket:append(1, values)
  end)
end

describe("jangada db info", function()
  it("tells the facts of a file in words", function()
    local path = sample()
    local output = must{ "info", path }
    for _, pattern in ipairs{ "^file +" .. path:gsub("%p", "%%%0") .. "\n",
      "\nsize +%d+ KiB %([%d,]+ bytes%)\n", "\npages +%d+ of 4 KiB\n",
      "\n  used +%d+ %(%d+ KiB%)\n", "\n  free +%d+ %(",
      "\nbuckets +1 at the top level\n", "\ntrees +2 of at most 128",
      "\nlast commit +transaction 2\n", "\nsnapshots +none" } do
      assert.matches(pattern, output)
    end
  end)

  it("tells them to programs", function()
    local path = sample()
    local facts = cjson.decode(must{ "info", path, "--json" })
    assert.equal(path, facts.file)
    assert.equal(#command.read(path), facts.file_size)
    assert.equal(facts.pages * 4096, facts.file_size)
    assert.equal(1, facts.buckets)
    assert.same({}, facts.snapshots)
  end)
end)

describe("jangada db check", function()
  it("exits with 0 when nothing is wrong", function()
    local path = sample()
    assert.matches(path .. ": clean (", must{ "check", path }, 1, true)
    local result = cjson.decode(must{ "check", path, "--json" })
    assert.is_true(result.clean)
    assert.same({}, result.findings)
  end)

  it("exits with 1 on damage, and prints page, code and message", function()
    local path = sample()
    command.scribble(path, 5 * 4096, ("\xa5"):rep(100))
    local code, output = run{ "check", path }
    assert.equal(1, code)
    local lines = command.lines(output)
    assert.matches("^  page  code +message$", lines[1])
    assert.matches("^     5  bad_page +", lines[3])
    assert.matches(path .. ": damaged: ", output, 1, true)
    local result
    code, output = run{ "check", path, "--json" }
    result = cjson.decode(output)
    assert.equal(1, code)
    assert.is_false(result.clean)
    assert.equal(5, result.findings[1].page)
    assert.equal("bad_page", result.findings[1].code)
  end)

  it("tells as many findings as it is asked for, and how many more there are", function()
    local path = sample()
    for page = 5, 9 do command.scribble(path, page * 4096, ("\xa5"):rep(100)) end
    local code, output = run{ "check", path, "--findings-max", "2" }
    assert.equal(1, code)
    assert.matches("The first 2 are shown", output)
    code, output = run{ "check", path, "--findings-max", "2", "--json" }
    assert.equal(1, code)
    local result = cjson.decode(output)
    assert.equal(2, #result.findings)
    assert.is_true(result.more > 0)
  end)

  it("explains its codes", function()
    assert.matches("\n  double_use +A page is used twice", must{ "check", "--codes" })
    local codes = cjson.decode(must{ "check", "--codes", "--json" })
    assert.equal("bad_count", codes[1].code)
  end)

  it("wants a file", function()
    local code, _, message = run{ "check" }
    assert.equal(2, code)
    assert.matches("no file is named", message)
    code, _, message = run{ "check", "/nonexistent/x.db" }
    assert.equal(2, code)
    assert.matches("/nonexistent/x.db: No such file", message, 1, true)
  end)

  it("shows progress on standard error, where the file is large", function()
    local path = command.file(function(tx)
      local bucket = tx:create_bucket("b", { keys = "integer" })
      for i = 1, 64 do bucket:put(i, ("x"):rep(1 << 20)) end
    end)
    local session = require "jangada.cli.db.session"
    local clock, seconds, shown = os.clock, 0, {}
    os.clock = function() -- luacheck: ignore 122
      seconds = seconds + 1
      return seconds
    end
    local screens = require "jangada.cli.screen"
    local new = screens.new
    screens.new = function(stream)
      assert(stream == io.stderr)
      return { progress = function(_, done, total) shown[#shown + 1] = { done, total } end,
        clear = function() shown.is_cleared = true end }
    end
    local ok, failure = pcall(function()
      local show, done = session.progress{}
      require("jangada.store").check(path, { progress = function(at, total)
        show(at, total, "")
      end })
      done()
    end)
    os.clock, screens.new = clock, new -- luacheck: ignore 122
    assert(ok, failure)
    assert.is_true(#shown > 2 and shown.is_cleared)
    assert.equal(shown[#shown][2], shown[#shown][1])
  end)
end)
