-- The tests of MIT's lab 3D have one frame: a server misses more than a snapshot's worth of values,
-- and comes back.

local tester = require "examples.mit.tester"

local M = {}

local INTERVAL <const> = 10   -- entries after which a server takes a snapshot
local ROUNDS <const> = 30
local LOG_BYTES <const> = 2000 -- more than a log that is compacted has

M.COMPACTION = { entries = INTERVAL }

---How many values the tests start in a row.
---@param t mit.Tester
---@return integer
function M.draw_count(t) return t.chance:between(INTERVAL // 2, INTERVAL // 2 + INTERVAL - 1) end

local function play(t, leave, come_back)
  t:one(t:value(), 3)
  local leader = t:leader()
  for round = 1, ROUNDS do
    local victim, sender = t:after(leader, 1), leader
    if round % 3 == 2 then victim, sender = leader, victim end
    if leave then
      t[leave](t, victim)
      t:one(t:value(), 2)
    end
    for _ = 1, M.draw_count(t) do t:start(sender, t:value()) end
    t:one(t:value(), leave and 2 or 3)
    t:check(t:log_bytes() < LOG_BYTES, "a log has %d bytes", t:log_bytes())
    if leave then
      t[come_back](t, victim)
      t:one(t:value(), 3)
      leader = t:leader()
    end
  end
end

---A scenario in which one server after the other leaves and comes back.
---@param options {unreliable: boolean|nil}
---@param leave? "disconnect"|"crash" what happens to it
---@param come_back? "connect"|"restart"
---@return table
function M.scenario(options, leave, come_back)
  return tester.scenario{ nodes = 3, unreliable = options.unreliable, compaction = M.COMPACTION,
    test = function(t) play(t, leave, come_back) end }
end

---All servers crash, and boot.
---@param t mit.Tester
function M.bounce(t)
  for i = 1, t.count do t:crash(i) end
  for i = 1, t.count do t:restart(i) end
end

return M
