local command = require "spec.support.lab_command"

local function campaign(path, ...)
  return command.run{"campaign", path, "--jobs", "2", ...}
end

-- The results in a file, without its first line, by seed.
local function results(path)
  local lines = command.lines(command.read(path))
  table.remove(lines, 1)
  table.sort(lines)
  return lines
end

local function seeds_of(path)
  local list = {}
  for i, object in ipairs(command.objects(path)) do list[i - 1] = object.seed end
  return list
end

-- A scenario whose client runs `body`, with `seed` and `once(name)`: true the first time.
local function with_client(body)
  local path, directory = command.scenario("")
  command.write(path, ([[
    local function once(name)
      local path = %q .. "/" .. name
      local file = io.open(path)
      if file then return file:close() and false end
      assert(io.open(path, "w")):close()
      return true
    end
    return {nodes = 1, duration_ms = 5, protocol = {name = "idle", source =
      "return function(node) node.state = {} end"}, clients = {function(client)
        local seed = client.world.seed
        %s
      end}}]]):format(directory, body))
  return path, directory
end

-- Ten of a hundred drawn numbers fail.
local FAILING <const> = "if drawn < 10 then error('small') end"

describe("jangada lab campaign #big", function()
  it("runs every seed once, and says what failed, grouped, with how to see it again", function()
    local path, directory = command.scenario(command.ticking(FAILING
      .. " if drawn > 50 then node:reached('large') end"
      .. " if drawn > 500 then node:reached('huge') end"))
    local code, output = campaign(path, "--seeds", "1-120", "--json", directory .. "/r")
    assert.equal(1, code, output)
    local failed = {}
    for i, object in ipairs(command.objects(directory .. "/r")) do
      if i > 1 and object.verdict.kind then failed[#failed + 1] = object.seed end
    end
    table.sort(failed)
    assert.equal(120, #results(directory .. "/r"))
    assert.is_true(#failed > 3)
    assert.matches(("\nVIOLATION handler_error, %d seeds: %d %d "):format(#failed, failed[1],
      failed[2]), output, 1, true)
    assert.matches(("\n  again: jangada lab run %s --seed %d\n"):format(path, failed[1]), output, 1,
      true)
    assert.matches("\nmarks: large [%d,]+\nNEVER REACHED: huge\n", output)
    assert.matches(("\n120 seeds: %d passed, %d violations\n$"):format(120 - #failed, #failed),
      output)
    local again = command.must(1, {"run", path, "--seed", tostring(failed[1]), "--quiet"})
    assert.matches("VERDICT handler_error", again, 1, true)
  end)

  it("tells of the seeds whose worlds were hopeless", function()
    local path, directory = command.scenario([[return function(chance)
      local drawn = chance:choose(4)
      return {nodes = 1, hopeless = drawn < 2, duration_ms = 5,
        protocol = {name = "idle", source = "return function() end"}, script = function(world)
          if drawn % 2 == 0 then world:fail{kind = "wrong", message = "drawn"} end
        end}
    end]])
    local code, output = campaign(path, "--seeds", "1-20", "--json", directory .. "/r",
      "--junit", directory .. "/j")
    assert.equal(1, code, output)
    local hopeless, failed, both = 0, 0, 0
    for i, object in ipairs(command.objects(directory .. "/r")) do
      local is_failed = i > 1 and object.verdict.kind
      if object.hopeless == true then hopeless = hopeless + 1 end
      if is_failed then failed = failed + 1 end
      if is_failed and object.hopeless == true then both = both + 1 end
    end
    assert.is_true(both > 0 and both < failed and both < hopeless and hopeless < 20)
    assert.matches(("\nVIOLATION wrong, %d seeds, %d of hopeless worlds: "):format(failed, both),
      output, 1, true)
    assert.matches(("\nHOPELESS: in %d seeds there might be what no protocol has to survive\n")
      :format(hopeless), output, 1, true)
    local _, count = command.read(directory .. "/j"):gsub("\nin a hopeless world\n", "")
    assert.equal(both, count)
    assert.matches("HOPELESS: in " .. hopeless, command.must(1, {"merge", directory .. "/r"}))
  end)

  it("has the same results however many processes there are, and resumed", function()
    local path, directory = command.scenario(command.ticking(FAILING))
    local function file(name) return directory .. "/" .. name end
    campaign(path, "--seeds", "1-60", "--json", file("two"))
    command.run{"campaign", path, "--jobs", "1", "--seeds", "1-60", "--json", file("one")}
    assert.same(results(file("one")), results(file("two")))
    campaign(path, "--seeds", "10-20", "--json", file("parts"))
    campaign(path, "--seeds", "1-60", "--json", file("parts"))
    assert.same(results(file("one")), results(file("parts")))
  end)

  it("goes on where it was killed", function()
    local path, directory = with_client([[
      if seed == 23 and once("killed") then
        os.execute("kill -9 $(read a b c d e < /proc/$PPID/stat; echo $d)")
        os.execute("sleep 0.2")
      end]])
    local file = directory .. "/r"
    campaign(path, "--seeds", "1-40", "--json", file)
    local before = #results(file)
    -- No worker was given seed 23 before the first four seeds of one were written.
    assert.is_true(before >= 4 and before < 40, before)
    command.write(file, command.read(file) .. '{"seed":39,"ha') -- as a torn write leaves it
    local code, output = campaign(path, "--seeds", "1-40", "--json", file)
    assert.equal(0, code, output)
    assert.matches(("r: %d seeds finished before\n"):format(before), output)
    assert.matches(("\n%d seeds in "):format(40 - before), output)
    assert.matches("\n40 seeds: 40 passed\n$", output)
    local seeds = seeds_of(file)
    table.sort(seeds)
    assert.equal(40, #seeds)
    for i = 1, 40 do assert.equal(i, seeds[i]) end
  end)

  it("shares its file with another campaign", function()
    local path, directory = with_client("os.execute('sleep 0.02')")
    local file = directory .. "/r"
    command.must(0, {"campaign", path, "--seeds", "1", "--json", file})
    command.run({"campaign", path, "--seeds", "1-15", "--json", file}, ("& LUA_CPATH='%s/?.so;;' "
      .. "lua5.4 bin/jangada lab campaign %s --seeds 16-30 --json %s; wait"):format(
      os.getenv("BUILD") or "build", path, file))
    assert.equal(30, #results(file))
    assert.matches("\n30 seeds: 30 passed\n$", command.must(0, {"merge", file}))
  end)

  it("stops at Ctrl-C with what it has", function()
    local path, directory = with_client([[
      if seed == 7 then os.execute("kill -INT $(read a b c d e < /proc/$PPID/stat; echo $d)") end
      if seed > 7 then os.execute("sleep 0.02") end]])
    local code, output = campaign(path, "--seeds", "1-100000", "--json", directory .. "/r",
      "--junit", directory .. "/j")
    assert.equal(130, code, output)
    local count = #results(directory .. "/r")
    assert.matches(("INTERRUPTED: [%%d,]+ seeds left\n%d seeds: %d passed\n$"):format(count, count),
      output)
    local _, cases = command.read(directory .. "/j"):gsub("<testcase", "")
    assert.equal(count, cases)
  end)

  it("does not wait for long for seeds that run when it stops", function()
    local path = with_client([[
      if seed == 3 then
        os.execute("kill -INT $(read a b c d e < /proc/$PPID/stat; echo $d); exec sleep 100")
      end]])
    local code, output = campaign(path, "--seeds", "3")
    assert.equal(130, code, output)
    assert.matches("INTERRUPTED: 1 seed left", output, 1, true)
  end)

  it("tells of a worker that dies, and counts its seed", function()
    local path, directory = with_client([[
      if seed == 5 then os.execute("kill -9 $PPID") os.execute("sleep 0.1") end
      if seed == 6 then os.execute("kill -ALRM $PPID; kill -ALRM $PPID") os.execute("sleep 1") end
      if seed == 9 then os.exit(7) end
      if seed == 11 then os.exit(0) end]])
    local code, output = campaign(path, "--seeds", "1-20", "--json", directory .. "/r")
    assert.equal(2, code, output)
    assert.matches("UNKNOWN worker_died, 3 seeds: 5 9 11\n  seed 5: the process ended: killed by "
      .. "signal 9\n", output, 1, true)
    assert.matches("UNKNOWN time_exceeded, 1 seed: 6\n", output, 1, true)
    assert.matches("\n20 seeds: 16 passed, 4 unknown\n$", output)
    assert.equal(20, #results(directory .. "/r"))
  end)

  it("calls nothing a failure that a signal may have caused", function()
    local path = with_client("if seed == 5 then os.execute('kill -TERM $PPID') "
      .. "error('interrupted by it') end")
    local code, output = campaign(path, "--seeds", "1-10")
    assert.equal(2, code, output)
    assert.matches("UNKNOWN worker_died, 1 seed: 5\n", output, 1, true)
    assert.matches("\n10 seeds: 9 passed, 1 unknown\n$", output)
  end)

  it("ends a seed that does not end, and says where it was", function()
    local path = command.scenario(command.ticking(
      "if node.state.count == 3 then while true do pcall(error, 'x') end end"))
    local code, output = campaign(path, "--seeds", "1", "--seed-time", "1")
    assert.equal(2, code, output)
    assert.matches("UNKNOWN time_exceeded, 1 seed: 1\n  seed 1: the seed took more than 1 s\n",
      output, 1, true)
    assert.matches("\n    ticker:6: in ", output, 1, true)
  end)

  it("runs seeds again of which nothing is known, though the code is the same", function()
    local path, directory = with_client([[
      if seed == 2 and once("died") then os.execute("kill -9 $PPID") os.execute("sleep 0.1") end]])
    assert.equal(2, (campaign(path, "--seeds", "1-4", "--json", directory .. "/r")))
    local code, output = campaign(path, "--seeds", "1-4", "--json", directory .. "/r")
    assert.equal(0, code, output)
    assert.matches("1 seed first that did not pass before\n", output, 1, true)
    assert.matches("\n1 seed in ", output, 1, true)
  end)

  it("begins with the seeds that failed when the code has changed", function()
    local path, directory = command.scenario(command.ticking(FAILING))
    local file = directory .. "/r"
    campaign(path, "--seeds", "1-80", "--json", file)
    local failed = {}
    for _, object in ipairs(command.objects(file)) do
      if object.verdict and object.verdict.kind then failed[#failed + 1] = object.seed end
    end
    table.sort(failed)
    command.write(path, command.ticking("if drawn < 3 then error('smaller') end"))
    local _, output = command.run{"campaign", path, "--jobs", "1", "--seeds", "1-80", "--json",
      file}
    assert.matches(("the code has changed: %d seeds first that did not pass before\n"):format(
      #failed), output)
    local now = seeds_of(file)
    assert.equal(80, #now)
    assert.same(failed, {table.unpack(now, 1, #failed)})
  end)

  it("runs all seeds again when it is told to, those that failed first", function()
    local path, directory = command.scenario(command.ticking(FAILING))
    local file = directory .. "/r"
    campaign(path, "--seeds", "1-40", "--json", file)
    local before = results(file)
    local _, output = campaign(path, "--seeds", "1-40", "--json", file)
    assert.matches("\n0 seeds in ", output)
    _, output = campaign(path, "--seeds", "1-40", "--json", file, "--again")
    assert.matches("\n40 seeds in ", output)
    assert.matches("seeds? first that did not pass before\n", output)
    assert.same(before, results(file))
  end)

  it("ends when its time is up, or with the first violation", function()
    local path = command.scenario(command.ticking(""))
    local code, output = campaign(path, "--seeds", "1-100000000", "--time", "0.1")
    assert.equal(0, code, output)
    assert.matches("\nthe time is up: [%d,]+ seeds left\n", output)
    path = command.scenario(command.ticking(FAILING))
    code, output = campaign(path, "--seeds", "1-100000000", "--until-failure")
    assert.equal(1, code, output)
    assert.matches("\nstopped at the first violation: [%d,]+ seeds left\n", output)
  end)

  it("prints the first failure of a kind when it happens, and how far it is", function()
    local path = command.scenario(command.ticking(FAILING .. " print('noise') io = nil"))
    local _, output = campaign(path, "--seeds", "1-200")
    local _, told = output:gsub("\nseed %d+: handler_error: ticker:6: small\n", "")
    assert.equal(1, told)
    assert.matches("\n +%d+%%  %d+/200 seeds  [%d.,]+/s", output)
    assert.is_nil(output:find("noise", 1, true))
    assert.is_nil(output:find("\27", 1, true))
  end)

  it("draws one line over and over on a terminal", function()
    local path, directory = command.scenario(command.ticking(FAILING))
    command.run({"--help"}, (";script -qc 'lua5.4 bin/jangada lab campaign "
      .. "%s --seeds 1-200' %s/screen"):format(path, directory))
    local screen = command.read(directory .. "/screen")
    assert.matches("\r\27[K", screen, 1, true)
    for frame in screen:gmatch("\r\27%[K([^\r]*/200 seeds[^\r]*)") do
      assert.is_true(#frame < 80)
    end
    assert.matches("200 seeds: %d+ passed", screen)
  end)

  it("says that the harness failed when the scenario does", function()
    local path = with_client("if seed == 4 then error('in the client') end")
    local code, output = campaign(path, "--seeds", "1-9")
    assert.equal(3, code, output)
    assert.matches("ERROR scenario_failed, 1 seed: 4\n", output, 1, true)
    assert.matches("in the client", output, 1, true)
    assert.matches("\n9 seeds: 8 passed, 1 error\n$", output)
  end)

  it("refuses what cannot be used, before any seed is run", function()
    local path, directory = command.scenario(command.ticking(""))
    local bad = command.scenario("return {sed = 1, protocol = {source = 'return 1'}}")
    command.write(directory .. "/other", "{}\n")
    for _, case in ipairs{
      {{path, "--seeds", "9-1"}, "seeds are A-B"},
      {{path, "--seeds", "1-9", "--shard", "10/9"}, "a shard is I/N"},
      {{path, "--seeds", "1", "--shard", "2/2"}, "the shard has no seeds"},
      {{path, "--time", "soon"}, "--time takes seconds"},
      {{path, "--jobs", "0"}, "--jobs is at least 1"},
      {{path, "--json", "/nonexistent/r"}, "No such file"},
      {{path, "--junit", "/nonexistent/r"}, "No such file"},
      {{path, "--json", directory .. "/other"}, "not that of a campaign's results"},
      {{bad}, "lab.new has no option sed"},
      {{"/nonexistent.lua"}, "No such file"},
    } do
      local code, output, messages = campaign(table.unpack(case[1]))
      assert.equal(2, code, output .. messages)
      assert.matches(case[2], messages, 1, true)
    end
    assert.equal("{}\n", command.read(directory .. "/other"))
  end)
end)
