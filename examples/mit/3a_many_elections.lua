-- MIT 6.5840, lab 3A, many elections: ten times, three of seven servers are cut off. Either the
-- leader is among the four that are left, or these elect one.

local tester = require "examples.mit.tester"

return tester.scenario{ nodes = 7, test = function(t)
  t:leader()
  for _ = 1, 10 do
    local cut = {}
    for i = 1, 3 do cut[i] = t.chance:between(1, 7) end
    t:disconnect(table.unpack(cut))
    t:leader()
    t:connect(table.unpack(cut))
  end
  t:leader()
end }
