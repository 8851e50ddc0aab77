-- MIT 6.5840, lab 3C, more persistence: three of five servers go on, in turns.

local tester = require "examples.mit.tester"

return tester.scenario{ nodes = 5, test = function(t)
  for _ = 1, 5 do
    t:one(t:value(), 5)
    local leader = t:leader()
    local a, b, c, d = t:after(leader, 1), t:after(leader, 2), t:after(leader, 3),
      t:after(leader, 4)

    t:disconnect(a, b)
    t:one(t:value(), 3)
    t:disconnect(leader, c, d)

    for _, i in ipairs{ a, b } do
      t:crash(i)
      t:restart(i)
    end
    t:run(tester.ELECTION_MS)
    t:crash(c)
    t:restart(c)
    t:one(t:value(), 3)
    t:connect(d, leader)
  end
  t:one(1000, 5)
end }
