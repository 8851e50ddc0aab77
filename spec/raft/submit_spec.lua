-- What a leader does with commands before they are in its log; sessions_spec.lua has what clients
-- see.
local fakes = require "spec.support.fakes"
local scratch = require "spec.support.scratch"

local leader, ok, submit = fakes.leader, fakes.ok, fakes.submit

describe("commands that are not committed:", function()
  after_each(scratch.clean)

  -- Of the data of an entry: the client, the number and a command of one byte.
  local BYTES <const> = 12

  it("beyond uncommitted_bytes_max more are refused, until they are committed", function()
    local fake = leader{ options = { uncommitted_bytes_max = 3 * BYTES } }
    fake:deliver("n2", ok(1, 0, 1))
    fake:deliver("c1", submit(1, "a", "b"))
    local last = fake.node.state.last
    local reply = fakes.to(fake:deliver("c1", submit(3, "c", "d")), "c1")
    assert.equal(11, reply.code)
    assert.matches("not committed yet", reply.text)
    assert.equal(last, fake.node.state.last, "nothing is logged of it")
    assert.is_nil(fakes.to(fake:deliver("c1", submit(3, "c")), "c1"), "this one fits")
    assert.equal(11, fakes.to(fake:deliver("c1", submit(4, "d")), "c1").code)
    assert.is_nil(fakes.to(fake:deliver("c1", submit(1, "a", "b")), "c1"), "what is logged waits")
    fake:deliver("n2", ok(1, 1, 4))
    assert.equal(4, fake.node.state.commit)
    assert.is_nil(fakes.to(fake:deliver("c1", submit(4, "d", "e", "f")), "c1"), "all is free again")
  end)

  it("one request is always admitted, however large", function()
    local fake = leader{ options = { uncommitted_bytes_max = 1 } }
    fake:deliver("n2", ok(1, 0, 1))
    assert.is_nil(fakes.to(fake:deliver("c1", submit(1, "a", "b")), "c1"))
    assert.equal(11, fakes.to(fake:deliver("c1", submit(3, "c")), "c1").code)
    fake:deliver("n2", ok(1, 1, 3))
    assert.is_nil(fakes.to(fake:deliver("c1", submit(3, "c")), "c1"))
  end)

  it("a new leader counts those that it finds in its log", function()
    local _, db = leader()
    local first = leader{ db = db, options = { uncommitted_bytes_max = BYTES } }
    first:deliver("n2", ok(2, 0, 2))
    first:deliver("c1", submit(1, "a"))
    local again = leader{ db = db, options = { uncommitted_bytes_max = BYTES } }
    assert.equal(11, fakes.to(again:deliver("c1", submit(2, "b")), "c1").code)
    again:deliver("n2", ok(again.node.state.term, 0, again.node.state.last))
    assert.is_nil(fakes.to(again:deliver("c1", submit(2, "b")), "c1"))
  end)
end)

describe("commands that come to a server that does not lead:", function()
  after_each(scratch.clean)

  local FORWARD <const> = { forward = true }

  local function asked(number, ...)
    local body = submit(number, ...)
    body.msg_id = 40 + number
    return body
  end

  -- A follower of n2 that knows it.
  local function follower()
    local fake = fakes.boot{ options = FORWARD }
    fake:deliver("n2", fakes.append(1, 0, 0))
    return fake
  end

  it("with `forward` they are handed on to the leader, and its answer to the client", function()
    local fake, lead = follower(), leader()
    local sent = fake:deliver("c1", asked(1, "a"))
    local forward = { type = "forward", request = { src = "c1", body = asked(1, "a") } }
    assert.same({ { dest = "n2", body = forward } }, sent)
    assert.is_nil(fakes.to(lead:deliver("n3", forward), "c1"))
    local answer = fakes.to(lead:deliver("n2", ok(1, 0, 2)), "n3")
    assert.same({ { dest = "c1", body = { type = "submit_ok", number = 1, results = { 1 },
      in_reply_to = 41 } } }, fake:deliver("n2", answer))
    answer = fakes.to(lead:deliver("n3", forward), "n3")
    assert.same({ 1 }, answer.answer.results, "sent again, it has no further effect")
    assert.equal(2, lead.node.state.last)
  end)

  it("what the leader refuses is refused, and so is what was handed on to a follower", function()
    local fake, lead = follower(), leader()
    local forward = fakes.to(fake:deliver("c1", asked(5, "a")), "n2")
    local refusal = fakes.to(fake:deliver("n2", fakes.to(lead:deliver("n3", forward), "n3")), "c1")
    assert.same({ 22, 45 }, { refusal.code, refusal.in_reply_to })
    assert.equal(11, fakes.to(fake:deliver("n3", forward), "n3").answer.code)
    lead:deliver("n3", fakes.to(fake:deliver("c1", asked(1, "a")), "n2"))
    local sent = lead:deliver("n2", fakes.append(2, 0, 0))
    assert.equal(13, fakes.to(sent, "n3").answer.code, "deposed: it may have happened or not")
  end)

  it("they are refused without `forward`, without a leader, and if they are malformed", function()
    local fake = fakes.boot()
    fake:deliver("n2", fakes.append(1, 0, 0))
    assert.equal(11, fakes.to(fake:deliver("c1", submit(1, "a")), "c1").code)
    assert.equal(11, fakes.to(fakes.boot{ options = FORWARD }:deliver("c1", submit(1, "a")),
      "c1").code)
    assert.equal(12, fakes.to(follower():deliver("c1", submit(0, "a")), "c1").code)
  end)
end)
