-- Multi-Paxos: a list of values, each slot of it decided as Paxos decides one value, with one
-- ballot for all slots. Who has the promises of a majority leads: from then on a value costs one
-- round trip. Read paxos.lua first; what is the same there is not explained again.
--
--     jangada lab run examples/multi_paxos_scenario.lua

local HEARTBEAT_MS <const> = 30

return function(node)
  local members = #node.peers + 1
  local majority = members // 2 + 1
  local number = math.tointeger(tonumber(node.id:match("%d+")))

  -- accepted[slot] is what was accepted last for it: {ballot=, value=}.
  local state = { role = "follower", promised = 0, accepted = {}, decided = 0 }
  node.state = state

  node.db:update(function(tx)
    state.promised = math.tointeger(tx:ensure_bucket("acceptor"):get("promised") or 0)
    for slot, text in tx:ensure_bucket("slots", { keys = "integer" }):each() do
      local ballot, value = text:match("^(%d+) (.*)$")
      state.accepted[slot] = { ballot = math.tointeger(ballot), value = value }
    end
  end)

  local ballot = 0             -- the one that this node is at, as a proposer
  local promises, best         -- who has promised; slot -> what was accepted in the highest ballot
  local last = 0               -- the last slot that was proposed in this ballot
  local proposed, accepts = {}, {}  -- slot -> value, slot -> who has accepted it
  local waiting = {}           -- slot -> the client's message that is to be answered
  local known = {}             -- slot -> value, once decided
  local election

  -------------------------------------------------------------------------------------------------
  -- The acceptor. A promise is one for all slots.

  local function promise(to)
    if to <= state.promised then return false end
    state.promised, state.role = to, "follower"
    node.db:update(function(tx) tx:bucket("acceptor"):put("promised", tostring(to)) end)
    return true
  end

  local function accept(to, slot, value)
    if to < state.promised then return false end
    promise(to)
    state.accepted[slot] = { ballot = to, value = value }
    node.db:update(function(tx) tx:bucket("slots"):put(slot, ("%d %s"):format(to, value)) end)
    return true
  end

  local function wait_for_leader()
    election:reset(node:random(200, 400))
  end

  node:on("prepare", function(message)
    if promise(message.body.ballot) then
      wait_for_leader()
      node:reply(message, { type = "promise", ballot = message.body.ballot,
        accepted = state.accepted })
    end
  end)

  node:on("accept", function(message)
    local body = message.body
    if accept(body.ballot, body.slot, body.value) then
      wait_for_leader()
      node:reply(message, { type = "accepted", ballot = body.ballot, slot = body.slot })
    end
  end)

  -------------------------------------------------------------------------------------------------
  -- The learner. Slots are decided in any order, and applied one after the other.

  local function learn(slot, value)
    known[slot] = value
    while known[state.decided + 1] do
      state.decided = state.decided + 1
      node:committed(state.decided, 1, known[state.decided])
    end
  end

  node:on("decided", function(message) learn(message.body.slot, message.body.value) end)

  node:on("lead", function(message)
    if message.body.ballot < state.promised then return end
    wait_for_leader()
    if message.body.decided > state.decided then
      node:reply(message, { type = "missing", from = state.decided + 1 })
    end
  end)

  node:on("missing", function(message)
    for slot = message.body.from, state.decided do
      node:reply(message, { type = "decided", slot = slot, value = known[slot] })
    end
  end)

  -------------------------------------------------------------------------------------------------
  -- The proposer.

  local function send_accept(slot)
    node:broadcast{ type = "accept", ballot = ballot, slot = slot, value = proposed[slot] }
  end

  local function propose(slot, value)
    last = math.max(last, slot)
    proposed[slot], accepts[slot] = value, { [node.id] = true }
    accept(ballot, slot, value)
    send_accept(slot)
  end

  -- What a lower ballot may have chosen is proposed again. A slot before it of which nobody has
  -- told was chosen by none: it is filled with nothing, so that what comes after can be applied.
  local function lead()
    state.role = "leader"
    node:reached("leads")
    local filled = 0
    for slot in pairs(best) do filled = math.max(filled, slot) end
    for slot = 1, filled do propose(slot, best[slot] and best[slot].value or "nothing") end
  end

  local function merge(accepted)
    for slot, vote in pairs(accepted) do
      if not best[slot] or vote.ballot > best[slot].ballot then best[slot] = vote end
    end
  end

  local function count(voters)
    local n = 0
    for _ in pairs(voters) do n = n + 1 end
    return n
  end

  local function prepare()
    wait_for_leader()
    ballot = state.promised + 1
    while ballot % members ~= number % members do ballot = ballot + 1 end
    promise(ballot)
    last, proposed, accepts, waiting = 0, {}, {}, {}
    promises, best = { [node.id] = true }, {}
    merge(state.accepted)
    node:broadcast{ type = "prepare", ballot = ballot }
  end

  local function is_current(body)
    return body.ballot == ballot and ballot == state.promised
  end

  node:on("promise", function(message)
    if not is_current(message.body) or state.role == "leader" then return end
    promises[message.src] = true
    merge(message.body.accepted)
    if count(promises) >= majority then lead() end
  end)

  node:on("accepted", function(message)
    local slot = message.body.slot
    if not is_current(message.body) or known[slot] then return end
    accepts[slot][message.src] = true
    if count(accepts[slot]) < majority then return end
    learn(slot, proposed[slot])
    node:broadcast{ type = "decided", slot = slot, value = proposed[slot] }
    if waiting[slot] then node:reply(waiting[slot], { type = "submit_ok", slot = slot }) end
  end)

  node:on("submit", function(message)
    if state.role ~= "leader" then return node:reply(message, { type = "not_leader" }) end
    waiting[last + 1] = message
    propose(last + 1, message.body.value)
  end)

  -- A leader tells that it is there, and sends again what may have got lost.
  node:every(HEARTBEAT_MS, function()
    if state.role ~= "leader" then return end
    wait_for_leader()
    node:broadcast{ type = "lead", ballot = ballot, decided = state.decided }
    for slot = state.decided + 1, last do
      if not known[slot] then send_accept(slot) end
    end
  end)

  election = node:after(node:random(1, 200), prepare)
end
