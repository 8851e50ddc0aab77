-- MIT 6.5840, lab 3C, agreement in an unreliable network: five values at once, fifty times.

local tester = require "examples.mit.tester"

return tester.scenario{ nodes = 5, unreliable = true, test = function(t)
  for _ = 1, 50 do
    for _ = 1, 5 do t:begin(t:value(), 1) end
    t:agree()
  end
  t:become_reliable()
  t:one(100, 5)
end }
