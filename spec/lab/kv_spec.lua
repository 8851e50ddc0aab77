-- Clients of keys and values, and what is made of their history.

local check = require "jangada.check"
local lab = require "jangada.lab"
local labs = require "spec.support.labs"

local STALE <const> = "spec/support/protocols/stale_reads.lua"

-- Leaders whose reads are stale change faster without what the dissertation adds to elections, and
-- go on where they hear of nobody: so they are caught sooner.
--
-- Runs a seed to its end: the verdict, what all clients share, and the trace hash.
local function run(seed, protocol, options)
  local clients = lab.kv_clients{count = 4, keys = 2, operations = 400,
    steps_max = options and options.steps_max}
  local world <close> = lab.new{
    seed = seed, nodes = 3, protocol = protocol or "jangada.raft.protocol",
    options = {machine = "kv", pre_vote = protocol ~= STALE, check_quorum = protocol ~= STALE},
    network = {delay_ms = {1, 20}, loss = 0.02},
    faults = {duration_ms = 4000}, clients = clients, invariants = {"raft"},
  }
  assert.is_nil(world:run(5000))
  return world:finish(), clients.shared, world:hash()
end

local function counts(history)
  local n = {}
  for _, event in ipairs(history) do
    for _, what in ipairs{event.type, event.type == "invoke" and event.f or nil} do
      n[what] = (n[what] or 0) + 1
    end
  end
  return n
end

describe("clients of keys and values #big", function()
  it("find the reference Raft linearizable, in the order in which it applies", function()
    for seed = 1, 10 do
      local verdict, shared = run(seed)
      assert.is_nil(verdict, verdict and verdict.story)
      assert.equal("linearizable", shared.result.verdict)
      assert.is_true(shared.result.witness, ("seed %d"):format(seed))
      assert.is_true(#shared.history > 50)
    end
  end)

  it("do all that there is to do, under faults and with outcomes that stay unknown", function()
    local _, calm = run(8)
    local _, hard = run(6)
    local n, m = counts(calm.history), counts(hard.history)
    for _, f in ipairs{"get", "put", "cas", "delete"} do assert.is_true(n[f] > 0, f) end
    assert.is_true(n.ok > 150)
    assert.is_true(m.info > 0)
  end)

  it("read through the log: each answer has its place there, but for a cas that changed nothing",
    function()
      local _, shared = run(3)
      local open = {}
      for _, event in ipairs(shared.history) do
        if event.type == "invoke" then open[event.process] = event end
        if event.type == "ok" and event.value ~= false then
          assert.is_not_nil(open[event.process].order)
        end
      end
    end)

  it("keep a history that the checker takes as it is", function()
    local _, shared = run(2)
    assert.equal("linearizable", check.run(shared.history, {model = "kv"}).verdict)
    for _, event in ipairs(shared.history) do -- one read that is too old to be true
      if event.f == "get" and event.type == "ok" and event.value then event.value = "nobody's" end
    end
    assert.equal("not_linearizable", check.run(shared.history, {model = "kv"}).verdict)
  end)

  it("do the same again under the same seed", function()
    local _, first, first_hash = run(4)
    local _, second, second_hash = run(4)
    assert.equal(first_hash, second_hash)
    assert.same(first.history, second.history)
  end)

  it("catch a leader that answers reads by itself, when no invariant does", function()
    for seed = 1, 40 do
      local verdict = run(seed, STALE)
      if verdict then
        assert.equal("not_linearizable", verdict.kind)
        assert.matches("no order explains get", verdict.message, 1, true)
        assert.not_matches("\n", verdict.message)
        assert.matches("NOT linearizable: .*process c%d.*✗", verdict.story)
        return
      end
    end
    error("stale reads pass seeds 1 to 40")
  end)

  it("say so when the check takes longer than it may", function()
    for seed = 1, 40 do
      local verdict, shared = run(seed, STALE, {steps_max = 1})
      if verdict then
        assert.equal("history_exceeded", verdict.kind)
        assert.equal("unknown", require("jangada.lab.verdict").outcome(verdict))
        assert.equal("unknown", shared.result.verdict)
        return
      end
    end
    error("every check is done in a step")
  end)

  it("take their options as they are documented", function()
    assert.equal("option_unknown", (labs.code_of(lab.kv_clients, {clients = 3})))
    for _, options in ipairs{{count = 0}, {keys = 1.5}, {think_ms = -1}, {operations = "5"}} do
      assert.equal("option_invalid", (labs.code_of(lab.kv_clients, options)))
    end
    assert.equal(5, #lab.kv_clients{count = 5, think_ms = 0})
    assert.equal(3, #lab.kv_clients())
  end)
end)

describe("the end of a run #big", function()
  local function world_of(found)
    return labs.world("", {invariants = {{name = "last", finish = function() return found end}}})
  end

  it("is judged by who has something to say of it, once", function()
    local world <close> = world_of("too little")
    assert.is_nil(world:run(10))
    local verdict = world:finish()
    assert.equal("invariant_violated (last) at 10.000 ms: too little", tostring(verdict))
    assert.equal(verdict, world:finish())
  end)

  it("may be a verdict of one's own kind, or nothing", function()
    local world <close> = world_of{kind = "mine", message = "look"}
    assert.equal("mine", world:finish().kind)
    local silent <close> = world_of(nil)
    assert.is_nil(silent:finish())
    silent:close()
    assert.equal("world_closed", (labs.code_of(silent.finish, silent)))
  end)

  it("does not change a verdict that there is", function()
    local world <close> = labs.world("error('x')",
      {invariants = {{name = "last", finish = function() return "late" end}}})
    assert.equal("handler_error", world:finish().kind)
  end)
end)
