local command = require "spec.support.lab_command"

local HEADER <const> = '{"kind":"campaign","format":"jangada.campaign 1","scenario":"s.lua",'
  .. '"code":"%s","versions":"v"}\n'

-- A file of results with those lines.
local function file(lines, code)
  local path = command.directory() .. "/r.jsonl"
  command.write(path, HEADER:format(code or "c") .. lines)
  return path
end

local function passed(seed)
  return ('{"seed":%d,"hash":"h%d","marks":{"m":%d}}\n'):format(seed, seed, seed % 2)
end

local function failed(seed, kind, fields)
  return ('{"seed":%d,%s"verdict":{"kind":"%s","message":"text"}}\n'):format(seed, fields or "",
    kind)
end

describe("jangada lab merge #big", function()
  it("says what all results came to, and writes them into one file", function()
    local directory = command.directory()
    local output = command.must(1, {"merge", file(passed(1) .. passed(4)),
      file(failed(2, "wrong", '"hash":"x",') .. passed(3)), "--json", directory .. "/all",
      "--junit", directory .. "/junit"})
    assert.matches("VIOLATION wrong, 1 seed: 2\n  seed 2: text\n"
      .. "  again: jangada lab run s.lua --seed 2\n", output, 1, true)
    assert.matches("marks: m 2\n", output, 1, true)
    assert.matches("\n4 seeds: 3 passed, 1 violation\n$", output)
    local seeds = {}
    for i, object in ipairs(command.objects(directory .. "/all")) do seeds[i - 1] = object.seed end
    assert.same({[0] = nil, 1, 2, 3, 4}, seeds)
    assert.matches('<testsuite name="s.lua" tests="4" failures="1"',
      command.read(directory .. "/junit"), 1, true)
    command.must(1, {"merge", directory .. "/all"})
  end)

  it("has the exit codes of a campaign", function()
    command.must(0, {"merge", file(passed(1))})
    command.must(2, {"merge", file(passed(1) .. failed(2, "time_exceeded"))})
    command.must(3, {"merge", file(failed(1, "store_failed") .. failed(2, "time_exceeded"))})
  end)

  it("takes a result rather than none, and the same one from several files", function()
    local output = command.must(0, {"merge", file(passed(1) .. failed(2, "worker_died")),
      file(passed(1) .. passed(2))})
    assert.matches("\n2 seeds: 2 passed\n$", output)
    output = command.must(0, {"merge", file(passed(2)), file(failed(2, "time_exceeded"))})
    assert.matches("\n1 seed: 1 passed\n$", output)
  end)

  it("says which seed came out differently", function()
    local one, two = file(passed(1)), file(failed(1, "wrong", '"hash":"x",'))
    local output = command.must(3, {"merge", one, two})
    assert.matches(("\nseed 1 came out differently in %s and %s\n"):format(one, two), output, 1,
      true)
  end)

  it("refuses results of other code, and what are none", function()
    local one = file(passed(1))
    for _, case in ipairs{
      {file(passed(2), "d"), "is not of the same campaign as"},
      {file("{}\n"), "line 2 is not a seed's result"},
      {file('{"seed":1,"verdict":7}\n'), "line 2 has a verdict without a kind"},
      {file("nonsense\n"), "line 2, column 1"},
      {command.scenario(""), "there are no results in it"},
      {command.scenario("{}\n"), "the first line is not that of a campaign's results"},
      {command.scenario('{"kind":"campaign","format":"x"}\n'), "its format is x"},
      {"/nonexistent", "there are no results in it"},
    } do
      local _, messages = command.must(2, {"merge", one, case[1]})
      assert.matches(case[2], messages, 1, true)
      assert.matches(case[1], messages, 1, true)
    end
  end)

  it("brings together what was run in parts, to the file of the whole", function()
    local scenario, directory = command.scenario(command.ticking(
      "if drawn < 10 then error('small') end"))
    command.run{"campaign", scenario, "--seeds", "1-30", "--jobs", "2", "--json",
      directory .. "/whole"}
    local files = {"merge"}
    for i = 1, 3 do
      files[i + 1] = ("%s/%d.jsonl"):format(directory, i)
      command.run{"campaign", scenario, "--seeds", "1-30", "--jobs", "1", "--shard", i .. "/3",
        "--json", files[i + 1]}
    end
    local output = command.must(1, files)
    assert.matches("\n30 seeds: ", output, 1, true)
    table.move({"--json", directory .. "/all"}, 1, 2, #files + 1, files)
    command.must(1, files)
    command.must(1, {"merge", directory .. "/whole", "--json", directory .. "/whole"})
    assert.equal(command.read(directory .. "/whole"), command.read(directory .. "/all"))
  end)
end)
