local command = require "spec.support.lab_command"

local function trace(scenario, ...)
  local path = command.directory() .. "/t.jsonl"
  command.run{"run", scenario, "--quiet", "--trace", path, ...}
  return path
end

-- Changes one line of a file.
local function edit(path, number, fn)
  local lines = command.lines(command.read(path))
  lines[number] = fn(lines[number])
  command.write(path, table.concat(lines, "\n") .. "\n")
end

describe("jangada lab replay #big", function()
  it("runs what a trace is of again: scenario, seed, duration", function()
    local path = trace("examples/raft_scenario.lua", "--seed", "6", "--duration", "700")
    local rows = command.objects(path)
    local output = command.must(0, {"replay", path})
    assert.equal(("the same run: %d events, trace hash %s\n"):format(#rows - 2, rows[#rows].hash),
      (output:gsub(",(%d)", "%1", 1)))
  end)

  it("shows the first event that differs, and what of it", function()
    local path = trace("examples/raft_scenario.lua", "--duration", "700")
    edit(path, 20, function(line) return (line:gsub('"time_us":%d+', '"time_us":1')) end)
    local output = command.must(1, {"replay", path})
    assert.matches("^NOT the same run: the first 18 events are the same, then one differs in "
      .. "time_us\n  the trace  {\"step\":19,\"time_us\":1,[^\n]*\n  this run   {\"step\":19,",
      output)
    assert.is_nil(output:find("has changed", 1, true))
  end)

  it("sees a last line that differs", function()
    local path = trace("examples/raft_scenario.lua", "--duration", "100")
    edit(path, #command.objects(path), function(line)
      return (line:gsub('"sent":%d+', '"sent":77'))
    end)
    assert.matches("differs in sent", command.must(1, {"replay", path}), 1, true)
  end)

  it("says so when the code has changed since", function()
    local scenario = command.scenario(command.ticking(""))
    local path = trace(scenario)
    command.write(scenario, command.ticking("node.state.more = true"))
    assert.matches("has changed since", command.must(1, {"replay", path}), 1, true)
  end)

  it("compares what there is of a trace that was cut off", function()
    local path = trace("examples/raft_scenario.lua", "--duration", "500")
    local text = command.read(path)
    command.write(path, text:sub(1, #text // 2))
    assert.matches("ends before its run does; the same up to there: %d+ events",
      command.must(0, {"replay", path}))
  end)

  it("finds a scenario that was moved", function()
    local scenario, directory = command.scenario(command.ticking(""))
    local path = trace(scenario)
    os.rename(scenario, directory .. "/moved.lua")
    local _, messages = command.must(2, {"replay", path})
    assert.matches("scenario.lua: No such file", messages, 1, true)
    command.must(0, {"replay", path, "--scenario", directory .. "/moved.lua"})
  end)

  it("refuses what is no trace", function()
    for text, expected in pairs{
      [""] = "the first line is not that of a trace",
      ["{}\n"] = "the first line is not that of a trace",
      ['{"kind":"run","format":"jangada.trace 9"}\n'] = "its format is jangada.trace 9",
    } do
      local path = command.scenario(text, "t.jsonl")
      local _, messages = command.must(2, {"replay", path})
      assert.matches(expected, messages, 1, true)
    end
    local _, messages = command.must(2, {"replay", "/nonexistent"})
    assert.matches("No such file", messages, 1, true)
  end)
end)
