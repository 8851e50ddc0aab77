-- Single-decree Paxos: several nodes agree on one value, once and for all, though any of them may
-- crash and come back, and messages get lost or overtake each other. (Lamport, "Paxos Made Simple",
-- 2001.)
--
-- Every node is all three: an acceptor, which votes; a proposer, which asks for votes for the value
-- it wants; a learner, which in the end knows the value. A ballot is an attempt by one proposer,
-- and has a number. A value is chosen when a majority of the acceptors has accepted it in one
-- ballot; then it is chosen for ever, even if nobody knows yet.
--
--     jangada lab run examples/paxos_scenario.lua

return function(node)
  local members = #node.peers + 1
  local majority = members // 2 + 1   -- so that two majorities have a node in common
  local number = math.tointeger(tonumber(node.id:match("%d+")))
  local wanted = "what " .. node.id .. " wants"

  -- What an acceptor may never forget: the highest ballot that it has promised to, and what it has
  -- accepted last, and in which ballot.
  local state = { promised = 0, ballot = 0, value = nil, chosen = nil }
  node.state = state

  node.db:update(function(tx)
    local kept = tx:ensure_bucket("acceptor")
    state.promised = math.tointeger(kept:get("promised") or 0)
    state.ballot = math.tointeger(kept:get("ballot") or 0)
    state.value = kept:get("value")
  end)

  local function keep(name, value)
    state[name] = value
    node.db:update(function(tx) tx:bucket("acceptor"):put(name, tostring(value)) end)
  end

  -------------------------------------------------------------------------------------------------
  -- The acceptor. A turn is a transaction: its answer leaves when what it answers for is stored.

  -- To promise is to accept nothing in lower ballots any more.
  local function promise(ballot)
    if ballot <= state.promised then return false end
    keep("promised", ballot)
    return true
  end

  local function accept(ballot, value)
    if ballot < state.promised then return false end
    keep("promised", ballot)
    keep("ballot", ballot)
    keep("value", value)
    return true
  end

  node:on("prepare", function(message)
    if state.chosen then return node:reply(message, { type = "chosen", value = state.chosen }) end
    if promise(message.body.ballot) then
      node:reply(message, { type = "promise", ballot = message.body.ballot,
        accepted_in = state.ballot, accepted = state.value })
    end
  end)

  node:on("accept", function(message)
    if accept(message.body.ballot, message.body.value) then
      node:reply(message, { type = "accepted", ballot = message.body.ballot })
    end
  end)

  -------------------------------------------------------------------------------------------------
  -- The learner.

  local function learn(value)
    if state.chosen then return end
    state.chosen = value
    node:committed(1, 1, value)
  end

  node:on("chosen", function(message) learn(message.body.value) end)

  -------------------------------------------------------------------------------------------------
  -- The proposer. What it knows a crash may take: it begins anew, in a higher ballot.

  local ballot                -- the one that it is at
  local promises, accepts     -- who has answered in it: id -> true
  local best                  -- the value accepted in the highest ballot that it was told of
  local proposed              -- its value in this ballot, once it has one

  local function count(voters)
    local n = 0
    for _ in pairs(voters) do n = n + 1 end
    return n
  end

  -- Ballot b is node b % members's alone. It promises to its own ballot before it asks others: what
  -- is promised is stored, and so no ballot is used twice, not even by two lives of one node.
  local function prepare()
    ballot = state.promised + 1
    while ballot % members ~= number % members do ballot = ballot + 1 end
    best = { ballot = state.ballot, value = state.value }
    promises, accepts, proposed = { [node.id] = true }, {}, nil
    promise(ballot)
    node:broadcast{ type = "prepare", ballot = ballot }
  end

  -- With promises from a majority no lower ballot can choose anything any more, unless it has
  -- already; and if it has, one of the majority has told of it. So that value is proposed again.
  -- Only who was told of none is free.
  local function propose()
    proposed = best.value or wanted
    node:broadcast{ type = "accept", ballot = ballot, value = proposed }
    if accept(ballot, proposed) then accepts[node.id] = true end
  end

  node:on("promise", function(message)
    local body = message.body
    if body.ballot ~= ballot or proposed then return end   -- too late
    promises[message.src] = true
    if body.accepted_in > best.ballot then
      best = { ballot = body.accepted_in, value = body.accepted }
    end
    if count(promises) >= majority then propose() end
  end)

  node:on("accepted", function(message)
    if message.body.ballot ~= ballot then return end
    accepts[message.src] = true
    if count(accepts) >= majority and not state.chosen then
      learn(proposed)
      node:reached("chosen")
      node:broadcast{ type = "chosen", value = proposed }
    end
  end)

  -- Two proposers can outbid each other for ever. That they wait for a random time, longer after
  -- each failure, makes it unlikely; impossible no protocol can make it (Fischer, Lynch, Paterson,
  -- 1985).
  local wait_ms = 50
  local function try()
    if state.chosen then return end
    if ballot then node:reached("another ballot") end
    prepare()
    wait_ms = math.min(2 * wait_ms, 2000)
    node:after(node:random(wait_ms, 2 * wait_ms), try)
  end
  node:after(node:random(1, 100), try)
end
