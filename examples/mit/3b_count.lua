-- MIT 6.5840, lab 3B, count: there are not too many requests, for an election, for an agreement,
-- and when there is nothing to do.

local tester = require "examples.mit.tester"

local COMMANDS <const> = 10

return tester.scenario{ nodes = 3, observes = true, test = function(t)
  local leader = t:leader()
  t:check(t.requests >= 1 and t.requests <= 30, "%d requests to elect a leader", t.requests)

  local before, last = t.requests, nil
  for _ = 1, COMMANDS do
    last = t:value()
    t:check(t:start(leader, last), "n%d leads no more", leader)
  end
  t.world:run_until(function() return t:committers(last) == 3 end, 2000)
  t:check(t:committers(last) == 3, "no agreement in 2 s")
  local requests, most = t.requests - before, (COMMANDS + 1 + 3) * 3
  t:check(requests <= most, "%d requests for %d commands, and %d are enough", requests, COMMANDS,
    most)

  t:run(tester.ELECTION_MS)
  before = t.requests
  t:run(1000)
  t:check(t.requests - before <= 3 * 20, "%d requests in a second without work",
    t.requests - before)
end }
