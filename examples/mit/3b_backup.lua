-- MIT 6.5840, lab 3B, backup: a leader backs up quickly over the wrong logs of its followers.

local tester = require "examples.mit.tester"

local COMMANDS <const> = 50

return tester.scenario{ nodes = 5, test = function(t)
  local function start_many(leader)
    for _ = 1, COMMANDS do t:start(leader, t:value()) end
  end
  local function agree_many(expected)
    for _ = 1, COMMANDS do t:one(t:value(), expected) end
  end
  t:one(t:value(), 5)

  -- A leader and one follower, without the three others: nothing of this is committed.
  local one = t:leader()
  local second, third, fourth, fifth = t:after(one, 1), t:after(one, 2), t:after(one, 3),
    t:after(one, 4)
  t:disconnect(third, fourth, fifth)
  start_many(one)
  t:run(tester.ELECTION_MS / 2)
  t:disconnect(one, second)

  -- The three others commit much.
  t:connect(third, fourth, fifth)
  agree_many(3)

  -- Another leader and one follower, without another: nothing of this either.
  local two = t:leader()
  local other = two == third and t:after(two, 1) or third
  t:disconnect(other)
  start_many(two)
  t:run(tester.ELECTION_MS / 2)

  -- The first leader, its follower and that other one.
  for i = 1, 5 do t:disconnect(i) end
  t:connect(one, second, other)
  agree_many(3)

  t:connect(1, 2, 3, 4, 5)
  t:one(t:value(), 5)
end }
