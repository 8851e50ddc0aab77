-- A register on a majority of nodes, as docs/tutorial.md ends: a read, too, sets what it answers.
-- (Attiya, Bar-Noy and Dolev, Sharing memory robustly in message-passing systems, 1995.)

return function(node)
  local state = { number = 0, writer = "", value = 0 }
  node.state = state
  local majority = (#node.peers + 1) // 2 + 1
  local asked, rounds = 0, {}     -- how often it has asked; the rounds that wait for answers
  local boots                     -- in the names of rounds: an answer may be older than a crash

  node.db:update(function(tx)
    local kept = tx:ensure_bucket("register")
    state.number = math.tointeger(kept:get("number") or 0)
    state.writer = kept:get("writer") or ""
    state.value = math.tointeger(kept:get("value") or 0)
    boots = math.tointeger(kept:get("boots") or 0) + 1
    kept:put("boots", tostring(boots))
  end)

  local function is_newer(a, b)
    if a.number ~= b.number then return a.number > b.number end
    return a.writer > b.writer
  end

  local function copy_of(from)
    return { number = from.number, writer = from.writer, value = from.value }
  end

  local function keep(new)
    if not is_newer(new, state) then return end
    state.number, state.writer, state.value = new.number, new.writer, new.value
    node.db:update(function(tx)
      local kept = tx:bucket("register")
      kept:put("number", tostring(new.number))
      kept:put("writer", new.writer)
      kept:put("value", tostring(new.value))
    end)
  end

  -- Asks all nodes, this one too; `fn` gets the newest copy of the first majority that answers.
  local function ask(body, fn)
    asked = asked + 1
    body.round = ("%d.%d"):format(boots, asked)
    rounds[body.round] = { answers = 1, from = {}, newest = copy_of(state), fn = fn }
    node:broadcast(body)
  end

  node:on("get", function(message)
    node:reply(message, { type = "got", round = message.body.round, copy = copy_of(state) })
  end)

  node:on("set", function(message)
    keep(message.body.copy)
    node:reply(message, { type = "got", round = message.body.round, copy = copy_of(state) })
  end)

  node:on("got", function(message)
    local round = rounds[message.body.round]
    if not round or round.from[message.src] then return end
    round.from[message.src] = true
    round.answers = round.answers + 1
    if is_newer(message.body.copy, round.newest) then round.newest = message.body.copy end
    if round.answers < majority then return end
    rounds[message.body.round] = nil
    round.fn(round.newest)
  end)

  local function set(copy, fn)
    keep(copy)
    ask({ type = "set", copy = copy }, fn)
  end

  node:on("read", function(message)
    ask({ type = "get" }, function(newest)
      set(newest, function()
        node:reply(message, { type = "read_ok", value = newest.value })
      end)
    end)
  end)

  node:on("write", function(message)
    ask({ type = "get" }, function(newest)
      local number = math.max(newest.number, state.number) + 1   -- it may have written meanwhile
      local copy = { number = number, writer = node.id, value = message.body.value }
      set(copy, function() node:reply(message, { type = "write_ok" }) end)
    end)
  end)
end
