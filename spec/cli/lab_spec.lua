local process = require "spec.support.process"

describe("jangada lab run", function()
  local function scenario(text)
    local path = process.directory() .. "/scenario.lua"
    process.write(path, text)
    return process.jangada("lab run " .. path)
  end

  it("runs a scenario and prints nodes, counts and the trace hash", function()
    local code, output = process.jangada("lab run --duration 2000 examples/raft_scenario.lua")
    assert.equal(0, code, output)
    assert.truthy(output:find("\n  n5 "))
    assert.truthy(output:find("trace hash %x+\nclient c1: %d+ commands acknowledged"))
    assert.truthy(output:find("\nno violation\n"))
  end)

  it("takes the seed from the command line, and gives one hash for one seed", function()
    local function hash(seed)
      local _, output = process.jangada("lab run --quiet --duration 1000 --seed " .. seed
        .. " examples/raft_scenario.lua")
      return assert(output:match("trace hash (%x+)"), output)
    end
    assert.equal(hash(3), hash(3))
    assert.not_equal(hash(3), hash(4))
  end)

  it("exits with 1 on a verdict, and prints it with the traceback", function()
    local code, output = scenario([[
      return {nodes = 1, protocol = {name = "bad", source = [=[
        return function(node) node:after(5, function() error("on purpose") end) end
      ]=]}}]])
    assert.equal(1, code)
    assert.truthy(output:find("VERDICT handler_error at 5.000 ms on n1: ", 1, true), output)
    assert.truthy(output:find("on purpose", 1, true))
    assert.truthy(output:find("stack traceback", 1, true))
  end)

  it("lets a scenario run the world itself", function()
    local code, output = scenario([[
      return {nodes = 2, protocol = {name = "idle", source = "return function() end"},
        script = function(world) world:crash(2) world:run(10) end}]])
    assert.equal(0, code, output)
    assert.truthy(output:find("n2 +down"), output)
  end)

  for what, case in pairs{
    ["a missing file"] = { nil, "No such file" },
    ["a file that does not compile"] = { "return {", "scenario.lua:1:" },
    ["a file that raises"] = { "error('no')", "scenario.lua:1: no" },
    ["a file that returns no table"] = { "return 7", "returns a table, not a number" },
  } do
    it("refuses " .. what .. " with exit code 2", function()
      local code, output
      if case[1] then
        code, output = scenario(case[1])
      else
        code, output = process.jangada("lab run /nonexistent.lua")
      end
      assert.equal(2, code, output)
      assert.truthy(output:find(case[2], 1, true), output)
    end)
  end

  it("refuses an option that lab.new does not know", function()
    local code, output = scenario("return {sed = 1}")
    assert.equal(2, code)
    assert.truthy(output:find("no option sed", 1, true), output)
  end)
end)

describe("jangada", function()
  it("prints the versions", function()
    local code, output = process.jangada("--version")
    assert.equal(0, code)
    assert.truthy(output:find("^jangada %d+%.%d+%.%d+, LMDB 0%.9%.%d+, Lua 5%.4\n$"), output)
  end)

  it("prints help, of each subcommand too, with exit code 0", function()
    for _, arguments in ipairs{ "--help", "demo --help", "lab --help", "lab run --help" } do
      local code, output = process.jangada(arguments)
      assert.equal(0, code)
      assert.truthy(output:find("^Usage: jangada"), output)
    end
  end)

  it("exits with 2 where it is not understood", function()
    for _, arguments in ipairs{ "", "nonsense", "demo a b", "lab", "--nonsense" } do
      assert.equal(2, (process.jangada(arguments)), arguments)
    end
  end)
end)
