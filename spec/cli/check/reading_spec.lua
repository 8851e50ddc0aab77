local check = require "jangada.check"
local reading = require "jangada.cli.check.reading"

local JSON <const> = [[
{"process":0,"type":"invoke","f":"cas","key":"x","value":[null,1],"time":12}

{"process":"c1","type":"invoke","f":"read","value":null}
{"process":0,"type":"fail","f":"cas","error":"no","order":3}
]]

describe("reading a history", function()
  it("of JSON lines keeps all fields, and null as nil", function()
    local events, format = reading.events(JSON)
    assert.equal("json", format)
    assert.same({ process = 0, type = "invoke", f = "cas", key = "x", value = { check.null, 1 },
      time = 12, line = 1 }, events[1])
    assert.same({ process = "c1", type = "invoke", f = "read", line = 3 }, events[2])
    assert.same({ process = 0, type = "fail", f = "cas", error = "no", order = 3, line = 4 },
      events[3])
  end)

  it("of EDN gives the same", function()
    local events, format = reading.events('{:process 0, :type :invoke, :f :cas, :key "x", '
      .. ':value [nil 1], :time 12, :index 0}\n{:process :nemesis, :type :info, :f :start}')
    assert.equal("edn", format)
    assert.same({ process = 0, type = "invoke", f = "cas", key = "x", value = { check.null, 1 },
      time = 12, line = 1, index = 0 }, events[1])
    assert.equal("nemesis", events[2].process)
  end)

  it("of Jepsen's log takes the lines of operations", function()
    local events, format = reading.events(table.concat({
      "INFO  jepsen.core - Running test",
      "INFO  jepsen.util - 0\t:invoke\t:read\tnil",
      "INFO  jepsen.util - 1\t:invoke\t:cas\t[3 0]",
      "INFO  jepsen.util - 0\t:ok\t:read\t4",
      "INFO  jepsen.util - 1\t:info\t:cas\t:timed-out",
      "INFO  jepsen.util - :nemesis\t:info\t:start\t\"cut\"",
      "INFO [2020-01-01] jepsen worker 3 - jepsen.util 3\t:invoke\t:write\t2",
      "2020-01-01 10:00:00,1{GMT}\tINFO\t[jepsen worker 2] jepsen.util: 2\t:invoke\t:write\t2",
      "2020-01-01 10:00:00,2{GMT}\tINFO\t[jepsen worker 2] jepsen.util: 2\t:fail\t:write\t2\t:oops",
    }, "\n") .. "\n")
    assert.equal("log", format)
    assert.same({ process = 0, type = "invoke", f = "read", line = 2 }, events[1])
    assert.same({ process = 1, type = "invoke", f = "cas", value = { 3, 0 }, line = 3 }, events[2])
    assert.same({ process = 0, type = "ok", f = "read", value = 4, line = 4 }, events[3])
    assert.same({ process = 1, type = "info", f = "cas", error = "timed-out", line = 5 }, events[4])
    assert.same({ process = "nemesis", type = "info", f = "start", value = "cut", line = 6 },
      events[5])
    assert.same({ process = 2, type = "fail", f = "write", value = 2, error = "oops", line = 9 },
      events[#events])
  end)

  it("takes values apart into keys and values", function()
    local events = reading.events("{:process 0 :type :invoke :f :read :value [7 nil]}\n"
      .. "{:process 0 :type :ok :f :read :value [7 3]}", nil, true)
    assert.equal(7, events[1].key)
    assert.is_nil(events[1].value)
    assert.equal(3, events[2].value)
  end)

  it("can be told the format", function()
    assert.error_matches(function() reading.events(JSON, "edn") end, "line")
    assert.equal(3, #reading.events(JSON, "json"))
  end)

  for what, case in pairs{
    ["nothing"] = { "", "this is no history" },
    ["comments alone"] = { "; x\n", "this is no history" },
    ["a log without operations"] = { "INFO jepsen.util\n", "no operation in it" },
    ["an empty vector"] = { "[]", "no operation in it" },
    ["JSON that is none"] = { '{"process":0}\n{"process":\n', "line 2, column 12" },
    ["JSON that is no object"] = { '{"process":0}\n7\n', "line 2: an event is an object" },
    ["null"] = { '{"process":0}\nnull\n', "line 2: an event is an object" },
  } do
    it("refuses " .. what, function()
      assert.error_matches(function() reading.events(case[1]) end, case[2])
    end)
  end
end)
