local process = require "spec.support.process"

describe("jangada log", function()
  after_each(process.clean)

  it("lists its verbs", function()
    local code, output = process.jangada("log --help")
    assert.equal(0, code)
    for _, verb in ipairs{ "append", "tail", "dump", "list", "stats", "verify", "compact", "copy",
      "export", "import" } do
      assert.matches("\n   " .. verb .. " +%u", output)
    end
    for line in output:gmatch("[^\n]+") do assert.is_true(#line <= 80, line) end
  end)

  it("refuses what it does not know, with the usage of what it does", function()
    local code, output = process.jangada("log")
    assert.equal(2, code)
    assert.matches("Usage: jangada log ", output)
    code, output = process.jangada("log stats")
    assert.equal(2, code)
    assert.matches("Usage: jangada log stats ", output)
    code, output = process.jangada("log append x.db --batch 0")
    assert.equal(2, code)
    assert.matches("%-%-batch is at least 1", output)
  end)

  it("can be interrupted while it is loaded, too, and a fault then is no missing module", function()
    local function load(module, failure)
      local pipe <close> = assert(io.popen(([[
        LUA_INIT="package.preload['%s'] = function() error('%s', 0) end" LUA_CPATH='%s/?.so;;' \
          lua5.4 bin/jangada log list x.db 2>&1; echo "exit $?"]]):format(module, failure,
        os.getenv("BUILD") or "build")))
      return pipe:read("a")
    end
    for _, module in ipairs{ "jangada.cli", "jangada.store", "argparse", "jangada.cli.log" } do
      assert.equal("\njangada: interrupted\nexit 130\n", load(module, "interrupted!"), module)
    end
    assert.matches("^a fault\nstack traceback:.*\nexit 1\n$", load("argparse", "a fault"))
  end)

  it("names the file in what it says of one that is none", function()
    local path = process.directory() .. "/text"
    process.write(path, ("no store\n"):rep(2000))
    for _, verb in ipairs{ "stats", "tail", "verify", "list", "export", "compact" } do
      local code, output = process.jangada(("log %s %s"):format(verb, path))
      assert.equal(2, code, output)
      assert.matches("^jangada log " .. verb .. ": ", output)
      assert.is_truthy(output:find(path, 1, true), output)
    end
  end)
end)
