-- Sections 5.1, 5.2 and 5.4.1 of the extended Raft paper.
local Log = require "jangada.log"
local fakes = require "spec.support.fakes"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"

local boot = fakes.boot

local function save(db, fields) Log.open(db, "replog"):save(fields) end

local function hard_state(db) return { Log.open(db, "replog"):hard_state() } end

local function ask(term, last_index, last_term)
  return { type = "request_vote", term = term, last_index = last_index or 0,
    last_term = last_term or 0 }
end

local function heartbeat(term, fields)
  local body = { type = "append_entries", term = term, prev_index = 0, prev_term = 0,
    entries = {}, commit = 0 }
  for name, value in pairs(fields or {}) do body[name] = value end
  return body
end

-- A leader of term 1 in a cluster of three, its no-op on its way.
local function leader(config)
  local fake = boot(config)
  fake:advance(225)
  fake:deliver("n2", { type = "request_vote_ok", term = fake.node.state.term, granted = true })
  assert.equal("leader", fake.node.state.role)
  return fake
end

describe("5.1:", function()
  after_each(scratch.clean)

  it("a server of any role that sees a higher term adopts it and becomes a follower", function()
    local bodies = {
      ask(9), heartbeat(9), { type = "request_vote_ok", term = 9, granted = false },
      { type = "append_entries_ok", term = 9, success = false, prev_index = 0, hint_index = 0,
        hint_term = 0 },
    }
    for _, body in ipairs(bodies) do
      for _, role in ipairs{ "follower", "candidate", "leader" } do
        local db = scratch.open()
        local fake = role == "leader" and leader{ db = db } or boot{ db = db }
        if role == "candidate" then fake:advance(225) end
        assert.equal(role, fake.node.state.role)
        fake:deliver("n3", body)
        assert.equal("follower", fake.node.state.role)
        assert.equal(9, fake.node.state.term)
        assert.equal(9, hard_state(db)[1], "the term is durable after " .. body.type)
      end
    end
  end)

  it("a request of a lower term is refused, with the current term, and changes nothing", function()
    local db = scratch.open()
    save(db, { term = 5, vote = "n3" })
    local fake = boot{ db = db }
    local sent = fake:deliver("n2", ask(4, 10, 4))
    assert.same({ type = "request_vote_ok", term = 5, granted = false }, sent[1].body)
    sent = fake:deliver("n2", heartbeat(4, { entries = { { term = 4, type = 0, data = "x" } } }))
    assert.equal(5, sent[1].body.term)
    assert.is_false(sent[1].body.success)
    assert.same({ 5, "n3", 0 }, hard_state(db))
    assert.is_nil(fake.node.state.leader)
    assert.equal(0, fake.updates)
  end)

  it("a request of a lower term does not put the election off", function()
    local db = scratch.open()
    save(db, { term = 5 })
    local fake = boot{ db = db }
    fake:advance(200)
    fake:deliver("n2", heartbeat(4))
    assert.equal("request_vote", fake:advance(30)[1].body.type)
  end)

  it("an answer of a lower term is ignored", function()
    local db = scratch.open()
    save(db, { term = 5 })
    local fake = boot{ db = db }
    fake:advance(225)
    fake:deliver("n2", { type = "request_vote_ok", term = 5, granted = true })
    assert.equal("candidate", fake.node.state.role)
    local lead = leader()
    local old = { type = "append_entries_ok", term = 0, success = true, prev_index = 0, match = 1 }
    lead:deliver("n2", old)
    assert.equal(0, lead.node.state.commit)
  end)

  it("terms do not fall across a restart", function()
    local db = scratch.open()
    boot{ db = db }:deliver("n2", ask(7, 0, 0))
    assert.equal(7, boot{ db = db }.node.state.term)
  end)
end)

describe("5.2:", function()
  after_each(scratch.clean)

  it("a server begins as a follower, and a leader that restarts does too", function()
    local db = scratch.open()
    assert.equal("follower", boot{ db = db }.node.state.role)
    leader{ db = db }
    local again = boot{ db = db }
    assert.equal("follower", again.node.state.role)
    assert.equal(1, again.node.state.term)
  end)

  it("a leader sends every peer, and not itself, an empty heartbeat each interval", function()
    local fake = leader()
    fake:take()
    local sent = fake:advance(50)
    assert.equal(2, #sent)
    for i, peer in ipairs{ "n2", "n3" } do
      assert.equal(peer, sent[i].dest)
      assert.equal("append_entries", sent[i].body.type)
      assert.same({}, sent[i].body.entries)
    end
    assert.equal(2, #fake:advance(50))
  end)

  it("a leader that is deposed sends no more heartbeats", function()
    local fake = leader()
    assert.equal(2, #fake:advance(50))
    fake:deliver("n2", heartbeat(2))
    assert.same({}, fake:advance(200))
  end)

  it("a follower without contact raises its term, votes for itself and asks all others", function()
    local db = scratch.open()
    local fake = boot{ db = db, cluster = 5 }
    assert.same({}, fake:advance(224))
    local sent = fake:advance(1)
    assert.equal(4, #sent)
    for i, message in ipairs(sent) do
      assert.equal("n" .. i + 1, message.dest)
      assert.same(ask(1), message.body)
    end
    assert.same({ 1, "n1", 0 }, hard_state(db))
    assert.equal("candidate", fake.node.state.role)
  end)

  it("contact with a leader puts the election off by a whole timeout", function()
    local fake = boot()
    fake:advance(200)
    fake:deliver("n2", heartbeat(1))
    assert.same({}, fake:advance(224))
    assert.equal("request_vote", fake:advance(1)[1].body.type)
  end)

  it("an append that is refused for its log is contact with a leader too", function()
    local fake = boot()
    fake:advance(200)
    fake:deliver("n2", heartbeat(1, { prev_index = 5, prev_term = 1 }))
    assert.same({}, fake:advance(224))
  end)

  it("giving a vote puts the election off, denying one does not", function()
    local fake = boot()
    fake:advance(200)
    fake:deliver("n2", ask(1))
    assert.same({}, fake:advance(200))
    fake:deliver("n3", ask(1))
    assert.equal("request_vote", fake:advance(24 + 1)[1].body.type)
  end)

  it("a candidate that is not elected begins a new term after another timeout", function()
    local fake = boot()
    fake:advance(225)
    assert.same(ask(2), fake:advance(225)[1].body)
    assert.equal(2, fake.node.state.term)
  end)

  it("timeouts are drawn from the range, anew for each election", function()
    local drawn, asked = { 150, 300, 170 }, {}
    local fake = boot{ random = function(m, n)
      asked[#asked + 1] = { m, n }
      return table.remove(drawn, 1) or m
    end }
    assert.equal(1, fake:advance(150) and fake.node.state.term)
    assert.same({}, fake:advance(299))
    assert.equal(2, #fake:advance(1))
    assert.same({}, fake:advance(169))
    assert.equal(2, #fake:advance(1))
    assert.same({ 150, 300 }, asked[1])
    assert.equal(4, #asked)
  end)

  it("a majority of all members elects, whatever the others say", function()
    -- size, grants, denials -> role
    for _, case in ipairs{
      { 1, 0, 0, "leader" }, { 3, 1, 0, "leader" }, { 3, 1, 1, "leader" }, { 3, 0, 0, "candidate" },
      { 3, 0, 1, "candidate" }, { 3, 0, 2, "candidate" }, { 4, 1, 0, "candidate" },
      { 4, 2, 1, "leader" }, { 5, 4, 0, "leader" }, { 5, 2, 2, "leader" },
      { 5, 1, 3, "candidate" }, { 5, 1, 0, "candidate" },
    } do
      local size, grants, denials, role = table.unpack(case)
      local fake = boot{ cluster = size }
      fake:advance(225)
      for i = 1, grants + denials do
        fake:deliver("n" .. i + 1,
          { type = "request_vote_ok", term = 1, granted = i <= grants })
      end
      assert.equal(role, fake.node.state.role, table.concat(case, " ", 1, 3))
    end
  end)

  it("the same grant twice is one vote", function()
    local fake = boot{ cluster = 5 }
    fake:advance(225)
    for _ = 1, 3 do fake:deliver("n2", { type = "request_vote_ok", term = 1, granted = true }) end
    assert.equal("candidate", fake.node.state.role)
    fake:deliver("n2", { type = "request_vote_ok", term = 1, granted = false })
    fake:deliver("n3", { type = "request_vote_ok", term = 1, granted = true })
    assert.equal("leader", fake.node.state.role)
  end)

  it("grants at most one vote in a term, and the same candidate has it again", function()
    local db = scratch.open()
    local fake = boot{ db = db }
    local function granted(candidate)
      return fake:deliver(candidate, ask(1))[1].body.granted
    end
    assert.is_true(granted("n2"))
    assert.is_false(granted("n3"))
    assert.is_true(granted("n2"))
    fake = boot{ db = db }
    assert.is_false(granted("n3"), "nor after a restart")
    assert.is_true(granted("n2"))
    assert.is_true(fake:deliver("n3", ask(2))[1].body.granted, "a new term is a new vote")
  end)

  it("a vote is stored with its term, in one write", function()
    local db = scratch.open()
    local fake = boot{ db = db }
    fake:deliver("n3", ask(4))
    assert.equal(1, fake.updates)
    assert.same({ 4, "n3", 0 }, hard_state(db))
    fake:deliver("n3", ask(4))
    assert.equal(1, fake.updates, "granting it again writes nothing")
  end)

  it("a server that has voted has still voted after it hears of the leader", function()
    local fake = boot{ cluster = 5 }
    fake:deliver("n2", ask(1))
    fake:deliver("n4", heartbeat(1)) -- elected by others
    assert.is_false(fake:deliver("n3", ask(1))[1].body.granted)
    assert.equal("n4", fake.node.state.leader)
  end)

  it("a candidate yields to a leader of its term, and keeps its vote", function()
    local db = scratch.open()
    local fake = boot{ db = db }
    fake:advance(225)
    fake:deliver("n2", heartbeat(1))
    assert.equal("follower", fake.node.state.role)
    assert.equal("n2", fake.node.state.leader)
    assert.same({ 1, "n1", 0 }, hard_state(db))
    assert.is_false(fake:deliver("n3", ask(1))[1].body.granted)
  end)

  it("a cluster of one elects itself without a message, in one write", function()
    local db = scratch.open()
    local fake = boot{ cluster = 1, db = db }
    assert.same({}, fake:advance(225))
    assert.equal("leader", fake.node.state.role)
    assert.equal(1, fake.updates)
    assert.equal(1, fake.node.state.commit)
  end)

  it("rivals resolve: one that comes back with an old term learns the new one", function()
    local cluster = raft_cluster.new(3)
    for i = 1, 3 do cluster:boot(i) end
    cluster.cut = { true }
    cluster:advance(1, 100)
    cluster:settle()
    assert.is_true(cluster:elect(2))
    cluster.cut = {}
    cluster:advance(1, 100) -- stands again, in term 2, with a log that lacks an entry
    cluster:settle()
    for i = 1, 3 do
      assert.equal(2, cluster:state(i).term)
      assert.equal("follower", i == 1 and "follower" or cluster:state(i).role)
    end
    assert.is_true(cluster:elect(2))
    assert.same({ "follower", 3, "n2" },
      { cluster:state(1).role, cluster:state(1).term, cluster:state(1).leader })
    assert.same({ 1, 3 }, cluster:terms(1))
  end)
end)

describe("5.4.1:", function()
  after_each(scratch.clean)

  it("a vote request carries the index and the term of the last entry", function()
    local db = scratch.open()
    save(db, { term = 3, entries = { { term = 2, data = "a" }, { term = 3, data = "b" } } })
    assert.same(ask(4, 2, 3), boot{ db = db }:advance(225)[1].body)
  end)

  it("a voter denies its vote when its own log is more up to date", function()
    -- own terms; the candidate's last index and term; whether it gets the vote
    for _, case in ipairs{
      { { 1 }, 1, 1, true }, { { 1 }, 2, 1, true }, { { 1, 1 }, 1, 1, false },
      { { 1 }, 1, 2, true }, { { 1, 1 }, 1, 2, true }, { { 2 }, 1, 1, false },
      { { 2 }, 7, 1, false }, { {}, 0, 0, true }, { { 1 }, 0, 0, false },
    } do
      local terms, last_index, last_term, granted = table.unpack(case)
      local db, entries = scratch.open(), {}
      for i, term in ipairs(terms) do entries[i] = { term = term, data = "" } end
      save(db, { term = 2, entries = entries })
      local sent = boot{ db = db }:deliver("n2", ask(3, last_index, last_term))
      assert.equal(granted, sent[1].body.granted)
      assert.equal(3, hard_state(db)[1], "the term is adopted either way")
    end
  end)
end)

describe("dissertation 6.2:", function()
  after_each(scratch.clean)

  it("a leader that hears from no majority for an election timeout steps down", function()
    local fake = leader{ options = { check_quorum = true } }
    fake:advance(225)
    fake:advance(225)
    assert.equal("follower", fake.node.state.role)
    assert.equal(1, fake.node.state.term)
    assert.is_nil(fake.node.state.leader)
    assert.equal("n1", fake.node.state.vote)
  end)

  it("does not where check_quorum is off", function()
    local fake = leader()
    fake:advance(1000)
    assert.equal("leader", fake.node.state.role)
  end)

  it("a leader that does stays", function()
    local fake = leader{ options = { check_quorum = true } }
    for _ = 1, 20 do
      fake:advance(50)
      fake:deliver("n3", { type = "append_entries_ok", term = 1, success = true, prev_index = 1,
        match = 1 })
    end
    assert.equal("leader", fake.node.state.role)
  end)

  it("does not wait for a clock that was set back to come to where it was", function()
    local world <close> = require("jangada.lab").new{ seed = 1, nodes = 3,
      protocol = "jangada.raft.protocol" }
    local function who_leads()
      for _, machine in ipairs(world.nodes) do
        if machine.up and machine.state.role == "leader" then return machine.id end
      end
    end
    assert.is_true(world:run_until(who_leads, 5000))
    world:run(100)
    world:crash(who_leads())
    world:run(20) -- its last messages have arrived
    assert.is_nil(who_leads())
    for i = 1, 3 do world:step_clock(i, -3600000) end
    assert.is_true(world:run_until(who_leads, 5000))
  end)
end)
