local json_reader = require "jangada.cli.json_reader"
local process = require "spec.support.process"

local GOOD <const> = [[
{"process":0,"type":"invoke","f":"write","value":1,"time":10}
{"process":1,"type":"invoke","f":"read","time":11}
{"process":0,"type":"ok","f":"write","value":1,"time":12}
{"process":1,"type":"ok","f":"read","value":null,"time":13}
]]

-- Published in this form by a checker's test data.
local LOG <const> = [[
INFO  jepsen.util - 0	:invoke	:write	3
INFO  jepsen.util - 0	:ok	:write	3
INFO  jepsen.util - 1	:invoke	:cas	[3 4]
INFO  jepsen.util - 1	:fail	:cas	[3 4]
]]

local function run(text, arguments)
  return process.jangada("check " .. (arguments or "--model register") .. " -", text)
end

describe("jangada check #big", function()
  it("exits with 0 for a history that is linearizable", function()
    local code, output = run(GOOD)
    assert.equal(0, code, output)
    assert.truthy(output:find("^linearizable: 2 operations %(register%), %d+ steps\n$"), output)
  end)

  it("exits with 1 for one that is not, and explains it", function()
    local code, output = run((GOOD:gsub('"read","value":null', '"read","value":2')))
    assert.equal(1, code)
    assert.truthy(output:find("NOT linearizable", 1, true))
    assert.truthy(output:find("no order explains read → 2 of process 1 (lines 2 and 4).", 1, true))
    assert.truthy(output:find("process 1  ├─ read → 2 ──┤ ✗", 1, true), output)
  end)

  it("exits with 2 for one that it cannot judge within the budget", function()
    local lines = {}
    for _, kind in ipairs{ "invoke", "ok" } do
      for i = 1, 7 do
        lines[#lines + 1] = ('{"process":%d,"type":"%s","f":"enqueue","value":%d}'):format(i,
          kind, i)
      end
    end
    lines[#lines + 1] = '{"process":1,"type":"invoke","f":"dequeue"}'
    lines[#lines + 1] = '{"process":1,"type":"ok","f":"dequeue","value":77}'
    local code, output = run(table.concat(lines, "\n"), "--model queue --budget 1000")
    assert.equal(2, code, output)
    assert.truthy(output:find("out of steps", 1, true))
    code = run(table.concat(lines, "\n"), "--model queue")
    assert.equal(1, code)
  end)

  it("exits with 3 for what it cannot use, and says where", function()
    for _, case in ipairs{
      { GOOD .. '{"process":1,"type":"ok","f":"read"}', nil, "line 5: process 1 has no operation" },
      { GOOD .. "{", nil, "line 5, column 2" },
      { "hello", nil, "this is no history" },
      { GOOD, "--model kw", "there is no model 'kw': there are register, cas%-register, kv" },
      { GOOD, "--model kv --budget x", "takes an integer" },
      { GOOD, "", "missing option '%-%-model'" },
      { GOOD, "--model register --initial {", "%-%-initial {: line 1" },
      { GOOD, "--model queue", "line 1: process 0: this model has no write" },
      { GOOD, "--model /nonexistent.lua", "No such file" },
      { GOOD:gsub('"time":12', '"time":1'), nil, "line 3: time 1 is before the 11" },
    } do
      local code, output = run(case[1], case[2])
      assert.equal(3, code, output)
      assert.truthy(output:find(case[3]), output)
      assert.is_nil(output:find("traceback", 1, true))
    end
    assert.equal(3, (process.jangada("check --model kv /nonexistent")))
    assert.equal(3, (process.jangada("check --model kv /")))
  end)

  it("reads a file, EDN, and Jepsen's log, in which a failed cas found another value", function()
    local path = process.directory() .. "/history"
    process.write(path, LOG)
    local code, output = process.jangada("check --model cas-register " .. path)
    assert.equal(1, code, output)
    assert.truthy(output:find("cas 3 to 4: no match", 1, true))
    code, output = process.jangada("check --model cas-register --failed-cas removed " .. path)
    assert.equal(0, code, output)
    assert.truthy(output:find("1 failed cas is counted as not having happened", 1, true))
    assert.equal(1, (run("[{:process 0 :type :invoke :f :read}{:process 0 :type :ok :f :read "
      .. ":value 3}]")))
  end)

  it("takes what is there at first, events by time, and keys in values", function()
    assert.equal(0, (run('{"process":0,"type":"invoke","f":"read"}\n'
      .. '{"process":0,"type":"ok","f":"read","value":[1]}', "--model register --initial '[1]'")))
    local lines = {}
    for line in GOOD:gmatch("[^\n]+") do table.insert(lines, 1, line) end
    assert.equal(0, (run(table.concat(lines, "\n"), "--model register --by-time")))
    local code, output = run("{:process 0 :type :invoke :f :write :value [7 1]}"
      .. "{:process 0 :type :ok :f :write :value [7 1]}{:process 0 :type :invoke :f :read :value "
      .. "[7 nil]}{:process 0 :type :ok :f :read :value [7 2]}", "--model register --independent")
    assert.equal(1, code)
    assert.truthy(output:find("key 7: no order explains read → 2", 1, true), output)
  end)

  it("takes a model of one's own from a file", function()
    local path = process.directory() .. "/counter.lua"
    process.write(path, [[
      return {
        name = "counter", init = function() return 0 end,
        step = function(n, operation)
          if operation.f == "add" then return true, n + operation.input end
          return not operation.known or n == operation.output, n
        end,
      }]])
    local text = '{"process":0,"type":"invoke","f":"add","value":2}\n{"process":0,"type":"ok"}\n'
      .. '{"process":0,"type":"invoke","f":"get"}\n{"process":0,"type":"ok","value":%d}\n'
    assert.equal(0, (run(text:format(2), "--model " .. path)))
    local code, output = run(text:format(3), "--model " .. path)
    assert.equal(1, code)
    assert.truthy(output:find("(counter)", 1, true), output)
    process.write(path, "error('no')")
    code, output = run(text:format(3), "--model " .. path)
    assert.equal(3, code)
    assert.truthy(output:find("counter.lua:1: no", 1, true), output)
  end)

  it("prints for the example of docs/check.md what stands there", function()
    local file <close> = assert(io.open("docs/check.md"))
    local text = file:read("a")
    local history = assert(text:match("\n```json\n(.-)```\n"))
    local expected = assert(text:match("\n```\n(NOT .-)```\n"))
    local code, output = run(history)
    assert.equal(1, code)
    assert.equal(expected, output)
  end)

  it("prints JSON for programs", function()
    local code, output = run((GOOD:gsub('"read","value":null', '"read","value":2')),
      "--model register --json")
    assert.equal(1, code)
    local result = json_reader.decode(output, 1)
    assert.equal("not_linearizable", result.verdict)
    assert.equal(2, result.operations)
    local failure = result.failure
    assert.same({ index = 2, process = 1, operation = "read → 2", known = true, line = 2,
      line_returned = 4, time = 11, time_returned = 13 }, failure.operation)
    assert.equal(1, #failure.core)
    assert.same({ { state = "1", order = { 1 } } }, failure.endings)
    assert.equal(false, result.parts[1].linearizable)
    code, output = run(GOOD, "--model register --json")
    assert.equal(0, code)
    assert.same({ 2, 1 }, json_reader.decode(output, 1).parts[1].order)
  end)
end)
