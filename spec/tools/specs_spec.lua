-- tools/specs, which runs spec files side by side, on files made for it.
local process = require "spec.support.process"

local build = os.getenv("BUILD") or "build"

-- A directory of spec files: {name = the body of a `describe`, ...}.
local function write_specs(bodies)
  local directory = process.directory()
  for name, body in pairs(bodies) do
    process.write(("%s/%s_spec.lua"):format(directory, name),
      ("local D = %q\ndescribe(%q, function()\n%s\nend)\n"):format(directory, name, body))
  end
  return directory
end

-- Runs bash with D, the directory, and gives what it printed and its exit code.
local function bash(directory, script)
  process.write(directory .. "/script", ("unset LD_PRELOAD PRELOAD\nD=%s\nexport BUILD=%s\n%s")
    :format(process.quote(directory), process.quote(build), script))
  local pipe <close> = assert(io.popen(("exec timeout 60 bash %s/script 2>&1"):format(
    process.quote(directory))))
  local output = pipe:read("a")
  return output, select(3, pipe:close())
end

-- Runs spec files; further words of the command may come before their directory.
local function run(bodies, words)
  local directory = write_specs(bodies)
  local output, code = bash(directory, ("JOBS=2 exec tools/specs %s $D"):format(words or ""))
  assert.is_nil(output:find("unbound variable", 1, true), output)
  return output, code, output:match("([^\n]*)\n$")
end

local passes = [[ it("holds", function() assert.is_true(true) end) ]]
local fails = [[ it("breaks", function() error("because of " .. 7 * 6) end) ]]
local pends = [[ pending("waits for something") ]]
local dies = [[
  it("holds", function() end)
  it("dies", function() os.execute("kill -9 $PPID") end)
]]

describe("tools/specs #big", function()
  it("adds up what its processes say, in one line", function()
    local output, code, last = run{ one = passes .. passes, two = passes, three = pends }
    assert.same({ 0, "3 passed, 0 failed, 1 skipped" }, { code, last })
    assert.equal(1, select(2, output:gsub("\n%d+ passed, ", "")))
    assert.matches("%[3/3%] ", output)
    assert.matches("one_spec.lua: 2 passed, 0 failed, 0 skipped", output)
    assert.matches("PENDING [^\n]*three_spec.lua:3: three waits for something\n", output)
  end)

  it("fails when a spec does, and shows why", function()
    local output, code, last = run{ one = passes, two = passes .. fails }
    assert.same({ 1, "2 passed, 1 failed, 0 skipped" }, { code, last })
    assert.matches("FAILED [^\n]*two_spec.lua:3: two breaks\n  [^\n]*because of 42\n", output)
    assert.matches("\nFAILED: [^\n]*two_spec.lua\n", output)
    assert.is_nil(output:find("FAILED: [^\n]*one_spec"))
  end)

  it("fails when a file is no Lua, or raises", function()
    local _, code, last = run{ one = passes, two = "not Lua" }
    assert.same({ 1, "1 passed, 1 failed, 0 skipped" }, { code, last })
    local output
    output, code, last = run{ one = passes, two = "error('at once')" }
    assert.same({ 1, "1 passed, 1 failed, 0 skipped" }, { code, last })
    assert.matches("at once", output)
  end)

  it("fails when a process dies, and says which", function()
    local output, code, last = run{ one = passes, two = fails .. dies }
    assert.same({ 1, "1 passed, 1 failed, 0 skipped" }, { code, last })
    assert.matches("\nFAILED: [^\n]*two_spec.lua: died of signal 9, before its end\n", output)
    assert.matches("because of 42", output) -- what it had said until then is shown
  end)

  it("fails when a process dies after its last spec", function()
    local output, code, last = run{ one = passes, two = passes .. [[
      debug.getregistry().last = setmetatable({}, {
        __gc = function() os.execute("kill -9 $PPID") end,
      })
    ]] }
    assert.same({ 1, "2 passed, 1 failed, 0 skipped" }, { code, last })
    assert.matches("two_spec.lua: died of signal 9, after its last spec\n", output)
    output, code, last = run{ one = passes .. "it('exits', function() os.exit(0) end)" }
    assert.same({ 1, "0 passed, 1 failed, 0 skipped" }, { code, last })
    assert.matches("one_spec.lua: exit code 0, before its end\n", output)
  end)

  it("fails when nothing was run, but not because of one file", function()
    for _, bodies in ipairs{ {}, { one = "" }, { one = passes } } do
      local output, code, last = run(bodies, "--tags=nothing")
      assert.same({ 1, "0 passed, 1 failed, 0 skipped" }, { code, last })
      assert.matches("no spec was run", output)
    end
    local output, code, last = run({ one = passes, two = "it('is slow #slow', function() end)" },
      "--run=all --tags=slow")
    assert.same({ 0, "1 passed, 0 failed, 0 skipped" }, { code, last })
    assert.is_nil(output:find("one_spec", 1, true))
  end)

  it("refuses what it does not understand", function()
    for words, message in pairs{
      ["JOBS=0 tools/specs $D"] = "JOBS is a number of processes, not '0'",
      ["JOBS=all tools/specs $D"] = "JOBS is a number of processes, not 'all'",
      ["tools/specs --run=nothing"] = ".busted has no run nothing",
      ["tools/specs $D/missing $D"] = "missing",
    } do
      local output, code = bash(write_specs{ one = passes }, words)
      assert.equal(2, code, output)
      assert.is_truthy(output:find(message, 1, true), output)
      assert.is_nil(output:find("passed", 1, true), output)
    end
  end)

  -- Each waits until the other has begun.
  it("runs two at a time, and mixes nothing of what they print", function()
    local bodies = {}
    for name, other in pairs{ one = "two", two = "one" } do
      bodies[name] = ([[
        it("waits", function()
          print("%s begins")
          io.stdout:flush()
          io.open(D .. "/%s", "w"):close()
          for i = 1, 1000 do
            if io.open(D .. "/%s") then break end
            assert(i < 1000 and os.execute("sleep 0.02"))
          end
          print("%s ends")
        end)]]):format(name, name, other, name)
    end
    local output, code = run(bodies)
    assert.equal(0, code, output)
    for _, name in ipairs{ "one", "two" } do
      assert.is_truthy(output:find(("%s begins\n%s ends\n"):format(name, name), 1, true), output)
    end
  end)

  it("lets its processes have the signals of any process", function()
    local directory = write_specs{ one = [[
      it("ignores none of them", function()
        for line in io.lines("/proc/self/status") do
          local ignored = line:match("^SigIgn:%s*(%x+)")
          if ignored then assert.equal(0, tonumber(ignored, 16) & 6) end
        end
      end)]] }
    local output, code = bash(directory, "trap '' INT QUIT; exec tools/specs $D")
    assert.equal(0, code, output)
  end)

  for name, number in pairs{ INT = 130, TERM = 143, HUP = 129 } do
    it(("leaves nothing running when SIG%s ends it"):format(name), function()
      -- timeout makes a process group of its own.
      local directory = write_specs{ one = passes, two = [[
        it("hangs", function()
          os.execute("echo $$ $PPID > " .. D .. "/first; timeout 50 sh -c 'echo $$ $PPID > "
            .. D .. "/pids; mv " .. D .. "/pids " .. D .. "/started; sleep 49; true'")
        end)]] }
      local output, code = bash(directory, ([[
        JOBS=2 env --default-signal=INT tools/specs $D & specs=$!
        until [ -e $D/started ]; do sleep 0.02; done
        kill -%s $specs
        wait $specs
        code=$?
        [ $(cat $D/first $D/started | wc -w) = 4 ] || echo "left: who knows"
        for pid in $(cat $D/first $D/started); do
          { read -r line < /proc/$pid/stat; } 2> /dev/null || continue
          case ${line##*) } in Z*) ;; *) echo "left: $line" ;; esac
        done
        exit $code
      ]]):format(name))
      assert.equal(number, code, output)
      assert.is_nil(output:find("left", 1, true), output)
      assert.is_nil(output:find("\n%d+ passed"), output)
    end)
  end
end)
