-- Dissertation 6.4 and the end of section 8 of the paper: reads that write nothing to the log.
local fakes = require "spec.support.fakes"
local kv = require "jangada.raft.kv"
local lab = require "jangada.lab"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"

local to = fakes.to

local function read(query, msg_id)
  return { type = "read", query = query or "length", msg_id = msg_id or 1 }
end

-- An answer to append_entries: all up to `match` is there.
local function ok(match, round, term)
  local body = fakes.ok(term or 1, match, match)
  body.round = round
  return body
end

-- A leader whose no-op, at index 1, is committed; `config` is that of a fake node.
local function leader(config)
  local fake = fakes.leader(config)
  fake:deliver("n2", fakes.ok(1, 0, 1))
  assert.equal(1, fake.node.state.commit)
  return fake
end

local function submit(number, ...)
  return { type = "submit", client = "c1", number = number, commands = { ... }, msg_id = number }
end

local function new_cluster(options, protocol)
  local cluster = raft_cluster.new(3, options, protocol)
  for i = 1, 3 do cluster:boot(i) end
  assert.is_true(cluster:elect(1))
  return cluster
end

local function last_reply(cluster)
  local reply = table.remove(cluster.replies)
  return reply and reply.body
end

describe("6.4, section 8: a leader that is asked to read", function()
  after_each(scratch.clean)

  it("answers once a majority has answered its round, and writes nothing", function()
    local fake = leader()
    local updates, last = fake.updates, fake.node.state.last
    local sent = fake:deliver("c1", read("length", 7))
    assert.equal(2, #sent)
    for i, peer in ipairs{ "n2", "n3" } do
      assert.equal(peer, sent[i].dest)
      assert.equal("append_entries", sent[i].body.type)
      assert.same({}, sent[i].body.entries)
      assert.equal(1, sent[i].body.round)
    end
    assert.same({ { dest = "c1", body = { type = "read_ok", result = 0, index = 1,
      in_reply_to = 7 } } }, fake:deliver("n2", ok(1, 1)))
    assert.same({}, fake:deliver("n3", ok(1, 1)), "it is answered once")
    assert.equal(updates, fake.updates)
    assert.equal(last, fake.node.state.last)
  end)

  it("sends no round when nobody reads, and followers send none back", function()
    local fake = leader()
    assert.is_nil(to(fake:advance(50), "n2").round)
    fake:deliver("c1", read())
    fake:deliver("n2", ok(1, 1))
    assert.is_nil(to(fake:advance(50), "n2").round)
    local follower = fakes.follower({ 1 })
    assert.is_nil(to(follower:deliver("n2", fakes.append(1, 1, 1)), "n2").round)
  end)

  it("needs a majority of all members, itself included", function()
    local fake = fakes.leader{ cluster = 5 }
    for i = 2, 3 do fake:deliver("n" .. i, fakes.ok(1, 0, 1)) end
    fake:deliver("c1", read())
    assert.same({}, fake:deliver("n2", ok(1, 1)))
    assert.same({}, fake:deliver("n2", ok(1, 1)), "the same one twice is one")
    assert.equal("read_ok", to(fake:deliver("n5", ok(1, 1)), "c1").type)
  end)

  it("alone, is its own majority", function()
    local fake = fakes.leader{ cluster = 1 }
    assert.equal(0, to(fake:deliver("c1", read()), "c1").result)
  end)

  it("counts no answer to an older round, of an older term, or without a round", function()
    local fake = leader()
    fake:deliver("c1", read("length", 1))
    fake:deliver("n2", ok(1, 1))
    fake:deliver("c1", read("length", 2))
    for _, answer in ipairs{ ok(1, 1), ok(1), ok(1, 2, 0) } do
      assert.same({}, fake:deliver("n3", answer))
      assert.same({}, fake:deliver("n2", answer))
    end
    assert.equal(2, to(fake:deliver("n3", ok(1, 2)), "c1").in_reply_to)
  end)

  it("counts a refusal too: who refuses entries takes it for the leader all the same", function()
    local fake = leader()
    fake:deliver("c1", read())
    local sent = fake:deliver("n3", { type = "append_entries_ok", term = 1, success = false,
      prev_index = 1, hint_index = 0, hint_term = 0, round = 1 })
    assert.equal("read_ok", to(sent, "c1").type)
    local follower = fakes.follower({ 1 })
    local body = fakes.append(1, 5, 1)
    body.round = 3
    local answer = to(follower:deliver("n2", body), "n2")
    assert.is_false(answer.success)
    assert.equal(3, answer.round)
  end)

  it("lets reads that come while a round is out share the next one", function()
    local fake = leader()
    fake:deliver("c1", read("length", 1))
    assert.same({}, fake:deliver("c1", read("length", 2)))
    assert.same({}, fake:deliver("c2", read("length", 3)))
    local sent = fake:deliver("n2", ok(1, 1))
    assert.equal(1, to(sent, "c1").in_reply_to)
    assert.equal(2, to(sent, "n2").round)
    assert.equal(2, to(sent, "n3").round)
    sent = fake:deliver("n3", ok(1, 2))
    assert.equal(2, to(sent, "c1").in_reply_to)
    assert.equal(3, to(sent, "c2").in_reply_to)
    assert.equal(2, #sent, "no third round")
  end)

  it("asks again with each heartbeat, and with entries", function()
    local fake = leader()
    fake:deliver("c2", read())
    assert.equal(1, to(fake:advance(50), "n3").round)
    local sent = fake:deliver("c1", submit(1, "a"))
    assert.equal(1, #to(sent, "n2").entries)
    assert.equal(1, to(sent, "n2").round)
    assert.equal("read_ok", to(fake:deliver("n2", ok(2, 1)), "c2").type)
  end)

  it("answers with what was committed before, and not with what is only logged", function()
    local fake = leader()
    fake:deliver("c1", submit(1, "a"))
    fake:deliver("c2", read())
    local reply = to(fake:deliver("n2", ok(1, 1)), "c2")
    assert.same({ 0, 1 }, { reply.result, reply.index })
    fake:deliver("n2", ok(2))
    fake:deliver("c2", read())
    reply = to(fake:deliver("n2", ok(2, 2)), "c2")
    assert.same({ 1, 2 }, { reply.result, reply.index })
  end)

  it("waits until it has committed an entry of its own term", function()
    local db = scratch.open()
    local first = leader{ db = db }
    first:deliver("c1", submit(1, "a"))
    local fake = fakes.leader{ db = db } -- of term 2: its predecessor may have committed index 2
    fake:deliver("c2", read())
    assert.is_nil(to(fake:deliver("n2", ok(2, 1, 2)), "c2"), "the round is confirmed, no more")
    local reply = to(fake:deliver("n2", ok(3, 1, 2)), "c2")
    assert.same({ 1, 3 }, { reply.result, reply.index })
  end)

  it("refuses those that wait when it is deposed: they may be asked again", function()
    local fake = leader()
    fake:deliver("c1", read("length", 4))
    fake:deliver("n2", { type = "read_index", request = { src = "c2", body = read() } })
    local sent = fake:deliver("n3", ok(0, nil, 2))
    local refusal = to(sent, "c1")
    assert.same({ "error", 11, 4 }, { refusal.type, refusal.code, refusal.in_reply_to })
    assert.is_nil(to(sent, "n2").index)
    assert.equal("c2", to(sent, "n2").request.src)
    assert.same({}, fake:deliver("n2", ok(1, 2)))
  end)

  it("that hears from no majority refuses within two election timeouts (section 6.2)", function()
    local fake = leader{ options = { check_quorum = true } }
    fake:deliver("c1", read())
    local sent = fake:advance(2 * 225)
    assert.equal(11, to(sent, "c1").code)
    assert.equal("follower", fake.node.state.role)
  end)

  it("refuses what is no query, with error 12", function()
    local fake = leader()
    assert.equal(12, to(fake:deliver("c1", { type = "read", query = 5 }), "c1").code)
    fake:deliver("c1", read("what?"))
    assert.equal(12, to(fake:deliver("n2", ok(1, 1)), "c1").code)
  end)
end)

describe("6.4, section 8: another server that is asked to read", function()
  after_each(scratch.clean)

  it("asks the leader for the index, waits until it has applied it, and answers itself", function()
    local follower = fakes.follower({ 1, 1 }, 1)
    follower:deliver("n2", fakes.append(1, 2, 1, {}, 1))
    local request = read("length", 9)
    local sent = follower:deliver("c1", request)
    assert.same({ { dest = "n2", body = { type = "read_index",
      request = { src = "c1", body = request } } } }, sent)
    local answer = { type = "read_index_ok", request = { src = "c1", body = request }, index = 2 }
    assert.same({}, follower:deliver("n2", answer), "2 is not applied yet")
    sent = follower:deliver("n2", fakes.append(1, 2, 1, {}, 2))
    assert.same({ type = "read_ok", result = 0, index = 2, in_reply_to = 9 }, to(sent, "c1"))
    sent = follower:deliver("n2", answer)
    assert.equal(2, to(sent, "c1").index, "2 is applied already")
  end)

  it("refuses when it knows no leader, or when that leads no more", function()
    local follower = fakes.boot()
    assert.equal(11, to(follower:deliver("c1", read()), "c1").code)
    local asked = { type = "read_index", request = { src = "c1", body = read("length", 6) } }
    local answer = to(follower:deliver("n3", asked), "n3")
    assert.is_nil(answer.index)
    local refusal = to(follower:deliver("n3", answer), "c1")
    assert.same({ "error", 11, 6 }, { refusal.type, refusal.code, refusal.in_reply_to })
  end)

  it("sees what was answered before, in a cluster; so does the leader", function()
    local cluster = new_cluster{ machine = "kv" }
    for i = 1, 9 do
      cluster:request(1, submit(i, kv.put("x", tostring(i))))
      cluster:settle()
      assert.equal("submit_ok", last_reply(cluster).type)
      cluster:request(i % 3 + 1, read(kv.get("x")), "c2")
      cluster:settle()
      local reply = last_reply(cluster)
      assert.same({ "read_ok", tostring(i) }, { reply.type, reply.result })
    end
  end)

  it("two reads of the same are two reads", function()
    local cluster = new_cluster()
    cluster:request(2, read("length", 1))
    cluster:request(2, read("length", 2))
    cluster:settle()
    assert.same({ 1, 2 }, { cluster.replies[1].body.in_reply_to,
      cluster.replies[2].body.in_reply_to })
  end)
end)

describe("6.4.1: with a lease", function()
  after_each(scratch.clean)

  -- A leader with a lease of 100 ms, or less: 150 * (100 - 20) / (100 + 20).
  local OPTIONS <const> = { lease = { drift_max_percent = 20 } }

  local function lease_leader()
    local fake = leader{ options = OPTIONS }
    local round = to(fake:advance(50), "n2").round
    return fake, round, fake.now_ms
  end

  it("a leader answers at once, until the lease is over; it counts from the heartbeat", function()
    local fake, round = lease_leader()
    fake:advance(30)
    fake:deliver("n2", ok(1, round))
    assert.equal("read_ok", to(fake:deliver("c1", read()), "c1").type)
    local answer = to(fake:deliver("n3", { type = "read_index",
      request = { src = "c2", body = read() } }), "n3")
    assert.equal(1, answer.index)
    fake:advance(71) -- 101 ms after the heartbeat
    assert.is_nil(to(fake:deliver("c1", read()), "c1"))
  end)

  it("each heartbeat that is answered renews it; no older answer does", function()
    local fake, first = lease_leader()
    for _ = 1, 5 do
      fake:deliver("n2", ok(1, to(fake:advance(50), "n2").round))
      assert.equal("read_ok", to(fake:deliver("c1", read()), "c1").type)
    end
    fake:advance(99)
    fake:deliver("n3", ok(1, first))
    fake:advance(2)
    assert.is_nil(to(fake:deliver("c1", read()), "c1"))
  end)

  it("a new leader waits for an entry of its own term all the same", function()
    local fake = fakes.leader{ options = OPTIONS }
    local round = to(fake:advance(50), "n2").round
    fake:deliver("n2", { type = "append_entries_ok", term = 1, success = false, prev_index = 9,
      hint_index = 0, hint_term = 0, round = round })
    assert.is_nil(to(fake:deliver("c1", read()), "c1"))
    assert.equal(1, to(fake:deliver("n2", fakes.ok(1, 0, 1)), "c1").index)
  end)

  it("who is deposed has none, nor has it when it leads again (behaviour 49)", function()
    local fake, round = lease_leader()
    fake:deliver("n2", ok(1, round))
    fake:deliver("n3", ok(0, nil, 2))
    assert.is_nil(fake.node.state.leader)
    assert.equal(11, to(fake:deliver("c1", read()), "c1").code)
  end)

  it("nobody votes within the least election timeout of a leader's message, or a boot", function()
    local function ask(term)
      return { type = "request_vote", term = term, last_index = 9, last_term = 9 }
    end
    local fake = fakes.boot{ options = OPTIONS }
    assert.same({}, fake:deliver("n3", ask(5)))
    fake:deliver("n2", fakes.append(1, 0, 0))
    fake:advance(149)
    assert.same({}, fake:deliver("n3", ask(5)))
    assert.equal(1, fake.node.state.term)
    fake:advance(1)
    assert.is_true(to(fake:deliver("n3", ask(5)), "n3").granted)
  end)

  local function leader_of(world)
    local found
    for i, machine in ipairs(world.nodes) do
      local state = machine.state
      if state.role == "leader" and (not found or state.term > world.nodes[found].state.term) then
        found = i
      end
    end
    return found
  end

  -- Whether all is linearizable, when the leader's clock goes at a rate and it is cut off from the
  -- others, but not from clients, again and again; all other clocks go at another rate.
  local function holds(seed, slow, quick)
    local clients = lab.kv_clients{ count = 4, keys = 1, reads = 1, timeout_ms = 30 }
    local world <close> = lab.new{ seed = seed, nodes = 3, protocol = "jangada.raft.protocol",
      options = { machine = "kv", lease = OPTIONS.lease }, network = { delay_ms = { 1, 5 } },
      clients = clients }
    for i = 1, 3 do world:set_clock(i, { rate = quick }) end
    for _ = 1, 3 do
      world:run(600)
      local i = leader_of(world)
      if i then
        world:set_clock(i, { rate = slow })
        world:run(50)
        local others = { 1, 2, 3 }
        table.remove(others, i)
        world:partition({ i }, others)
        world:run(700)
        world:heal()
        world:set_clock(i, { rate = quick })
      end
    end
    local verdict = world:finish()
    assert.is_true(not verdict or verdict.kind == "not_linearizable", tostring(verdict))
    return verdict == nil
  end

  it("reads are linearizable while clocks keep the bound, and not when they do not", function()
    local broken = 0
    for seed = 1, 3 do
      assert.is_true(holds(seed, 0.8, 1.2), "seed " .. seed)
      if not holds(seed, 0.2, 1.2) then broken = broken + 1 end
    end
    assert.is_true(broken > 0)
  end)
end)
