-- Section 5.3 of the extended Raft paper: the follower.
local Log = require "jangada.log"
local fakes = require "spec.support.fakes"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"
local server = require "jangada.raft.server"

local append, entries_of, follower = fakes.append, fakes.entries_of, fakes.follower
local leader, terms_of = fakes.leader, fakes.terms_of

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
