local labs = require "spec.support.labs"

local guilty, innocent = labs.guilty, labs.innocent

describe("what a client was told", function()
  local head = "local log = require('jangada.log').open(node.db, 'replog') "
  local function told(data, ms)
    return function(client) client:after(ms or 10, function() client:acknowledged(data) end) end
  end

  it("was committed before", function()
    local body = "node:after(5, function() node:committed(1, 1, 'a') end)"
    innocent(body, {clients = {told("a")}})
    local verdict = guilty("acknowledged_durable", body, {clients = {told("b")}})
    assert.equal('c1 was told that something is committed which no node has told of: "b"',
      verdict.message)
    guilty("acknowledged_durable", body, {clients = {told("a", 4)}})
  end)

  -- Three nodes have the entry in their logs, some of them not for long.
  local function body(forgetful)
    return head .. [[
      if log:last_index() == 0 and node:now() == 0 then
        log:save{term = 1, entries = {{term = 1, data = "a"}}}
        node:committed(1, 1, "a")
      end
      if (]] .. forgetful .. [[):find(node.id) then
        node:after(20, function() log:save{first = 1, entries = {}} end)
      end
    ]]
  end

  it("stays in the logs of a majority, crashed ones too", function()
    local crash = {{at_ms = 30, kind = "crash", node = "n1", for_ms = 40}}
    innocent(body("'n1'"), {nodes = 3, clients = {told("a")}, faults = crash})
    local verdict = guilty("acknowledged_durable", body("'n1n3'"),
      {nodes = 3, clients = {told("a")}, faults = crash})
    assert.equal(20000, verdict.time_us)
    assert.equal("c1 was told that the entry at index 1, term 1 is committed, which is in 1 of 3 "
      .. "logs", verdict.message)
    guilty("acknowledged_durable", body("'n1n3'"), {nodes = 3, clients = {told("a", 25)}})
  end)

  it("may be covered by a snapshot", function()
    innocent((body("'n1n2n3'"):gsub("{first = 1, entries = {}}",
      "{commit = 1, snapshot = {index = 1, term = 1}, compact = 1}")),
      {nodes = 3, clients = {told("a"), told("a", 60)},
        faults = {{at_ms = 50, kind = "crash", node = 2, for_ms = 40}}})
  end)
end)

describe("consensus", function()
  local pack = {invariants = {"consensus"}}

  it("has one value, by whatever ballots, told whenever", function()
    local body = "node:trace('propose', {value = 'a'}) node:trace('propose', {value = 'b'}) "
    innocent(body .. [[
      node:every(10, function() node:committed(1, node:now(), "a") end)
      node:committed(7, 1, "b")
    ]], pack)
    local verdict = guilty("agreement",
      body .. "node:committed(1, 1, node.id == 'n1' and 'a' or 'b')", pack)
    assert.equal('n2 holds another value for chosen at 1 than n1: "b"', verdict.message)
  end)

  it("has a value that was proposed", function()
    local body = [[
      if node.id == "n1" then node:trace("propose", {value = "a"}) end
      node:trace("other", {value = "b"})
      node:trace("propose")
      node:committed(1, 1, node.id == "n2" and options.value or "a")
    ]]
    innocent(body, {invariants = {"consensus"}, options = {value = "a"}})
    local verdict = guilty("validity", body,
      {invariants = {"validity", "agreement"}, options = {value = "b"}})
    assert.equal('n2 holds a value for chosen at 1 that nobody has proposed: "b"', verdict.message)
  end)
end)
