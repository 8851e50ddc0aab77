-- MIT 6.5840, lab 3C, figure 8 of the paper: leaders crash soon after they have taken a command,
-- most of them before they have committed it. What one of an older term has spread does not count
-- as committed.

local tester = require "examples.mit.tester"

local ROUNDS <const> = 1000

return tester.scenario{ nodes = 5, test = function(t)
  t:one(t:value(), 1)
  local up = 5
  for _ = 1, ROUNDS do
    local leader
    for i = 1, 5 do
      if t:is_up(i) and t:start(i, t:value()) then leader = i end
    end
    t:run(t.chance:chance(0.1) and t.chance:between(0, tester.ELECTION_MS // 2)
      or t.chance:between(0, 13))
    if leader then
      t:crash(leader)
      up = up - 1
    end
    local i = t.chance:between(1, 5)
    if up < 3 and not t:is_up(i) then
      t:restart(i)
      up = up + 1
    end
  end
  for i = 1, 5 do
    if not t:is_up(i) then t:restart(i) end
  end
  t:one(t:value(), 5)
end }
