-- A lock service with leases and fencing tokens. n1 keeps the lock, n2 keeps a file that may only
-- be written under the lock, all others are workers that want to write it.
--
-- A worker that holds a lock may die, and then nobody else would ever get it; so it gets the lock
-- for a while only: a lease. Two things make that safe. The worker counts its lease from when it
-- asked, not from when it was answered, so that it gives up before the server gives the lock away.
-- And what it sends to the file may arrive later than it thinks: it may be paused between looking
-- at its clock and sending, and a network may be slow. So every lease has a number, its fencing
-- token, and the file refuses what comes with a lower token than it has seen. (Burrows, "The
-- Chubby lock service", 2006; Kleppmann, "How to do distributed locking", 2016.)
--
-- A lease trusts that all clocks run equally fast, not that they show the same time: only spans of
-- one's own clock are ever compared.
--
--     jangada lab run examples/lock_scenario.lua

local LEASE_MS <const> = 200

-- A number that a crash does not take.
local function durable(node, name)
  local kept = { value = 0 }
  node.db:update(function(tx)
    kept.value = math.tointeger(tx:ensure_bucket("numbers"):get(name) or 0)
  end)
  function kept.put(value)
    kept.value = value
    node.db:update(function(tx) tx:bucket("numbers"):put(name, tostring(value)) end)
  end
  return kept
end

-- The server keeps the last token on disk, and who holds it in memory. After a crash it does not
-- know who does, or until when; but it knows that every lease of its former life ends within one
-- lease from now, and waits for that.
local function serve_lock(node)
  local token = durable(node, "token")
  local free_at = node:now() + LEASE_MS
  node.state = { role = "lock", token = token.value }

  node:on("acquire", function(message)
    if node:now() < free_at then return end    -- the worker asks again
    free_at = node:now() + LEASE_MS
    token.put(token.value + 1)
    node.state.token = token.value
    node:reply(message, { type = "granted", token = token.value, asked_at = message.body.asked_at })
  end)

  node:on("release", function(message)
    if message.body.token == token.value then free_at = node:now() end
  end)
end

-- The file knows nothing of leases and clocks. It remembers the highest token.
local function serve_file(node)
  local highest = durable(node, "highest")
  node.state = { role = "file", token = highest.value }

  node:on("write", function(message)
    local token = message.body.token
    if token < highest.value then return node:reached("a late write is refused") end
    highest.put(token)
    node.state.token = token
  end)
end

local function work(node)
  local state = { role = "worker" }     -- token, since, ends: the lease it had last
  node.state = state
  local asked_at                        -- when it asked, while it waits for the answer

  local function holds()
    return state.ends ~= nil and node:now() < state.ends
  end

  local function release()
    state.ends = node:now()             -- first it stops, then it says so
    node:send("n1", { type = "release", token = state.token })
  end

  node:on("granted", function(message)
    local body = message.body
    if body.asked_at ~= asked_at then return end   -- of an older request, or an older life
    asked_at = nil
    if node:now() >= body.asked_at + LEASE_MS then return node:reached("a lease comes too late") end
    state.token, state.since, state.ends = body.token, node:now(), body.asked_at + LEASE_MS
  end)

  node:every(node:random(15, 25), function()
    if not holds() then
      if asked_at and node:now() < asked_at + LEASE_MS then return end
      asked_at = node:now()
      node:send("n1", { type = "acquire", asked_at = asked_at })
    elseif node:random(5) == 1 then
      release()
    else
      node:send("n2", { type = "write", token = state.token })
    end
  end)
end

return function(node)
  if node.id == "n1" then return serve_lock(node) end
  if node.id == "n2" then return serve_file(node) end
  work(node)
end
