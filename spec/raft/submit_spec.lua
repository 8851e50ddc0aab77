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
