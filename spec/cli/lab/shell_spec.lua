local command = require "spec.support.lab_command"
local commands = require "jangada.cli.lab.shell.commands"
local fresh = require "spec.support.fresh"
local process = require "spec.support.process"

local RAFT <const> = "protocol jangada.raft.protocol\noptions machine=list\nseed 1\n"

-- Runs the shell on lines of standard input.
local function shell(lines, header)
  local path, directory = command.scenario((header or RAFT), "a.scenario")
  local code, output = process.jangada("lab shell " .. path, lines)
  return code, output, directory
end

describe("jangada lab shell", function()
  it("does what lines say, and says what happened", function()
    local code, output = shell("within 1s leader\ncrash leader\nrun 1s\nexpect leader\nstate\n")
    assert.equal(0, code, output)
    assert.matches("> within 1s leader\n.-n(%d) leads in term 1\n.-> crash leader\n.-n%1 +CRASH\n",
      output)
    assert.matches("> expect leader\n.-n%d leads in term %d", output)
    assert.matches("  down\n", output)
    assert.not_matches("help", output) -- neither greeting nor prompt
  end)

  it("takes steps back, shows those that are left, and saves them", function()
    local code, output, directory = shell(
      "run 1s\ncrash 1\ncrash 2\nback 2\nsteps\ncrash 3\nback\nsave b.scenario\n" ..
      "save b.scenario\n")
    assert.equal(2, code)
    assert.matches("1 step, at 1.000 s\n   1  run 1s\n", output)
    assert.matches("b.scenario: 1 step\n", output, 1, true)
    assert.matches("line 9: b.scenario is there; save over b.scenario replaces it", output, 1, true)
    assert.equal(RAFT .. "\nrun 1s\n", command.read("b.scenario"))
    os.remove("b.scenario")

    local saved = directory .. "/c.scenario"
    code, output = shell(("run 1s\nsave %s\ncrash 1\nsave over %s\nquit\ncrash 2\n"):format(saved,
      saved))
    assert.equal(0, code, output)
    assert.equal(RAFT .. "\nrun 1s\ncrash 1\n", command.read(saved))
    assert.equal(0, (process.jangada("lab run " .. saved)))
  end)

  it("ends with exit code 2 where a line is wrong, and does no more", function()
    for line, message in pairs{
      ["crush 1"] = "line 2: there is no verb crush; is it crash?",
      ["back 7"] = "line 2: there are 1 steps to take back",
    } do
      local code, output = shell("run 10ms\n" .. line .. "\nrun 20ms\n")
      assert.equal(2, code, output)
      assert.matches(message, output, 1, true)
      assert.not_matches("run 20ms", output)
    end
  end)

  it("ends with exit code 1 where the run has gone wrong, unless one goes back", function()
    local code, output = shell("expect leader\n")
    assert.equal(1, code)
    assert.matches("VERDICT expectation_failed at 0.000 ms: expect leader: nobody leads", output)
    assert.equal(0, (shell("expect leader\nback\n")))
  end)

  it("does the steps of a text first, takes a scenario in Lua, and a seed", function()
    local code, output = shell("steps\n", RAFT .. "run 100ms\n")
    assert.equal(0, code)
    assert.matches("> run 100ms\n   1  run 100ms\n", output)
    code, output = process.jangada("lab shell examples/raft_scenario.lua --seed 9",
      "run 100ms\nback\nhelp nonsense\nsave /nonexistent/a.scenario\n")
    assert.equal(2, code, output)
    assert.matches("line 3: there is no nonsense", output)
    code, output = process.jangada("lab shell examples/raft_scenario.lua",
      "save /nonexistent/a.scenario\n")
    assert.equal(2, code, output)
    assert.matches("line 1: /nonexistent/a.scenario.new: No such file", output, 1, true)
    assert.equal(2, (process.jangada("lab shell /nonexistent.lua", "")))
  end)

  it("has help for each word", function()
    local code, output = shell("help\nhelp slow\nhelp expect\nhelp save\n")
    assert.equal(0, code, output)
    assert.matches("\n  back %[COUNT%] +takes the last step back", output)
    assert.matches("\nslow\n  slow NODES > NODES LAW +another delay on these links\n"
      .. "  NODES  a node %(1 to 3.-\n  LAW  a delay: 5ms", output)
    assert.matches("What is expected\n.-  log equal %[NODES%] ", output)
    assert.matches("  save %[over%] WORD ", output)
  end)

  it("speaks with a person on a terminal", function()
    if os.execute("command -v script > /dev/null 2>&1") ~= true then
      return pending("script is missing (Debian: bsdutils)")
    end
    local path = command.scenario(RAFT, "a.scenario")
    local build = os.getenv("BUILD") or "build"
    local pipe <close> = assert(io.popen(("printf 'crush 1\\nrun 100ms\\nquit\\n' | "
      .. "HOME=%s LUA_CPATH='%s/?.so;;' script -qec 'lua5.4 bin/jangada lab shell %s' /dev/null "
      .. "2>&1; echo exit $?"):format(process.directory(), build, path)))
    local output = pipe:read("a")
    assert.matches("3 nodes of .*seed 1%. help says what there is", output)
    assert.matches("is it crash?", output, 1, true) -- and goes on
    assert.matches("0.100 s> ", output, 1, true)
    assert.matches("exit 0\n$", output)
  end)
end)

describe("docs/shell.md", function()
  local text = command.read("docs/shell.md")

  it("shows what is printed", function()
    local block = text:match("\n```\n(%$ jangada lab shell .-)\n```\n")
    local lines, expected = {}, {}
    for line in block:gmatch("[^\n]+") do
      local typed = line:match("^[%d.]+ s> (.*)")
      if typed then lines[#lines + 1] = typed end
      if not typed and not line:find("^%$") and line ~= "..." then
        expected[#expected + 1] = line
      end
    end
    local directory = process.directory()
    local typed = table.concat(lines, "\n"):gsub("save ", "save " .. directory .. "/")
    local code, output = process.jangada(block:match("^%$ jangada ([^\n]+)"), typed)
    assert.equal(0, code, output)
    local from = 1
    for _, line in ipairs(expected) do
      local _, last = output:find(line, from, true)
      assert(last, ("%s\nis not in\n%s"):format(line, output:sub(from)))
      from = last + 1
    end
  end)

  it("has a command that runs", function()
    local script = text:match("```sh\n(printf .-)```"):gsub("jangada lab shell", "lua5.4 bin/%0")
    local build = os.getenv("BUILD") or "build"
    assert.is_true(os.execute(("export LUA_CPATH='%s/?.so;;'\n%s"):format(build,
      script:gsub("%s+$", "") .. " > /dev/null 2>&1")))
  end)
end)

describe("a line of the shell", function()
  local scope = { nodes = 2, names = { old = true } }

  local function candidates(before) return table.concat(commands.candidates(before, scope), " ") end

  for line, message in pairs{
    ["back x"] = "x is not what can stand there", ["save"] = "something missing",
    ["quit 1"] = "1 is too much", ["help a b"] = "b is too much",
  } do
    it(("is refused when it is wrong: %s"):format(line), function()
      assert.matches(message, fresh.raises("input_invalid", commands.read, line, scope))
    end)
  end

  it("is a command of the shell's own, or none", function()
    local own, args = commands.read("save over a.scenario", scope)
    assert.same({ "save", "a.scenario" }, { own.name, args[1] })
    for _, verb in ipairs{ "crash 1", "", 'x "' } do
      assert.is_nil((commands.read(verb, scope)))
    end
  end)

  it("can be completed", function()
    assert.matches("^back bridge capacity clock_.* crash .* within$", candidates(""))
    assert.equal(candidates(""), candidates("help "))
    assert.equal("1 2 follower leader old *", candidates("crash "))
    assert.equal("1 2 follower leader old * >", candidates("slow 1 "))
    assert.matches("^answer committed leader log equal", candidates("expect "))
    assert.matches("^answer committed leader log equal", candidates("within 1s "))
    assert.equal("over", candidates("save "))
    assert.equal("on off", candidates("fifo "))
    assert.equal("", candidates("nonsense "))
    assert.equal("", candidates("crash nonsense "))
  end)
end)
