-- Sections 5.3 and 5.4 of the extended Raft paper.
local Log = require "jangada.log"
local command = require "jangada.raft.command"
local fake_node = require "spec.support.fake_node"
local raft = require "jangada.raft"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"
local server = require "jangada.raft.server"

local function boot(config)
  config = config or {}
  config.protocol = config.protocol or raft.protocol
  config.db = config.db or scratch.open()
  return fake_node.new(config)
end

local function entries_of(...)
  local entries = {}
  for i, term in ipairs{ ... } do
    entries[i] = { term = term, type = command.NO_OP, data = "t" .. term .. "#" .. i }
  end
  return entries
end

local function append(term, prev_index, prev_term, entries, commit)
  return { type = "append_entries", term = term, prev_index = prev_index, prev_term = prev_term,
    entries = entries or {}, commit = commit or 0 }
end

local function ok(term, prev_index, match)
  return { type = "append_entries_ok", term = term, success = true, prev_index = prev_index,
    match = match }
end

local function submit(number, ...)
  return { type = "submit", client = "c1", number = number, commands = { ... } }
end

local function terms_of(db)
  local terms = {}
  for _, entry in Log.open(db, "replog"):each() do terms[#terms + 1] = entry.term end
  return terms
end

-- A follower with a log of these terms, in the last of them.
local function follower(terms, commit)
  local db = scratch.open()
  Log.open(db, "replog"):save{ term = terms[#terms], entries = entries_of(table.unpack(terms)),
    commit = commit }
  return boot{ db = db }, db
end

-- A leader of a cluster, its no-op on its way.
local function leader(config)
  config = config or {}
  config.db = config.db or scratch.open()
  local fake = boot(config)
  fake:advance(225)
  local sent = {}
  for i = 2, (config.cluster or 3) // 2 + 1 do
    sent = fake:deliver("n" .. i,
      { type = "request_vote_ok", term = fake.node.state.term, granted = true })
  end
  assert.equal("leader", fake.node.state.role)
  return fake, config.db, sent
end

local function to(sent, dest)
  for _, message in ipairs(sent) do
    if message.dest == dest then return message.body end
  end
end

describe("5.3, the leader:", function()
  after_each(scratch.clean)

  it("a new leader writes an entry of its own term that does nothing, and sends it", function()
    local _, db, sent = leader()
    assert.same({ term = 1, type = command.NO_OP, data = "" }, Log.open(db, "replog"):entry(1))
    assert.equal(2, #sent)
    assert.same(append(1, 0, 0, { { term = 1, type = 0, data = "" } }), sent[1].body)
  end)

  it("appends a command after its last entry, with its term, and sends it with what precedes it",
    function()
      local fake, db = leader()
      fake:deliver("n2", ok(1, 0, 1))
      local sent = fake:deliver("c1", submit(1, "x"))
      local entry = { term = 1, type = command.COMMAND, data = command.encode("c1", 1, "x") }
      assert.same(entry, Log.open(db, "replog"):entry(2))
      assert.same({ { dest = "n2", body = append(1, 1, 1, { entry }, 1) } }, sent)
      sent = fake:deliver("n3", ok(1, 0, 1))
      assert.same({ { dest = "n3", body = append(1, 1, 1, { entry }, 1) } }, sent)
    end)

  it("writes its term, vote and entries in one go, and nothing for answers and heartbeats",
    function()
      local fake = leader()
      assert.equal(2, fake.updates, "the candidacy, and the first entry")
      fake:deliver("n2", ok(1, 0, 1))
      fake:deliver("c1", submit(1, "x", "y"))
      assert.equal(3, fake.updates)
      fake:deliver("n2", ok(1, 1, 3))
      assert.equal(3, fake.updates)
      fake:advance(50)
      assert.equal(3, fake.updates)
      fake:advance(50)
      assert.equal(4, fake.updates, "but for a commit index that nothing took along meanwhile")
      fake:advance(50)
      assert.equal(4, fake.updates)
    end)

  it("has one message with entries under way to a peer, and gathers for the next", function()
    local fake = leader{ options = { batch_bytes_max = 30 } }
    fake:deliver("n2", ok(1, 0, 1))
    assert.equal(1, #fake:deliver("c1", submit(1, "a")))
    assert.same({}, fake:deliver("c1", submit(2, "b")))
    assert.same({}, fake:deliver("c1", submit(3, "c", "d", "e")))
    local next = to(fake:deliver("n2", ok(1, 1, 2)), "n2")
    assert.equal(2, next.prev_index)
    assert.equal(2, #next.entries, "two of 12 bytes fit into 30")
    next = to(fake:deliver("n2", ok(1, 2, 4)), "n2")
    assert.equal(2, #next.entries)
    assert.is_nil(to(fake:deliver("n2", ok(1, 4, 6)), "n2"))
  end)

  it("sends an entry larger than a batch alone", function()
    local fake = leader{ options = { batch_bytes_max = 10 } }
    fake:deliver("n2", ok(1, 0, 1))
    local body = to(fake:deliver("c1", submit(1, ("x"):rep(100), "y")), "n2")
    assert.equal(1, #body.entries)
  end)

  it("sends again what was lost, after a heartbeat shows it", function()
    local fake = leader()
    fake:deliver("n2", ok(1, 0, 1))
    fake:deliver("c1", submit(1, "x")) -- lost
    assert.same({}, to(fake:advance(50), "n2").entries)
    local again = to(fake:deliver("n2", ok(1, 1, 1)), "n2")
    assert.equal(1, #again.entries)
    assert.equal(1, again.prev_index)
  end)

  it("does not take for lost what was sent after the heartbeat", function()
    local fake = leader()
    fake:deliver("n2", ok(1, 0, 1))
    fake:advance(50)
    fake:deliver("c1", submit(1, "x"))
    assert.same({}, fake:deliver("n2", ok(1, 1, 1)))
    fake:advance(50)
    assert.equal(1, #to(fake:deliver("n2", ok(1, 1, 1)), "n2").entries)
  end)

  it("does not multiply messages when answers come twice", function()
    local fake = leader()
    fake:deliver("n2", ok(1, 0, 1))
    fake:deliver("c1", submit(1, "x"))
    fake:deliver("c1", submit(2, "y"))
    assert.equal(1, #to(fake:deliver("n2", ok(1, 1, 2)), "n2").entries)
    assert.same({}, fake:deliver("n2", ok(1, 1, 2)))
    assert.same({}, fake:deliver("n2", ok(1, 0, 1)))
  end)

  it("commits exactly when a majority of all members has an entry", function()
    -- members, how many of the others answer -> committed
    for _, case in ipairs{
      { 1, 0, true }, { 2, 0, false }, { 2, 1, true }, { 3, 0, false }, { 3, 1, true },
      { 4, 1, false }, { 4, 2, true }, { 5, 1, false }, { 5, 2, true }, { 7, 2, false },
      { 7, 3, true },
    } do
      local members, answers, committed = table.unpack(case)
      local fake = leader{ cluster = members }
      for i = 2, answers + 1 do fake:deliver("n" .. i, ok(1, 0, 1)) end
      assert.equal(committed and 1 or 0, fake.node.state.commit, table.concat(case, " ", 1, 2))
      assert.equal(committed and 1 or 0, #fake.committed)
    end
  end)

  it("counts a peer once, and never backwards", function()
    local fake = leader{ cluster = 5 }
    fake:deliver("n2", ok(1, 0, 1))
    fake:deliver("n2", ok(1, 0, 1))
    assert.equal(0, fake.node.state.commit)
    fake:deliver("c1", submit(1, "x"))
    fake:deliver("n2", ok(1, 1, 2))
    fake:deliver("n2", ok(1, 0, 1)) -- late
    fake:deliver("n3", ok(1, 0, 2))
    assert.equal(2, fake.node.state.commit)
  end)

  it("tells the commit index with the next message, and followers apply in order", function()
    local fake = leader()
    fake:deliver("n2", ok(1, 0, 1))
    assert.equal(1, to(fake:advance(50), "n3").commit)
    local other = boot{ id = "n2" }
    other:deliver("n1", append(1, 0, 0, entries_of(1, 1, 1)))
    assert.same({}, other.committed)
    other:deliver("n1", append(1, 3, 1, {}, 3))
    local indexes = {}
    for i, committed in ipairs(other.committed) do indexes[i] = committed.index end
    assert.same({ 1, 2, 3 }, indexes)
    assert.same({ index = 2, term = 1, data = "t1#2" }, other.committed[2])
  end)

  it("goes back over whole terms when a follower refuses, and never behind a match", function()
    local db = scratch.open()
    Log.open(db, "replog"):save{ term = 6, entries = entries_of(1, 1, 1, 4, 4, 5, 5, 6, 6, 6) }
    local fake = leader{ db = db }
    -- Figure 7 (f): terms 1 1 1 2 2 2 3 3 3 3 3; it has term 3 at 10, no higher term before.
    local function refused(prev_index, hint_index, hint_term)
      return to(fake:deliver("n3", { type = "append_entries_ok", term = 7, success = false,
        prev_index = prev_index, hint_index = hint_index, hint_term = hint_term }), "n3")
    end
    local sent = refused(10, 10, 3)
    assert.equal(3, sent.prev_index)
    assert.equal(8, #sent.entries)
    assert.is_nil(refused(10, 2, 1), "an answer overtaken since says nothing")
    fake:deliver("n3", ok(7, 3, 5))
    assert.is_nil(refused(5, 1, 1), "not behind what is known to match")
  end)
end)

describe("5.3, the follower:", function()
  after_each(scratch.clean)

  it("accepts exactly when it has the entry before", function()
    for _, case in ipairs{
      { 0, 0, true }, { 1, 1, true }, { 2, 2, true }, { 1, 2, false }, { 2, 1, false },
      { 3, 2, false }, { 3, 3, false },
    } do
      local prev_index, prev_term, success = table.unpack(case)
      local fake = follower{ 1, 2 }
      local body = fake:deliver("n2", append(3, prev_index, prev_term))[1].body
      assert.equal(success, body.success, prev_index .. " " .. prev_term)
      assert.equal(prev_index, body.prev_index)
    end
  end)

  it("hints at the last place where the logs may agree", function()
    local fake = follower{ 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3 }
    local body = fake:deliver("n2", append(7, 10, 6))[1].body
    assert.same({ 10, 3 }, { body.hint_index, body.hint_term })
    body = fake:deliver("n2", append(7, 9, 2))[1].body
    assert.same({ 6, 2 }, { body.hint_index, body.hint_term })
    body = fake:deliver("n2", append(7, 20, 6))[1].body
    assert.same({ 11, 3 }, { body.hint_index, body.hint_term })
  end)

  it("keeps nothing of a message it refuses", function()
    local fake, db = follower{ 1, 2 }
    fake:deliver("n2", append(3, 2, 1, entries_of(3, 3), 2))
    assert.same({ 1, 2 }, terms_of(db))
    assert.equal(0, fake.node.state.commit)
  end)

  it("replaces from the first entry that differs, and rewrites none that is there", function()
    -- own terms, prev_index, terms sent -> terms after, whether anything is written
    for _, case in ipairs{
      { { 1, 2 }, 2, { 3 }, { 1, 2, 3 }, true },
      { { 1, 2 }, 1, { 3, 3 }, { 1, 3, 3 }, true },
      { { 1, 2 }, 0, { 1, 3 }, { 1, 3 }, true },
      { { 1, 2 }, 0, { 3 }, { 3 }, true },
      { { 1, 1, 1 }, 0, { 1, 1 }, { 1, 1, 1 }, false },
      { { 1, 1, 1 }, 0, { 1, 1, 1, 1 }, { 1, 1, 1, 1 }, true },
      { { 1, 1, 1 }, 1, {}, { 1, 1, 1 }, false },
    } do
      local own, prev_index, sent, after, written = table.unpack(case)
      local fake, db = follower(own)
      local term = own[#own]
      if sent[#sent] and sent[#sent] > term then
        term = sent[#sent]
      end
      local body = fake:deliver("n2",
        append(term, prev_index, own[prev_index] or 0, entries_of(table.unpack(sent))))[1].body
      assert.is_true(body.success)
      assert.equal(prev_index + #sent, body.match)
      assert.same(after, terms_of(db))
      assert.equal(#after, fake.node.state.last)
      assert.equal(written and 1 or 0, fake.updates)
    end
  end)

  it("is not shortened by an old message that comes late or twice", function()
    local fake, db = follower{ 1 }
    local short, long = append(1, 1, 1, entries_of(1)), append(1, 1, 1, entries_of(1, 1, 1))
    fake:deliver("n2", long)
    fake:deliver("n2", short)
    fake:deliver("n2", append(1, 0, 0))
    fake:deliver("n2", long)
    assert.same({ 1, 1, 1, 1 }, terms_of(db))
    assert.equal(1, fake.updates)
  end)

  it("adopts a term and stores its entries in one write", function()
    local fake, db = follower{ 1, 2 }
    fake:deliver("n2", append(5, 2, 2, entries_of(4, 5), 3))
    assert.equal(1, fake.updates)
    assert.same({ 5, nil, 3 }, { Log.open(db, "replog"):hard_state() })
  end)

  it("writes nothing for a heartbeat", function()
    local fake = follower({ 1, 1 }, 1)
    for _ = 1, 3 do fake:deliver("n2", append(1, 2, 1, {}, 1)) end
    assert.equal(0, fake.updates)
  end)

  it("commits what the leader has, as far as this message proved the logs equal", function()
    -- own terms, prev_index, entries, the leader's commit -> commit
    for _, case in ipairs{
      { { 1, 1, 1 }, 3, 0, 2, 2 }, { { 1, 1, 1 }, 3, 0, 9, 3 }, { { 1, 1, 1 }, 1, 1, 9, 2 },
      { { 1, 1, 1 }, 3, 1, 4, 4 }, { { 1, 1, 1 }, 0, 0, 3, 0 },
    } do
      local own, prev_index, count, leader_commit, commit = table.unpack(case)
      local entries = {}
      for i = 1, count do entries[i] = { term = 1, type = 0, data = "" .. i } end
      local fake = follower(own)
      fake:deliver("n2", append(1, prev_index, own[prev_index] or 0, entries, leader_commit))
      assert.equal(commit, fake.node.state.commit)
      assert.equal(commit, #fake.committed)
    end
  end)

  it("never takes its commit index back", function()
    local fake, db = follower({ 1, 1, 1 }, 3)
    fake:deliver("n2", append(1, 3, 1, {}, 1))
    fake:deliver("n2", append(1, 3, 1, entries_of(1), 2))
    assert.equal(3, fake.node.state.commit)
    assert.same({ 1, nil, 3 }, { Log.open(db, "replog"):hard_state() })
  end)

  it("saves its commit index with entries when it lags far behind, and alone at rest", function()
    local fake, db = follower{ 1 }
    local function saved() return (select(3, Log.open(db, "replog"):hard_state())) end
    local last = 1
    local function grow()
      fake:deliver("n2", append(1, last, 1, entries_of(1), last))
      last = last + 1
    end
    for _ = 1, server.COMMIT_LAG_MAX - 1 do grow() end
    assert.equal(0, saved())
    grow()
    assert.equal(last - 1, saved())
    grow()
    assert.equal(last - 2, saved())
    for _ = 1, 2 do fake:deliver("n2", append(1, last, 1, {}, last)) end
    assert.equal(last, saved())
    local failed = pcall(fake.deliver, fake, "n2", append(2, last - 1, 1, entries_of(2), last))
    assert.is_false(failed, "no rule lets a leader replace what is committed; the log refuses")
  end)

  it("boots with the saved commit index, and applies no more than that", function()
    local fake = follower({ 1, 1, 1 }, 2)
    assert.equal(2, fake.node.state.commit)
    assert.equal(2, #fake.committed)
  end)

  it("a leader hears of no other leader in its term", function()
    local fake, db = leader()
    assert.same({}, fake:deliver("n2", append(1, 0, 0, entries_of(1))))
    assert.equal("leader", fake.node.state.role)
    assert.same({ term = 1, type = 0, data = "" }, Log.open(db, "replog"):entry(1))
  end)
end)

describe("5.3, Figure 7:", function()
  after_each(scratch.clean)

  local LEADER <const> = { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6 }
  local FOLLOWERS <const> = {
    a = { 1, 1, 1, 4, 4, 5, 5, 6, 6 },
    b = { 1, 1, 1, 4 },
    c = { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6 },
    d = { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7 },
    e = { 1, 1, 1, 4, 4, 4, 4 },
    f = { 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3 },
  }

  for _, name in ipairs{ "a", "b", "c", "d", "e", "f" } do
    for _, batch_bytes_max in ipairs{ 64 * 1024, 1 } do
      it(("a leader brings follower (%s) to its own log, %d bytes at a time"):format(
        name, batch_bytes_max), function()
        local cluster = raft_cluster.new(3, { batch_bytes_max = batch_bytes_max })
        cluster:prepare(1, LEADER, 7)
        cluster:prepare(2, FOLLOWERS[name], 7)
        for i = 1, 3 do cluster:boot(i) end -- the third one, empty, gives the vote
        assert.is_true(cluster:elect(1))
        for _ = 1, 3 do
          cluster:advance(1, 50)
          cluster:settle()
        end
        local expected = table.move(LEADER, 1, #LEADER, 1, {})
        expected[#expected + 1] = 8
        for i = 1, 3 do
          assert.same(expected, cluster:terms(i))
          assert.equal(#expected, cluster:state(i).commit)
        end
      end)
    end
  end
end)

describe("5.4.2:", function()
  after_each(scratch.clean)

  it("entries of earlier terms are not committed by counting, but with one of the own term",
    function()
      local db = scratch.open()
      Log.open(db, "replog"):save{ term = 2, entries = entries_of(1, 2) }
      local fake = leader{ db = db, cluster = 5 } -- of term 3, its own entry at 3
      for i = 2, 5 do fake:deliver("n" .. i, ok(3, 0, 2)) end
      assert.equal(0, fake.node.state.commit)
      fake:deliver("n2", ok(3, 2, 3))
      assert.equal(0, fake.node.state.commit)
      fake:deliver("n3", ok(3, 2, 3))
      assert.equal(3, fake.node.state.commit)
      assert.equal(3, #fake.committed)
    end)

  it("a leader may replace uncommitted entries of a higher term than its own last one", function()
    local cluster = raft_cluster.new(3)
    cluster:prepare(1, { 1, 1 }, 2)
    cluster:prepare(2, { 1 }, 2)
    cluster:prepare(3, { 1, 2, 2 }, 2) -- written by a leader that reached nobody
    for i = 1, 3 do cluster:boot(i) end
    cluster.cut = { [3] = true }
    assert.is_true(cluster:elect(1))
    cluster.cut = {}
    for _ = 1, 2 do
      cluster:advance(1, 50)
      cluster:settle()
    end
    for i = 1, 3 do assert.same({ 1, 1, 3 }, cluster:terms(i)) end
  end)
end)

describe("5.3, a network that reorders, duplicates and loses:", function()
  after_each(scratch.clean)

  it("logs become equal, and every command is there once, in order", function()
    for seed = 1, 20 do
      local state = seed
      local function random(n)
        state = (state * 6364136223846793005 + 1442695040888963407)
        return (state >> 33) % n + 1
      end
      local function pick(count)
        local luck = random(10)
        if luck == 1 then return nil end -- lost
        return random(count), luck <= 3 -- kept, to come again
      end
      local cluster = raft_cluster.new(3, { batch_bytes_max = 40 })
      for i = 1, 3 do cluster:boot(i) end
      for _ = 1, 50 do
        if cluster:state(1).role ~= "leader" then cluster:advance(1, 100) end
        cluster:settle(pick)
      end
      local expected = {}
      for number = 1, 30 do
        expected[number] = "command " .. number
        cluster:request(1, submit(number, expected[number]))
        cluster:settle(pick)
        cluster:advance(1, 50)
        cluster:settle(pick)
        if cluster:state(1).role ~= "leader" then cluster:elect(1) end
      end
      cluster:request(1, submit(30, expected[30]))
      for _ = 1, 5 do
        cluster:advance(1, 50)
        cluster:settle()
      end
      for i = 1, 3 do
        local got = {}
        for _, entry in Log.open(cluster.dbs[i], "replog"):each() do
          if entry.type == command.COMMAND then
            local _, _, payload = command.decode(entry.data)
            got[#got + 1] = payload
          end
        end
        assert.same(expected, got, "seed " .. seed .. ", n" .. i)
        assert.equal(cluster:state(1).last, cluster:state(i).commit)
      end
      scratch.clean()
    end
  end)
end)
