-- MIT 6.5840, lab 3C, figure 8 in an unreliable network: leaders are cut off instead of crashed,
-- and after some time many messages come very late. The lab delays two of three answers; here it is
-- one message of three.

local tester = require "examples.mit.tester"

local ROUNDS <const>, REORDERED_FROM <const> = 1000, 200

return tester.scenario{ nodes = 5, unreliable = true, test = function(t)
  t:one(t:value(), 1)
  local connected = 5
  for round = 1, ROUNDS do
    if round == REORDERED_FROM then t.world:set_reorder(1 / 3, { 200, 2200 }) end
    local leader
    for i = 1, 5 do
      if t:start(i, t:value()) and t.connected[i] then leader = i end
    end
    t:run(t.chance:chance(0.1) and t.chance:between(0, tester.ELECTION_MS // 2)
      or t.chance:between(0, 13))
    if leader and t.chance:chance(0.5) then
      t:disconnect(leader)
      connected = connected - 1
    end
    local i = t.chance:between(1, 5)
    if connected < 3 and not t.connected[i] then
      t:connect(i)
      connected = connected + 1
    end
  end
  t:connect(1, 2, 3, 4, 5)
  t:one(t:value(), 5)
end }
