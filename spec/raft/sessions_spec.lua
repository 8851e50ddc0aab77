-- Section 8 of the extended Raft paper: what clients see.
local Log = require "jangada.log"
local command = require "jangada.raft.command"
local fakes = require "spec.support.fakes"
local kv = require "jangada.raft.kv"
local raft = require "jangada.raft"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"
local sessions = require "jangada.raft.sessions"

local function submit(number, ...)
  return { type = "submit", client = "c1", number = number, commands = { ... }, msg_id = number }
end

-- What is in a node's log of commands, in order.
local function commands_of(cluster, i)
  local commands = {}
  for _, entry in Log.open(cluster.dbs[i], "replog"):each() do
    if entry.type == command.COMMAND then
      local _, number, payload = command.decode(entry.data)
      commands[#commands + 1] = number .. "=" .. payload
    end
  end
  return commands
end

local function new_cluster(count, options, protocol)
  local cluster = raft_cluster.new(count, options, protocol)
  for i = 1, count do cluster:boot(i) end
  assert.is_true(cluster:elect(1))
  return cluster
end

local function last_reply(cluster)
  local reply = table.remove(cluster.replies)
  return reply and reply.body
end

local function ask(cluster, i, body)
  cluster:request(i, body)
  cluster:settle()
  return last_reply(cluster)
end

describe("section 8:", function()
  after_each(scratch.clean)

  it("a command is answered once it is committed and applied, with its result", function()
    local cluster = new_cluster(3)
    cluster:request(1, submit(1, "a", "b"))
    assert.is_nil(last_reply(cluster))
    cluster:settle()
    assert.same({ type = "submit_ok", number = 2, results = { 1, 2 }, in_reply_to = 1 },
      last_reply(cluster))
    assert.same({ "1=a", "2=b" }, commands_of(cluster, 1))
  end)

  it("a server that does not lead says who may", function()
    local cluster = new_cluster(3)
    local reply = ask(cluster, 2, submit(1, "a"))
    assert.same({ "error", 11, "n1", 1 },
      { reply.type, reply.code, reply.leader, reply.in_reply_to })
  end)

  it("a command sent again is not logged again, and answered as before", function()
    local cluster = new_cluster(3)
    ask(cluster, 1, submit(1, "a", "b", "c"))
    assert.same({ 1, 2, 3 }, ask(cluster, 1, submit(1, "a", "b", "c")).results)
    assert.same({ 2 }, ask(cluster, 1, submit(2, "b")).results)
    assert.same({ 2, 3, 4 }, ask(cluster, 1, submit(2, "b", "c", "d")).results)
    assert.same({ "1=a", "2=b", "3=c", "4=d" }, commands_of(cluster, 3))
    assert.equal(2, cluster.fakes[1].marks.duplicate_submit)
  end)

  it("a command sent again before it is committed waits with the first", function()
    local cluster = new_cluster(3)
    cluster:request(1, submit(1, "a"))
    cluster:request(1, submit(1, "a"))
    cluster:settle()
    assert.equal(2, #cluster.replies)
    assert.same({ 1 }, last_reply(cluster).results)
    assert.same({ 1 }, last_reply(cluster).results)
    assert.same({ "1=a" }, commands_of(cluster, 1))
  end)

  it("numbers of different clients do not meet", function()
    local cluster = new_cluster(3)
    ask(cluster, 1, submit(1, "a"))
    cluster:request(1, { type = "submit", client = "c2", number = 1, commands = { "b" } }, "c2")
    cluster:settle()
    assert.same({ 2 }, last_reply(cluster).results)
  end)

  it("a gap in the numbers is refused", function()
    local cluster = new_cluster(3)
    assert.equal(22, ask(cluster, 1, submit(2, "b")).code)
    ask(cluster, 1, submit(1, "a"))
    local reply = ask(cluster, 1, submit(3, "c"))
    assert.equal(22, reply.code)
    assert.matches("next one of c1 is 2", reply.text)
    assert.same({ "1=a" }, commands_of(cluster, 1))
  end)

  it("a malformed request is refused", function()
    local cluster = new_cluster(3)
    local too_many = {}
    for i = 1, sessions.ANSWERS_MAX + 1 do too_many[i] = "x" end
    for _, body in ipairs{
      { number = 1, commands = { "a" } }, { client = "", number = 1, commands = { "a" } },
      { client = ("c"):rep(256), number = 1, commands = { "a" } },
      { client = "c1", number = 0, commands = { "a" } },
      { client = "c1", number = 1.5, commands = { "a" } },
      { client = "c1", number = 1, commands = {} }, { client = "c1", number = 1 },
      { client = "c1", number = 1, commands = { 7 } },
      { client = "c1", number = 1, commands = too_many },
    } do
      body.type = "submit"
      assert.equal(12, ask(cluster, 1, body).code)
    end
    assert.equal(1, cluster:state(1).last)
  end)

  it("a deposed leader refuses those who wait, in order, and its entries may vanish", function()
    local cluster = new_cluster(3)
    cluster.cut = { true }
    cluster:request(1, submit(1, "a"))
    cluster:request(1, submit(2, "b"))
    cluster:settle()
    assert.is_true(cluster:elect(2))
    cluster.cut = {}
    cluster:advance(2, 50)
    cluster:settle()
    assert.equal(2, #cluster.replies)
    for i = 1, 2 do
      assert.equal(13, cluster.replies[i].body.code)
      assert.equal(i, cluster.replies[i].body.in_reply_to)
    end
    assert.same({}, commands_of(cluster, 1))
    assert.same(cluster:terms(2), cluster:terms(1))
  end)

  it("a command is logged once across leaders, whether the first log of it survived", function()
    local cluster = new_cluster(3)
    ask(cluster, 1, submit(1, "a"))
    cluster.cut = { [3] = true }
    cluster:request(1, submit(2, "b")) -- reaches n2, is committed; the answer is lost
    cluster:settle()
    cluster.cut = { true }
    cluster.replies = {}
    cluster:request(1, submit(3, "c")) -- reaches nobody
    cluster:settle()
    assert.is_true(cluster:elect(2))
    assert.same({ 2, 3 }, ask(cluster, 2, submit(2, "b", "c")).results)
    cluster.cut = {}
    for _ = 1, 3 do
      cluster:advance(2, 50)
      cluster:settle()
    end
    for i = 1, 3 do assert.same({ "1=a", "2=b", "3=c" }, commands_of(cluster, i)) end
  end)

  -- A leader of term `term` in a cluster of three, whatever it had before.
  local function elect(fake)
    fake:advance_until_sent(300)
    fake:deliver("n2",
      { type = "request_vote_ok", term = fake.node.state.term, granted = true })
    assert.equal("leader", fake.node.state.role)
  end

  local function acknowledge(fake, match)
    return fake:deliver("n2", { type = "append_entries_ok", term = fake.node.state.term,
      success = true, prev_index = 0, match = match })
  end

  it("a new leader knows the uncommitted commands of its log", function()
    local db = scratch.open()
    Log.open(db, "replog"):save{ term = 1, entries = {
      { term = 1, type = command.COMMAND, data = command.encode("c1", 1, "a") },
    } }
    local fake = fakes.boot{ db = db }
    elect(fake)
    fake:deliver("c1", submit(1, "a", "b"))
    assert.equal(3, fake.node.state.last, "a, the entry of the new leader, b")
    assert.same({}, fake:deliver("c1", submit(1, "a")))
    local answers = {}
    for _, sent in ipairs(acknowledge(fake, 3)) do
      if sent.dest == "c1" then answers[#answers + 1] = sent.body.results end
    end
    assert.same({ { 1, 2 }, { 1 } }, answers)
  end)

  it("a leader elected again has forgotten what was cut from its log meanwhile", function()
    local fake = fakes.boot{ db = scratch.open() }
    elect(fake)
    fake:deliver("c1", submit(1, "lost"))
    fake:deliver("n3", { type = "append_entries", term = 2, prev_index = 0, prev_term = 0,
      entries = { { term = 2, type = command.NO_OP, data = "" } }, commit = 0 })
    assert.equal(1, fake.node.state.last)
    elect(fake)
    fake:deliver("c1", submit(1, "kept"))
    assert.equal(3, fake.node.state.last)
  end)

  it("answers survive a restart: they are rebuilt from the log", function()
    local cluster = new_cluster(3, { machine = "kv" })
    ask(cluster, 1, submit(1, kv.put("x", "1"), kv.get("x"), kv.put("x", "2"), kv.get("x")))
    for _ = 1, 3 do
      cluster:advance(1, 50)
      cluster:settle()
    end
    for i = 1, 3 do cluster:boot(i) end
    for i = 1, 3 do assert.equal(5, #cluster.fakes[i].committed) end
    assert.equal(5, cluster:state(1).commit)
    assert.is_true(cluster:elect(1))
    assert.same({ true, "1", true, "2" }, ask(cluster, 1,
      submit(1, kv.put("x", "1"), kv.get("x"), kv.put("x", "2"), kv.get("x"))).results)
    assert.same({ "2" }, ask(cluster, 1, submit(5, kv.get("x"))).results)
  end)

  it("answers are kept for the last commands of a client only", function()
    local cluster = new_cluster(1)
    for number = 1, sessions.ANSWERS_MAX + 2 do cluster:request(1, submit(number, "x")) end
    cluster:settle()
    assert.equal(22, ask(cluster, 1, submit(2, "x")).code)
    assert.same({ 3 }, ask(cluster, 1, submit(3, "x")).results)
    assert.equal(sessions.ANSWERS_MAX + 2, #commands_of(cluster, 1))
  end)

  it("a cluster of one answers in the same turn", function()
    local cluster = new_cluster(1)
    cluster:request(1, submit(1, "a"))
    assert.equal(1, #cluster.messages)
    assert.equal("submit_ok", cluster.messages[1].body.type)
  end)
end)

describe("raft.with", function()
  after_each(scratch.clean)

  it("replaces one rule and leaves the reference as it is", function()
    local protocol = raft.with{ is_new_command = function() return true end }
    local cluster = new_cluster(3, nil, protocol)
    ask(cluster, 1, submit(1, "a"))
    ask(cluster, 1, submit(1, "a"))
    assert.same({ "1=a", "1=a" }, commands_of(cluster, 2))
    cluster = new_cluster(3)
    ask(cluster, 1, submit(1, "a"))
    ask(cluster, 1, submit(1, "a"))
    assert.same({ "1=a" }, commands_of(cluster, 2))
  end)

  it("refuses a rule that there is not", function()
    assert.error_matches(function() raft.with{ may_vote = print } end,
      "may_vote.*raft_unknown_rule")
  end)

  it("is jangada.raft.protocol when nothing is replaced", function()
    assert.equal(raft.protocol, require "jangada.raft.protocol")
  end)
end)

describe("the options", function()
  after_each(scratch.clean)

  it("are checked", function()
    for _, options in ipairs{
      { heartbeat = 50 }, { heartbeat_ms = 0 }, { heartbeat_ms = "50" }, { batch_bytes_max = 1.5 },
      { machine = "set" }, { election_timeout_ms = 150 }, { election_timeout_ms = { 300, 150 } },
    } do
      assert.error_matches(function()
        raft_cluster.new(1, options):boot(1)
      end, "raft_bad_option")
    end
  end)
end)
