-- MIT 6.5840, lab 3D, init: servers that boot twice, with little in between, keep their snapshots.

local snapshots = require "examples.mit.snapshots"
local tester = require "examples.mit.tester"

return tester.scenario{ nodes = 3, compaction = snapshots.COMPACTION, test = function(t)
  for _ = 1, snapshots.COMPACTION.entries + 1 do t:one(t:value(), 3) end
  for _ = 1, 2 do
    snapshots.bounce(t)
    t:one(t:value(), 3)
  end
end }
