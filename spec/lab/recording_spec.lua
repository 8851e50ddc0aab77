local lab = require "jangada.lab"
local recordings = require "jangada.lab.recording"

-- The rows of a run, each as a table of its names.
local function record(options, fn)
  local rows = {}
  local recording = recordings.new(function(row)
    local fields = {}
    for i = 1, row.n or #row, 2 do fields[row[i]] = row[i + 1] end
    rows[#rows + 1] = fields
  end, {"scenario", "here.lua"})
  options.observe = function(event, world) recording:observe(event, world) end
  local world <close> = lab.new(options)
  fn(world)
  recording:finish(world)
  return rows, world
end

local function raft(options)
  options.protocol, options.nodes = "jangada.raft.protocol", 3
  options.clients = {lab.stream{commands = {"a", "b", "c"}}}
  return options
end

local function of_kind(rows, kind)
  local found = {}
  for _, row in ipairs(rows) do
    if row.kind == kind then found[#found + 1] = row end
  end
  return found
end

describe("a recording", function()
  it("begins with all that the run was made of", function()
    local rows = record(raft{seed = 9, faults = {{at_ms = 10, kind = "crash", node = "n1"}},
      network = {loss = 0.25}}, function(world) world:run(50) end)
    local first = rows[1]
    assert.same({"run", "jangada.trace 1", 9, {"n1", "n2", "n3"}, "here.lua"},
      {first.kind, first.format, first.seed, first.nodes, first.scenario})
    assert.same({delay_ms = {1, 10}, loss = 0.25, duplication = 0, corruption = 0, fifo = false},
      first.network)
    assert.same({{at_ms = 10, kind = "crash", node = "n1"}}, first.plan)
    assert.same(require("jangada.lab.invariants").names, first.invariants)
    assert.same({10000000, 200000, 0.05, "journal"},
      {first.events_max, first.queue_max, first.maybe_rate, first.durability})
    assert.equal("jangada.lab.Stream", first.clients[1].kind)
    assert.matches("^%d+%.%d+%.%d+$", first.jangada)
    assert.matches("^0%.9", first.lmdb)
    assert.equal(_VERSION, first.lua)
  end)

  it("ends with the hash, the counts and the state of the nodes", function()
    local rows, world = record(raft{}, function(world) world:run(1000) end)
    local last = rows[#rows]
    assert.same({"end", world:hash(), #rows - 2, 3},
      {last.kind, last.hash, last.steps, #last.nodes})
    assert.is_nil(last.verdict)
    assert.equal(rows[#rows - 1].step, last.steps)
    local bad, other = record({nodes = 1, protocol = {name = "bad", source =
      "return function(node) node:after(5, function() error('on purpose') end) end"}},
      function(w) w:run(10) end)
    assert.equal("handler_error", bad[#bad].verdict.kind)
    assert.matches("on purpose", bad[#bad].verdict.traceback)
    assert.equal(other:hash(), bad[#bad].hash)
  end)

  it("has what it takes to follow a message from its sender to its end", function()
    local rows = record(raft{seed = 3, network = {loss = 0.1, delay_ms = {1, 30}}}, function(world)
      world:run(300)
      world:crash(1)
      world:run(300)
      world:partition({2}, {3})
      world:run(300)
    end)
    local sent, ends, whys = {}, {}, {}
    for _, row in ipairs(rows) do
      if row.kind == "send" then
        assert.is_nil(sent[row.message])
        sent[row.message] = row
        if row.lost then ends[row.message], whys[row.lost] = true, true end
      elseif row.kind == "deliver" or row.kind == "drop" then
        local origin = sent[row.message]
        assert.is_nil(ends[row.message])
        ends[row.message] = true
        assert.same({origin.src, origin.dest, origin.body}, {row.src, row.dest, row.body})
        if row.kind == "drop" then whys[row.lost] = true end
      end
    end
    assert.is_true(#of_kind(rows, "deliver") > 20)
    for _, why in ipairs{"lost", "cut", "down"} do assert.is_true(whys[why], why) end
  end)

  it("shows the state and the shape of the log that a turn left", function()
    local rows = record(raft{}, function(world) world:run(1000) end)
    local last
    for _, row in ipairs(of_kind(rows, "state")) do
      if row.log then
        assert.is_true(row.wrote)
        last = row
      end
    end
    assert.equal(last.state.last, last.log.last)
    assert.same({1, last.state.term}, {last.log.first, last.log.last_term})
  end)

  it("shows a turn that wrote, though the state is as it was", function()
    local rows = record({nodes = 1, protocol = {name = "writer", source = [[return function(node)
      node.state = {}
      node:after(5, function()
        node.db:update(function(tx) tx:ensure_bucket("b"):put("k", "v") end)
      end) end]]}}, function(world) world:run(10) end)
    local turns = of_kind(rows, "state")
    assert.same({2, 5000, true}, {#turns, turns[2].time_us, turns[2].wrote})
  end)

  it("shows faults, and what clients ask and are answered", function()
    local rows = record({nodes = 1, faults = {{at_ms = 20, kind = "pause", node = 1, for_ms = 100}},
      protocol = {name = "pong", source = [[return function(node)
        node:on("ping", function(message) node:reply(message, {type = "pong"}) end) end]]}},
      function(world)
        world:request(1, {type = "ping"})
        world:run(30)
        world:request(1, {type = "ping"}, 20)
      end)
    assert.equal(20, of_kind(rows, "fault")[1].fault.at_ms)
    local requests, answers = of_kind(rows, "request"), of_kind(rows, "answer")
    assert.same({"c0", "n1", "ping"}, {requests[1].client, requests[1].dest, requests[1].body.type})
    assert.same({requests[1].id, "pong"}, {answers[1].id, answers[1].body.type})
    assert.equal(requests[2].id, answers[2].id)
    assert.is_nil(answers[2].body)
  end)

  it("does not change the run", function()
    local _, world = record(raft{seed = 5, faults = {}}, function(w) w:run(500) end)
    local plain <close> = lab.new(raft{seed = 5})
    plain:run(500)
    assert.equal(plain:hash(), world:hash())
  end)
end)
