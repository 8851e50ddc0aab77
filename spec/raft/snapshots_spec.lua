-- Section 7 of the extended Raft paper: snapshots.
local Log = require "jangada.log"
local command = require "jangada.raft.command"
local fakes = require "spec.support.fakes"
local kv = require "jangada.raft.kv"
local list = require "jangada.raft.list"
local packing = require "jangada.raft.packing"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"

local append, to = fakes.append, fakes.to

local function submit(number, ...)
  return { type = "submit", client = "c1", number = number, commands = { ... }, msg_id = number }
end

local function new_cluster(options)
  local cluster = raft_cluster.new(3, options)
  for i = 1, 3 do cluster:boot(i) end
  assert.is_true(cluster:elect(1))
  return cluster
end

local function log_of(cluster, i) return Log.open(cluster.dbs[i], "replog") end

-- Heartbeats of a leader, until nothing more follows from them.
local function beat(cluster, i, times)
  for _ = 1, times do
    cluster:advance(i, 50)
    cluster:settle()
  end
end

local function last_reply(cluster) return cluster.replies[#cluster.replies].body end

-- A cluster whose third node has missed ten commands, which the log of the others has no more.
local function with_one_behind(options)
  options = options or {}
  options.compaction = options.compaction or { entries = 4 }
  local cluster = new_cluster(options)
  cluster.cut[3] = true
  for number = 1, 10 do
    cluster:request(1, submit(number, "command " .. number))
    cluster:settle()
  end
  assert.is_true(log_of(cluster, 1):first_index() > 1)
  cluster.cut[3] = nil
  return cluster
end

local function install(term, snapshot, offset, data)
  return { type = "install_snapshot", term = term, snapshot = snapshot, offset = offset,
    data = data }
end

-- The data of a snapshot of a list machine with these items, of no client.
local function data_of(...)
  local machine, parts = list.new(), { string.pack(">s4", packing.pack({})) }
  for _, item in ipairs{ ... } do machine:apply(item) end
  for part in machine:snapshot() do parts[#parts + 1] = string.pack(">s4", part) end
  return table.concat(parts)
end

local function snapshot_of(index, term, data)
  return { index = index, term = term, position = 0, info = "n1 n2 n3", size = #data }
end

describe("a server that compacts", function()
  after_each(scratch.clean)

  it("saves a snapshot after so many entries, and keeps trailing ones and the term before them",
    function()
      local cluster = new_cluster{ compaction = { entries = 5, trailing = 2 } }
      cluster:request(1, submit(1, "a", "b", "c", "d"))
      cluster:settle()
      local log = log_of(cluster, 1)
      assert.equal(5, log:snapshot().index)
      assert.equal("n1 n2 n3", log:snapshot().info)
      assert.equal(4, log:first_index())
      assert.equal(1, log:term(3))
      assert.same({ { "leader", { term = 1 } }, { "snapshot", { index = 5, term = 1 } } },
        { cluster.fakes[1].traces[2], cluster.fakes[1].traces[3] })
    end)

  it("counts bytes, too", function()
    local cluster = new_cluster{ compaction = { bytes = 1000 } }
    cluster:request(1, submit(1, "a"))
    cluster:settle()
    assert.is_nil(log_of(cluster, 1):snapshot())
    cluster:request(1, submit(2, ("x"):rep(1000)))
    cluster:settle()
    assert.equal(3, log_of(cluster, 1):snapshot().index)
  end)

  it("boots from its snapshot and what follows it, sessions included", function()
    local cluster = new_cluster{ compaction = { entries = 4 } }
    for number = 1, 6 do
      cluster:request(1, submit(number, "x"))
      cluster:settle()
    end
    for i = 1, 3 do cluster:boot(i) end
    assert.is_true(log_of(cluster, 1):first_index() > 1)
    assert.is_true(cluster:elect(1))
    cluster:request(1, submit(6, "x"))
    cluster:settle()
    assert.same({ 6 }, last_reply(cluster).results)
    cluster:request(1, submit(2, "x"))
    cluster:settle()
    assert.same({ 2 }, last_reply(cluster).results, "an answer that the snapshot has kept")
    cluster:request(1, submit(7, "x"))
    cluster:settle()
    assert.same({ 7 }, last_reply(cluster).results)
  end)

  it("writes a large one in several turns, of the state when it was begun", function()
    local cluster = new_cluster{ compaction = { entries = 3 }, batch_bytes_max = 1 << 20 }
    cluster:request(1, submit(1, ("a"):rep(300000), ("b"):rep(300000)))
    cluster:settle()
    assert.is_nil(log_of(cluster, 1):snapshot())
    cluster:request(1, submit(3, "c"))
    cluster:settle()
    assert.is_nil(log_of(cluster, 1):snapshot())
    for _ = 1, 4 do cluster:advance(1, 1) end
    assert.equal(3, log_of(cluster, 1):snapshot().index)
    assert.equal(4, log_of(cluster, 1):first_index())
    cluster:boot(1)
    beat(cluster, 2, 8)
    assert.equal("leader", cluster:state(2).role)
    cluster:request(2, submit(4, "d"))
    cluster:settle()
    assert.same({ 4 }, last_reply(cluster).results)
  end)

  it("refuses a policy that says nothing, or has what is none", function()
    for _, policy in ipairs{ {}, 5, { trailing = 3 }, { entries = 0 }, { bytes = 1.5 },
      { entries = 5, trailing = -1 }, { entries = 5, often = 1 } } do
      assert.error_matches(function() fakes.boot{ options = { compaction = policy } } end,
        "compaction must be")
    end
  end)
end)

describe("a follower that is too far behind", function()
  after_each(scratch.clean)

  it("is sent the snapshot in pieces, and then what follows it", function()
    local cluster = with_one_behind{ snapshot_bytes_max = 20 }
    beat(cluster, 1, 3)
    local log = log_of(cluster, 3)
    assert.equal(11, log:last_index())
    assert.equal(log_of(cluster, 1):snapshot().index, log:snapshot().index)
    assert.equal(1, cluster.fakes[3].marks.snapshot_installed)
    assert.equal(11, cluster:state(3).commit)
    cluster.cut[1] = true
    assert.is_true(cluster:elect(3))
    cluster:request(3, submit(11, "one more"))
    cluster:settle()
    assert.same({ 11 }, last_reply(cluster).results, "it has the machine and the session")
  end)

  it("tells of the jump, and of the indices behind it", function()
    local cluster = with_one_behind()
    beat(cluster, 1, 3)
    local index = log_of(cluster, 3):snapshot().index
    local fake = cluster.fakes[3]
    assert.same({ "snapshot", { index = index, term = 1, installed = true } },
      fake.traces[#fake.traces])
    assert.equal(index + 1, fake.committed[1].index)
  end)

  it("gets it although pieces are lost, repeated and overtaken", function()
    for seed = 1, 20 do
      local random = seed
      local function draw(n)
        random = (random * 1103515245 + 12345) & 0x7fffffff
        return (random >> 8) % n + 1
      end
      local cluster = with_one_behind{ snapshot_bytes_max = 10 }
      for _ = 1, 80 do
        cluster:advance(1, 50)
        cluster:settle(function(count)
          if draw(10) == 1 then return nil end
          return draw(count), draw(20) == 1
        end)
      end
      beat(cluster, 1, 40)
      assert.is_true(cluster:state(3).commit >= 11, "seed " .. seed)
      assert.equal(cluster:state(1).commit, cluster:state(3).commit, "seed " .. seed)
      assert.equal(log_of(cluster, 1):last_index(), log_of(cluster, 3):last_index())
      scratch.clean()
    end
  end)

  it("that reboots on the way begins again, and shows nothing of it meanwhile", function()
    local cluster = with_one_behind{ snapshot_bytes_max = 20 }
    local pieces = 0
    cluster:advance(1, 50)
    cluster:settle(function()
      local message = cluster.messages[1]
      if message.body.type == "install_snapshot" then pieces = pieces + 1 end
      if pieces > 3 then return nil end
      return 1
    end)
    assert.is_nil(log_of(cluster, 3):snapshot())
    assert.equal(1, log_of(cluster, 3):last_index())
    cluster:boot(3)
    beat(cluster, 1, 6)
    assert.equal(11, cluster:state(3).commit)
  end)
end)

describe("7, a leader", function()
  after_each(scratch.clean)

  it("sends no entries to who is sent a snapshot, and a piece again when a heartbeat has overtaken "
    .. "it", function()
      local fake = fakes.leader{ options = { compaction = { entries = 3 } } }
      fake:deliver("n2", fakes.ok(1, 0, 1))
      fake:deliver("c1", fakes.submit(1, "a", "b"))
      fake:deliver("n2", fakes.ok(1, 1, 3))
      local refusal = { type = "append_entries_ok", term = 1, success = false, prev_index = 0,
        hint_index = 0, hint_term = 0 }
      fake:deliver("n3", refusal)
      fake:deliver("c1", fakes.submit(3, "c"))
      assert.is_nil(to(fake:take(), "n3"))
      local beat_sent = fake:advance(50)
      local heartbeat = to(beat_sent, "n3")
      assert.same({ "append_entries", 3, 0 },
        { heartbeat.type, heartbeat.prev_index, #heartbeat.entries })
      refusal.prev_index = 3
      local again = to(fake:deliver("n3", refusal), "n3")
      assert.same({ "install_snapshot", 3, 0 }, { again.type, again.snapshot.index, again.offset })
      assert.is_nil(to(fake:deliver("n3", refusal), "n3"), "once for a heartbeat")
      local sent = fake:deliver("n3",
        { type = "install_snapshot_ok", term = 1, index = 3, match = 3 })
      assert.equal(4, to(sent, "n3").prev_index + 1)
    end)

  it("takes no other one while somebody is sent one and answers", function()
    local config = { options = { compaction = { entries = 3 } } }
    local fake, db = fakes.leader(config)
    local function saved() return Log.open(db, "replog"):snapshot().index end
    fake:deliver("n2", fakes.ok(1, 0, 1))
    fake:deliver("c1", fakes.submit(1, "a", "b"))
    fake:deliver("n2", fakes.ok(1, 1, 3))
    fake:deliver("c1", fakes.submit(3, "c", "d", "e"))
    fake:deliver("n2", fakes.ok(1, 3, 6))
    assert.same({ 6, 3 }, { fake.node.state.commit, saved() })
    fake:deliver("n3", { type = "install_snapshot_ok", term = 1, index = 3, match = 3 })
    fake:deliver("c1", fakes.submit(6, "f"))
    fake:deliver("n2", fakes.ok(1, 6, 7))
    assert.equal(7, saved())
  end)

  it("sends heartbeats about the first entry that its log still knows, to who may hold that",
    function()
      local fake = fakes.leader{ options = { compaction = { entries = 4 } } }
      fake:deliver("n2", fakes.ok(1, 0, 1))
      fake:deliver("n3", fakes.ok(1, 0, 1))
      fake:deliver("c1", fakes.submit(1, "a", "b", "c"))
      fake:deliver("n2", fakes.ok(1, 1, 4))
      local heartbeat = to(fake:advance(50), "n3")
      assert.same({ "append_entries", 4, 1 },
        { heartbeat.type, heartbeat.prev_index, heartbeat.prev_term })
    end)
end)

describe("Figure 13, a follower", function()
  after_each(scratch.clean)

  it("drops the one that it was taking when it is sent another", function()
    local db = scratch.open()
    local long = { term = 1, type = command.COMMAND,
      data = command.encode("c1", 1, ("x"):rep(300000)) }
    Log.open(db, "replog"):save{ term = 1, entries = { long }, commit = 1 }
    local fake = fakes.boot{ db = db, options = { compaction = { entries = 1 } } }
    local data = data_of("a")
    fake:deliver("n2", install(1, snapshot_of(5, 1, data), 0, data))
    fake:advance(1)
    assert.equal(5, Log.open(db, "replog"):snapshot().index)
  end)

  it("installs one that covers more than its log, which it forgets", function()
    local fake, db = fakes.follower({ 1, 1, 1 }, 1)
    local data = data_of("a", "b")
    local sent = fake:deliver("n2", install(3, snapshot_of(7, 2, data), 0, data))
    assert.same({ type = "install_snapshot_ok", term = 3, index = 7, match = 7 }, sent[1].body)
    local log = Log.open(db, "replog")
    assert.same({ 8, 7, 2, 7 },
      { log:first_index(), log:last_index(), log:last_term(), select(3, log:hard_state()) })
    assert.same({ 7, 7 }, { fake.node.state.commit, fake.node.state.last })
    sent = fake:deliver("n2", append(3, 7, 2, fakes.entries_of(3)))
    assert.is_true(sent[1].body.success)
  end)

  it("keeps what follows the snapshot's last entry, if it has that", function()
    local fake, db = fakes.follower({ 1, 1, 1 }, 1)
    local data = data_of("a")
    local sent = fake:deliver("n2", install(1, snapshot_of(2, 1, data), 0, data))
    assert.equal(2, sent[1].body.match)
    assert.same({ 1, 1, 1 }, fakes.terms_of(db))
    assert.equal(2, fake.node.state.commit)
    assert.is_nil(Log.open(db, "replog"):snapshot())
  end)

  it("ignores an old one, and answers with its commit index", function()
    local fake, db = fakes.follower({ 1, 1, 1 }, 3)
    local data = data_of("a")
    local sent = fake:deliver("n2", install(1, snapshot_of(2, 1, data), 0, data))
    assert.equal(3, sent[1].body.match)
    assert.same({ 1, 1, 1 }, fakes.terms_of(db))
  end)

  it("refuses one of an earlier term, and says its own", function()
    local fake = fakes.follower({ 1, 2 }, 1)
    local data = data_of("a")
    local sent = fake:deliver("n2", install(1, snapshot_of(9, 1, data), 0, data))
    assert.same({ type = "install_snapshot_ok", term = 2, index = 9, received = 0 }, sent[1].body)
    assert.equal(1, fake.node.state.commit)
  end)

  it("mixes no pieces of two leaders", function()
    local fake = fakes.follower({ 1 }, 1)
    local one, other = data_of("a", "b"), data_of("c", "d")
    fake:deliver("n2", install(2, snapshot_of(5, 1, one), 0, one:sub(1, 6)))
    local sent = fake:deliver("n3", install(3, snapshot_of(5, 1, other), 6, other:sub(7)))
    assert.equal(0, sent[1].body.received)
    sent = fake:deliver("n3", install(3, snapshot_of(5, 1, other), 0, other))
    assert.equal(5, sent[1].body.match)
  end)

  it("takes entries that begin before its log does", function()
    local fake, db = fakes.follower({ 1 }, 1)
    local data = data_of("a")
    fake:deliver("n2", install(1, snapshot_of(5, 1, data), 0, data))
    local sent = fake:deliver("n2", append(1, 3, 1, fakes.entries_of(1, 1, 1)))
    assert.same({ true, 6, 3 },
      { sent[1].body.success, sent[1].body.match, sent[1].body.prev_index })
    assert.equal(6, Log.open(db, "replog"):last_index())
  end)
end)

describe("a snapshot's data", function()
  it("are values as they were, in the same bytes whatever the order they came in", function()
    local value = { "a", 1, 2.5, false, true, "", { { "k", "v" }, x = -1, [true] = 0 }, n = {} }
    assert.same(value, packing.unpack(packing.pack(value)))
    local one, other = {}, {}
    for i = 1, 50 do one["k" .. i], other["k" .. 51 - i] = true, true end
    assert.equal(packing.pack(one), packing.pack(other))
  end)

  it("are those of the machine at that moment, whatever is applied before they are read", function()
    for _, case in ipairs{ { list, "a", "b" }, { kv, kv.put("x", "1"), kv.put("x", "2") } } do
      local machine, copy, later = case[1].new(), case[1].new(), case[1].new()
      machine:apply(case[2])
      later:apply(case[2])
      local parts = machine:snapshot()
      machine:apply(case[3])
      copy:restore(parts)
      assert.same(later, copy)
    end
  end)
end)
