-- What the two tests of churn have in common: servers are cut off, crash and come back while three
-- clients work. Whatever a client saw committed is committed in the end.

local tester = require "examples.mit.tester"

local ROUNDS <const>, CLIENTS <const>, POLL_MS <const> = 20, 3, 10
local WAITS_MS <const> = { 10, 20, 50, 100, 200 }

local wait = coroutine.yield

-- A client: starts a value wherever that goes, waits a while, and notes it if it is committed.
local function new_client(t, me, seen)
  return coroutine.wrap(function()
    while true do
      local value, is_started = t:value(), false
      for i = 1, t.count do is_started = t:start(i, value) or is_started end
      if not is_started then wait(79 + me * 17) end
      for _, ms in ipairs(is_started and WAITS_MS or {}) do
        if t:committers(value) > 0 then
          seen[#seen + 1] = value
          break
        end
        wait(ms)
      end
    end
  end)
end

-- Lets time pass in which the clients work.
local function work(t, clients, ms)
  for _ = 1, ms, POLL_MS do
    for i, client in ipairs(clients) do
      local now_ms = t.world.time_us / 1000
      if now_ms >= clients.due_ms[i] then clients.due_ms[i] = now_ms + client() end
    end
    t:run(POLL_MS)
  end
end

-- One of the things that befall a server.
local function disturb(t)
  local chance = t.chance
  if chance:chance(0.2) then t:disconnect(chance:between(1, 5)) end
  if chance:chance(0.5) then
    local i = chance:between(1, 5)
    if t:is_up(i) then t:connect(i) else t:restart(i) end
  end
  if chance:chance(0.2) then t:crash(chance:between(1, 5)) end
end

---@param unreliable boolean whether the network is
return function(unreliable)
  return tester.scenario{ nodes = 5, unreliable = unreliable, test = function(t)
    local seen, clients = {}, { due_ms = {} }
    for me = 1, CLIENTS do clients[me], clients.due_ms[me] = new_client(t, me, seen), 0 end
    for _ = 1, ROUNDS do
      disturb(t)
      work(t, clients, tester.ELECTION_MS * 7 // 10)
    end
    work(t, clients, tester.ELECTION_MS)
    t:become_reliable()
    for i = 1, 5 do
      if t:is_up(i) then t:connect(i) else t:restart(i) end
    end
    t:run(tester.ELECTION_MS)
    t:one(t:value(), 5)
    t:check(#seen > 0, "no client saw anything committed")
    for _, value in ipairs(seen) do
      t:check(t:committers(value) == 5, "%s was committed, and is not in the end", value)
    end
  end }
end
