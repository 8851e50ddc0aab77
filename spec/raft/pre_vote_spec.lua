-- Sections 4.2.3 and 9.6 of Ongaro's dissertation: elections that disturb nobody.
local Log = require "jangada.log"
local fakes = require "spec.support.fakes"
local lab = require "jangada.lab"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"

local append, terms_of = fakes.append, fakes.terms_of

local ON <const> = { pre_vote = true, check_quorum = true }

local function boot(config)
  config = config or {}
  config.options = config.options or ON
  return fakes.boot(config)
end

local function ask(kind, term, last_index, last_term)
  return { type = kind, term = term, last_index = last_index or 0, last_term = last_term or 0 }
end

local function pre_grant(term, granted, next_term)
  return { type = "request_pre_vote_ok", term = term, next_term = next_term or term + 1,
    granted = granted ~= false }
end

-- A store with a log of these terms, in that term.
local function stored(terms, term)
  local db = scratch.open()
  Log.open(db, "replog"):save{ term = term, entries = fakes.entries_of(table.unpack(terms)) }
  return db
end

local function hard_state(db) return { Log.open(db, "replog"):hard_state() } end

local function leader(config)
  local fake = boot(config)
  fake:advance(225)
  fake:deliver("n2", pre_grant(fake.node.state.term))
  fake:deliver("n2",
    { type = "request_vote_ok", term = fake.node.state.term, granted = true })
  assert.equal("leader", fake.node.state.role)
  return fake
end

describe("9.6, the pre-candidate:", function()
  after_each(scratch.clean)

  it("asks all others about the next term, and neither raises its own nor saves", function()
    local db = stored({ 2, 3 }, 4)
    local fake = boot{ db = db, cluster = 5 }
    assert.same({}, fake:advance(224))
    local sent = fake:advance(1)
    assert.equal(4, #sent)
    for i, message in ipairs(sent) do
      assert.equal("n" .. i + 1, message.dest)
      assert.same(ask("request_pre_vote", 5, 2, 3), message.body)
    end
    assert.same({ "pre_candidate", 4 }, { fake.node.state.role, fake.node.state.term })
    fake:advance(3000)
    assert.same({ 4, nil, 0 }, hard_state(db))
    assert.equal(0, fake.updates)
  end)

  it("stands when a majority would vote for it, a majority of different members", function()
    local fake = boot{ cluster = 5 }
    fake:advance(225)
    fake:deliver("n2", pre_grant(0))
    fake:deliver("n3", pre_grant(0, false))
    assert.same({}, fake:deliver("n2", pre_grant(0)))
    local sent = fake:deliver("n4", pre_grant(0))
    assert.equal(4, #sent)
    assert.same(ask("request_vote", 1), sent[1].body)
    assert.same({ "candidate", 1, "n1" },
      { fake.node.state.role, fake.node.state.term, fake.node.state.vote })
    assert.same({}, fake:deliver("n5", pre_grant(0)), "once")
  end)

  it("does not take what it was promised for votes", function()
    local fake = boot{ cluster = 5 }
    fake:advance(225)
    fake:deliver("n2", pre_grant(0))
    fake:deliver("n3", pre_grant(0))
    fake:deliver("n4", { type = "request_vote_ok", term = 1, granted = true })
    assert.equal("candidate", fake.node.state.role)
  end)

  it("has a whole timeout for the election itself, then asks again", function()
    local fake = boot()
    fake:advance(225)
    fake:advance(200)
    fake:deliver("n2", pre_grant(0))
    assert.same({}, fake:advance(224))
    assert.same(ask("request_pre_vote", 2), fake:advance(1)[1].body)
  end)

  it("ignores a promise for a term that it is past", function()
    local fake = boot()
    fake:advance(225)
    fake:deliver("n2", pre_grant(0))
    fake:advance(225) -- not elected in term 1: asks about term 2
    assert.same({}, fake:deliver("n2", pre_grant(0)))
    assert.equal("pre_candidate", fake.node.state.role)
  end)

  it("learns a higher term from the answer, durably, and asks about the next one", function()
    local db = scratch.open()
    local fake = boot{ db = db }
    fake:advance(225)
    fake:deliver("n2", pre_grant(7, false, 1))
    assert.same({ "follower", 7 }, { fake.node.state.role, hard_state(db)[1] })
    assert.same(ask("request_pre_vote", 8), fake:advance(225)[1].body)
  end)

  it("follows a leader of its term", function()
    local fake = boot()
    fake:advance(225)
    fake:deliver("n3", append(0, 0, 0))
    assert.same({ "follower", "n3" }, { fake.node.state.role, fake.node.state.leader })
    assert.same({}, fake:deliver("n2", pre_grant(0)))
  end)

  it("stands back when it gives its vote", function()
    local db = stored({}, 1)
    local fake = boot{ db = db }
    fake:advance(225)
    assert.is_true(fake:deliver("n3", ask("request_vote", 1))[1].body.granted)
    assert.same({}, fake:deliver("n2", pre_grant(1)))
    assert.equal("follower", fake.node.state.role)
  end)

  it("alone elects itself", function()
    local fake = boot{ cluster = 1 }
    fake:advance(225)
    assert.equal("leader", fake.node.state.role)
    assert.equal(1, fake.updates)
  end)
end)

describe("9.6, the voter:", function()
  after_each(scratch.clean)

  it("promises its vote to an up-to-date log in a new term, and changes nothing", function()
    -- the term asked about, last index and term -> granted; the voter's term is 3, its log 1 2
    for _, case in ipairs{
      { 4, 2, 2, true }, { 9, 1, 3, true }, { 4, 3, 2, true }, { 4, 1, 2, false },
      { 4, 9, 1, false }, { 3, 2, 2, false }, { 1, 2, 2, false },
    } do
      local term, last_index, last_term, granted = table.unpack(case)
      local db = stored({ 1, 2 }, 3)
      local fake = boot{ db = db }
      local sent = fake:deliver("n2", ask("request_pre_vote", term, last_index, last_term))
      assert.same({ type = "request_pre_vote_ok", term = 3, next_term = term, granted = granted },
        sent[1].body)
      assert.same({ "follower", 3 }, { fake.node.state.role, fake.node.state.term })
      assert.same({ 3, nil, 0 }, hard_state(db))
      assert.equal(0, fake.updates)
    end
  end)

  it("promises it to several, who has voted too", function()
    local fake = boot()
    fake:deliver("n2", ask("request_vote", 1))
    assert.is_true(fake:deliver("n3", ask("request_pre_vote", 2))[1].body.granted)
    assert.is_true(fake:deliver("n2", ask("request_pre_vote", 2))[1].body.granted)
    assert.equal("n2", fake.node.state.vote)
  end)

  it("does not put its own election off", function()
    local fake = boot()
    fake:advance(200)
    fake:deliver("n2", ask("request_pre_vote", 1))
    assert.equal("request_pre_vote", fake:advance(25)[1].body.type)
  end)

  it("denies it for the least election timeout after it heard from a leader", function()
    local fake = boot()
    fake:deliver("n3", append(1, 0, 0))
    local function granted()
      return fake:deliver("n2", ask("request_pre_vote", 2))[1].body.granted
    end
    fake:advance(149)
    assert.is_false(granted())
    fake:advance(1)
    assert.is_true(granted())
  end)

  it("denies it while it leads", function()
    local fake = leader()
    fake:advance(160)
    assert.is_false(fake:deliver("n3", ask("request_pre_vote", 9, 9, 9))[1].body.granted)
  end)
end)

describe("4.2.3:", function()
  after_each(scratch.clean)

  it("who heard from a leader lately ignores requests for votes, and their terms", function()
    local db = scratch.open()
    local fake = boot{ db = db }
    fake:deliver("n3", append(1, 0, 0))
    fake:advance(149)
    assert.same({}, fake:deliver("n2", ask("request_vote", 9)))
    assert.same({ "n3", 1 }, { fake.node.state.leader, hard_state(db)[1] })
    assert.equal(1, fake.marks.vote_request_ignored)
    fake:advance(1)
    assert.is_true(fake:deliver("n2", ask("request_vote", 9))[1].body.granted)
  end)

  it("a leader ignores them as long as it leads", function()
    local fake = leader()
    assert.same({}, fake:deliver("n2", ask("request_vote", 9, 9, 9)))
    assert.same({ "leader", 1 }, { fake.node.state.role, fake.node.state.term })
    fake:advance(450)
    assert.equal("follower", fake.node.state.role)
    assert.is_true(fake:deliver("n2", ask("request_vote", 9, 9, 9))[1].body.granted)
  end)

  it("a request of an old term is still told the new one", function()
    local fake = boot()
    fake:deliver("n3", append(5, 0, 0))
    assert.same({ type = "request_vote_ok", term = 5, granted = false },
      fake:deliver("n2", ask("request_vote", 4))[1].body)
  end)

  it("giving a vote is not hearing from a leader", function()
    local fake = boot()
    fake:deliver("n3", append(1, 0, 0))
    fake:advance(150)
    fake:deliver("n2", ask("request_vote", 2))
    assert.is_true(fake:deliver("n3", ask("request_vote", 3))[1].body.granted)
  end)

  it("all are listened to where check_quorum is off: the leader might never give up", function()
    local fake = boot{ options = { check_quorum = false, pre_vote = true } }
    fake:deliver("n3", append(1, 0, 0))
    assert.is_true(fake:deliver("n2", ask("request_pre_vote", 2))[1].body.granted)
    assert.is_true(fake:deliver("n2", ask("request_vote", 2))[1].body.granted)
  end)
end)

-- Three nodes, whose clocks go together.
local function cluster_of_three()
  local cluster = raft_cluster.new(3,
    { pre_vote = true, check_quorum = true, election_timeout_ms = { 100, 300 } })
  function cluster.run(self, ms)
    for _ = 1, ms // 10 do
      for i in ipairs(self.fakes) do self:advance(i, 10) end
      self:settle()
    end
  end
  return cluster
end

describe("together they do not lock anybody out:", function()
  after_each(scratch.clean)

  it("a server of a higher term, which no election can bring in, has its term adopted", function()
    local cluster = cluster_of_three()
    cluster:prepare(3, {}, 9)
    for i = 1, 3 do cluster:boot(i) end
    cluster.cut = { [3] = true }
    cluster:run(200)
    assert.same({ "leader", 1 }, { cluster:state(1).role, cluster:state(1).term })
    cluster.cut = {}
    cluster:run(600)
    local leaders = 0
    for i = 1, 3 do
      assert.equal(10, cluster:state(i).term)
      if cluster:state(i).role == "leader" then leaders = leaders + 1 end
      assert.same({ 1, 10 }, terms_of(cluster.dbs[i]))
    end
    assert.equal(1, leaders)
  end)

  it("the best log, of an old term, is not denied by the higher term of another", function()
    local cluster = cluster_of_three()
    cluster:prepare(1, { 1, 1 }, 1)
    cluster:prepare(2, { 1 }, 5)
    for i = 1, 2 do cluster:boot(i) end -- n3 is down: n1 alone can win
    cluster:run(1000)
    assert.same({ "leader", 6 }, { cluster:state(1).role, cluster:state(1).term })
  end)

  it("a server that comes back from a partition leaves the leader and the term alone", function()
    local cluster = cluster_of_three()
    for i = 1, 3 do cluster:boot(i) end
    cluster:run(200)
    cluster.cut = { [3] = true }
    cluster:run(3000)
    assert.equal("pre_candidate", cluster:state(3).role)
    cluster.cut = {}
    cluster:run(300)
    for i = 1, 3 do
      assert.same({ 1, "n1" }, { cluster:state(i).term, cluster:state(i).leader })
    end
  end)

  it("an election goes on when the leader that all hear can no longer hear anybody", function()
    local world <close> = lab.new{ seed = 1, nodes = 3, protocol = "jangada.raft.protocol" }
    local function who_leads()
      for i, machine in ipairs(world.nodes) do
        if machine.state.role == "leader" then return i end
      end
    end
    assert.is_true(world:run_until(who_leads, 5000))
    local deaf = who_leads()
    world:one_way({ deaf % 3 + 1, (deaf + 1) % 3 + 1 }, { deaf })
    assert.is_true(world:run_until(function()
      local leads = who_leads()
      return leads and leads ~= deaf
    end, 5000))
  end)
end)
