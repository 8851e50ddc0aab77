local command = require "spec.support.lab_command"

local RAFT <const> = "examples/raft_scenario.lua"

describe("jangada lab run --trace", function()
  it("writes the whole run, a JSON object a line", function()
    local path = command.directory() .. "/t.jsonl"
    local output = command.must(0, {"run", RAFT, "--quiet", "--duration", "500", "--seed", "4",
      "--trace", path})
    local rows = command.objects(path)
    assert.same({"run", "jangada.trace 1", 4, 500, RAFT}, {rows[1].kind, rows[1].format,
      rows[1].seed, rows[1].duration_ms, rows[1].scenario})
    local last = rows[#rows]
    assert.same({"end", #rows - 2}, {last.kind, last.steps})
    assert.matches("trace hash " .. last.hash, output, 1, true)
    for i = 2, #rows - 1 do
      assert.equal(i - 1, rows[i].step)
      assert.matches("^%x+$", rows[i].hash)
    end
  end)

  it("writes it to standard output, and what it says elsewhere", function()
    local output, messages = command.must(0, {"run", RAFT, "--duration", "100", "--trace", "-"})
    assert.matches('^{"kind":"run"', output)
    assert.matches('\n{"kind":"end"[^\n]*}\n$', output)
    assert.matches("no violation", messages, 1, true)
  end)

  it("ends a run that makes more than it may", function()
    local scenario, directory = command.scenario(command.ticking(
      "node:trace('much', {text = ('x'):rep(100000)})"))
    local output = command.must(2, {"run", scenario, "--trace", directory .. "/t", "--trace-max",
      "1", "--quiet"})
    assert.matches("VERDICT trace_exceeded at 1[01].000 ms: the trace has more than 1 MiB", output)
    local rows = command.objects(directory .. "/t")
    assert.equal("trace_exceeded", rows[#rows].verdict.kind)
  end)

  it("refuses a file that cannot be made", function()
    local _, messages = command.must(2, {"run", RAFT, "--trace", "/nonexistent/t"})
    assert.matches("/nonexistent/t: No such file", messages, 1, true)
  end)
end)

describe("jangada lab run --prove", function()
  it("finds a run the same in a second process", function()
    local output = command.must(0, {"run", RAFT, "--quiet", "--duration", "1000", "--prove"})
    local hash = output:match("seed 1, trace hash (%x+)")
    assert.matches(("second process: the same run: [%%d,]+ events, trace hash %s\n"):format(hash),
      output)
  end)

  it("keeps the exit code of the run", function()
    local scenario = command.scenario(command.ticking("error('on purpose')"))
    local output = command.must(1, {"run", scenario, "--quiet", "--prove"})
    assert.matches("second process: the same run", output, 1, true)
  end)

  it("shows the first step that differs, of both", function()
    local scenario = command.scenario([=[
      return {nodes = 1, duration_ms = 100, protocol = {name = "pong", source = [[
        return function(node)
          node:on("ping", function(message) node:reply(message, {type = "pong"}) end)
        end]]},
        clients = {function(client)
          local n = 0
          local function ask()
            n = n + 1
            client:request("n1", {type = "ping", text = n == 3 and tostring({}) or "same"}, 50, ask)
          end
          ask()
        end}}]=])
    local output = command.must(1, {"run", scenario, "--quiet", "--prove"})
    assert.matches("NOT the same run: the first %d+ events are the same, then one differs in body",
      output)
    local one, two = output:match('the trace  ({[^\n]*)\n[^\n]*this run   ({[^\n]*)\n')
    assert.matches('"kind":"request".*"text":"table: 0x', one)
    assert.matches('"kind":"request".*"text":"table: 0x', two)
    assert.not_equal(one, two)
  end)
end)
