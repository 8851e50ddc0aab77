-- Section 5.4.2 of the extended Raft paper.
local Log = require "jangada.log"
local fakes = require "spec.support.fakes"
local raft_cluster = require "spec.support.raft_cluster"
local scratch = require "spec.support.scratch"

local entries_of, leader, ok = fakes.entries_of, fakes.leader, fakes.ok

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
