-- MIT 6.5840, lab 3D, all crash: servers boot from their snapshots and logs, and lose nothing.

local snapshots = require "examples.mit.snapshots"
local tester = require "examples.mit.tester"

return tester.scenario{ nodes = 3, compaction = snapshots.COMPACTION, test = function(t)
  t:one(t:value(), 3)
  for _ = 1, 5 do
    for _ = 1, snapshots.draw_count(t) do t:start(t:leader(), t:value()) end
    local before = t:value()
    t:one(before, 3)
    snapshots.bounce(t)
    local after = t:value()
    t:one(after, 3)
    t:check(t.indices[after] > t.indices[before], "index %d after index %d", t.indices[after],
      t.indices[before])
  end
end }
