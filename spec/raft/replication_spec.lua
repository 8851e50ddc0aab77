-- Section 5.3 of the extended Raft paper: the leader, and a cluster. follower_spec.lua has the
-- follower.
local Log = require "jangada.log"
local command = require "jangada.raft.command"
local fakes = require "spec.support.fakes"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"

local append, boot, entries_of, leader = fakes.append, fakes.boot, fakes.entries_of, fakes.leader
local ok, submit, to = fakes.ok, fakes.submit, fakes.to

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

  it("probes a new peer with one message, and gathers until it is answered", function()
    local fake = leader{ options = { batch_bytes_max = 30 } }
    assert.same({}, fake:deliver("c1", submit(1, "a")))
    assert.same({}, fake:deliver("c1", submit(2, "b", "c")))
    local sent = fake:deliver("n2", ok(1, 0, 1))
    assert.equal(2, #sent, "now it is replicated to")
    assert.equal(1, sent[1].body.prev_index)
    assert.equal(2, #sent[1].body.entries, "two of 12 bytes fit into 30")
    assert.equal(3, sent[2].body.prev_index)
    assert.equal(1, #sent[2].body.entries)
  end)

  it("has inflight_max messages on their way to a peer that keeps up, and gathers for the next",
    function()
      local fake = leader{ options = { inflight_max = 2 } }
      fake:deliver("n2", ok(1, 0, 1))
      assert.equal(1, to(fake:deliver("c1", submit(1, "a")), "n2").prev_index)
      assert.equal(2, to(fake:deliver("c1", submit(2, "b")), "n2").prev_index)
      assert.same({}, fake:deliver("c1", submit(3, "c")))
      assert.same({}, fake:deliver("c1", submit(4, "d")))
      assert.same({}, to(fake:advance(50), "n2").entries, "a heartbeat passes")
      local next = to(fake:deliver("n2", ok(1, 1, 2)), "n2")
      assert.equal(3, next.prev_index)
      assert.equal(2, #next.entries)
      assert.same({}, fake:deliver("n2", ok(1, 1, 2)), "an old answer frees nothing")
      assert.same({}, fake:deliver("c1", submit(5, "e")))
      next = to(fake:deliver("n2", ok(1, 3, 5)), "n2") -- for both: it came before the other answer
      assert.equal(5, next.prev_index)
      assert.equal(1, #next.entries)
      assert.equal(6, to(fake:deliver("c1", submit(6, "f")), "n2").prev_index)
    end)

  it("probes a peer again from what it holds when a message on its way is refused", function()
    local fake = leader()
    fake:deliver("n2", ok(1, 0, 1))
    for number = 1, 3 do fake:deliver("c1", submit(number, "x")) end -- the first one is lost
    local function refused(prev_index)
      return fake:deliver("n2", { type = "append_entries_ok", term = 1, success = false,
        prev_index = prev_index, hint_index = 1, hint_term = 1 })
    end
    local again = to(refused(2), "n2")
    assert.equal(1, again.prev_index)
    assert.equal(3, #again.entries)
    assert.same({}, refused(3), "once, whatever else was on its way")
    assert.same({}, fake:deliver("c1", submit(4, "y")), "one message while it is probed")
    assert.equal(4, to(fake:deliver("n2", ok(1, 1, 4)), "n2").prev_index)
    assert.same({}, refused(2), "an answer overtaken since says nothing")
    assert.equal(5, to(fake:deliver("c1", submit(5, "z")), "n2").prev_index)
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
    fake:deliver("c1", submit(2, "y")) -- lost as well
    local sent = fake:deliver("n2", ok(1, 1, 1))
    assert.equal(1, #sent)
    assert.equal(2, #sent[1].body.entries)
    assert.equal(1, sent[1].body.prev_index)
    assert.same({}, fake:deliver("n2", ok(1, 1, 1)), "once for a heartbeat")
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
    fake:deliver("n2", ok(1, 1, 2)) -- answers the client
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
