-- Primary and backup: two nodes keep one register, and it is wrong on purpose.
--
-- It looks careful. The primary answers a write only when the backup has it too; both keep it on
-- disk; a backup that hears nothing for a while takes over, in a higher view, and a primary that
-- learns of a higher view steps down. Many systems were built like this.
--
-- The mistake is one thought: "it has not answered for 100 ms, so it is dead". It may as well be
-- slow, or behind a cut. Then the primary goes on alone, and answers; the backup takes over, and
-- answers too; and when they meet again, one of them throws away what it has promised to keep. No
-- time is long enough, since nobody can tell a dead node from a silent one. The way out is to ask a
-- third: of three nodes only one side of a cut has two. That is what Paxos and Raft do.
--
--     jangada lab run examples/primary_backup_scenario.lua

local HEARTBEAT_MS <const> = 20
local DEAD_AFTER_MS <const> = 100

return function(node)
  local state = { role = "backup", view = 0, version = 0, value = "" }
  node.state = state
  local peer = node.peers[1]
  local heard_at = node:now()    -- when the other was last heard
  local waiting = {}             -- version -> the write of a client that has no answer yet

  node.db:update(function(tx)
    local kept = tx:ensure_bucket("register")
    state.view = math.tointeger(kept:get("view") or 0)
    state.version = math.tointeger(kept:get("version") or 0)
    state.value = kept:get("value") or ""
  end)

  local function keep(view, version, value)
    state.view, state.version, state.value = view, version, value
    node.db:update(function(tx)
      local kept = tx:bucket("register")
      kept:put("view", tostring(view))
      kept:put("version", tostring(version))
      kept:put("value", value)
    end)
  end

  local function copy()
    node:send(peer, { type = "copy", view = state.view, version = state.version,
      value = state.value })
  end

  -- Tells the clients that their writes are safe, and says so to who judges the run.
  local function acknowledge(version)
    local write = waiting[version]
    if not write then return end
    waiting[version] = nil
    node:committed(version, state.view, write.body.value)
    node:reply(write, { type = "write_ok", version = version })
  end

  local function is_silent()
    return node:now() - heard_at > DEAD_AFTER_MS
  end

  local function lead()
    state.role = "primary"
    keep(state.view + 1, state.version, state.value)
    copy()
  end

  node:on("write", function(message)
    if state.role ~= "primary" then return node:reply(message, { type = "not_primary" }) end
    if waiting[state.version] then return node:reply(message, { type = "busy" }) end
    keep(state.view, state.version + 1, message.body.value)
    waiting[state.version] = message
    copy()
  end)

  node:on("copy", function(message)
    local body = message.body
    if body.view < state.view then return end
    if body.view > state.view and state.role == "primary" then node:reached("stepped down") end
    state.role, waiting, heard_at = "backup", {}, node:now()
    if body.view > state.view or body.version > state.version then
      keep(body.view, body.version, body.value)
    end
    node:reply(message, { type = "copied", view = body.view, version = body.version })
  end)

  node:on("copied", function(message)
    if message.body.view ~= state.view then return end
    heard_at = node:now()
    acknowledge(message.body.version)
  end)

  node:every(HEARTBEAT_MS, function()
    if state.role == "primary" then
      copy()
      if is_silent() then acknowledge(state.version) end   -- here: "the backup is dead"
    elseif is_silent() then
      lead()                                               -- and here: "the primary is dead"
    end
  end)

  if node.id == "n1" and state.view == 0 then lead() end
end
