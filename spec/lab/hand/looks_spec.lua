local by_hand = require "spec.support.by_hand"

describe("a look", function()
  it("shows states, logs, messages and timers, and changes nothing", function()
    local _, world, perform = by_hand.hand("seed 1\n")
    local _world <close> = world
    assert.equal("n1  commit=0 last=0 role=follower term=0", perform("state 1"))
    assert.matches("^n%d  in %d+%.%d ms\nn%d  in %d+%.%d ms\nn%d  in", perform("timers *"))
    assert.equal("nothing is on its way", perform("messages"))
    perform("fire 2")
    assert.matches("^  1  n2 > n%d  in %d+%.%d ms  request_pre_vote  last_index=0 "
      .. "last_term=0 term=1\n  2  ", perform("messages"))
    perform("clog 2 > *")
    perform("run 1s")
    perform("clog leader > *")
    perform('submit "two words"')
    perform("pause follower")
    perform("crash 3")
    local hash = world:hash()
    assert.matches("n%d  paused  commit", perform("state"))
    assert.matches("\nn3  down", perform("state"))
    assert.matches("  %-  n2 > n%d  held  ", perform("messages"))
    assert.matches("\nn3  down", perform("log"))
    assert.matches("no timer runs", perform("timers 3"))
    assert.equal(hash, world:hash())
  end)

  it("shows commands of Raft as they were submitted, and other bytes as dots", function()
    local _, world, perform = by_hand.hand()
    local _world <close> = world
    assert.equal("n1  empty", perform("log 1"))
    perform('submit a "x\\ny" ' .. ("z"):rep(100))
    local log = perform("log leader")
    assert.matches("^n%d\n     1  term 1\n     2  term 1  a  %(s1, 1%)\n     3  term 1  x%.y  "
      .. "%(s1, 2%)\n     4  term 1  zzzz+%.%.%.  %(s1, 3%)$", log)
  end)
end)
