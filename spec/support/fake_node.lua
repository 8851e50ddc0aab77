-- A node for one protocol on its own: what it sends is recorded, its clock moves and its messages
-- come when the spec says so. Each handler is one transaction, as in a real turn.
--
--     local fake = fake_node.new{ protocol = raft.protocol, cluster = 3, db = db }
--     fake:deliver("n2", {type = "request_vote", ...})   returns what was sent: {dest =, body =}...
--     fake:advance(300)                                  the same, for the timers that fire
local fake_node = {}

local Fake = {}
Fake.__index = Fake

local function copy(value)
  if type(value) ~= "table" then return value end
  local new = {}
  for key, field in pairs(value) do new[key] = copy(field) end
  return new
end

local function counted(fake, db)
  return setmetatable({
    update = function(_, ...)
      fake.updates = fake.updates + 1
      local tx = db:write_tx()
      if tx then return tx:savepoint(...) end
      return db:update(...)
    end,
    view = function(_, ...) return db:view(...) end,
    write_tx = function() return db:write_tx() end,
  }, { __index = db })
end

local function start_timer(fake, ms, fn, period_ms)
  local timer = { due_ms = fake.now_ms + ms, fn = fn, period_ms = period_ms }
  function timer.cancel(self) self.fn = nil end
  fake.timers[#fake.timers + 1] = timer
  return timer
end

local function new_node(fake, config)
  local node = { id = config.id, peers = config.peers, db = counted(fake, config.db) }
  function node.on(_, kind, fn) fake.handlers[kind] = fn end
  function node.send(_, dest, body)
    fake.sent[#fake.sent + 1] = { dest = dest, body = copy(body) }
  end
  function node:broadcast(body)
    for _, peer in ipairs(self.peers) do self:send(peer, body) end
  end
  function node:reply(message, body)
    body = copy(body)
    body.in_reply_to = message.body.msg_id
    self:send(message.src, body)
  end
  function node.after(_, ms, fn) return start_timer(fake, ms, fn, nil) end
  function node.every(_, ms, fn) return start_timer(fake, ms, fn, ms) end
  function node.now(_) return fake.now_ms end
  function node.random(_, m, n) return fake.random(m, n) end
  function node.trace(_, name, fields) fake.traces[#fake.traces + 1] = { name, copy(fields) } end
  function node.reached(_, name) fake.marks[name] = (fake.marks[name] or 0) + 1 end
  function node.committed(_, index, term, data)
    fake.committed[#fake.committed + 1] = { index = index, term = term, data = data }
  end
  return node
end

--- Boots a protocol on a DB.
---@param config table protocol, db; cluster (how many members, default 3), id (default "n1"),
---  options, random (function(m, n), default the middle), now_ms
function fake_node.new(config)
  local fake = setmetatable({
    handlers = {}, sent = {}, timers = {}, traces = {}, marks = {}, committed = {},
    updates = 0, -- calls of db:update
    now_ms = config.now_ms or 0,
    random = config.random or function(m, n) return (m + n) // 2 end,
  }, Fake)
  local id, peers = config.id or "n1", {}
  for i = 1, config.cluster or 3 do
    if "n" .. i ~= id then peers[#peers + 1] = "n" .. i end
  end
  fake.node = new_node(fake, { id = id, peers = peers, db = config.db })
  config.protocol(fake.node, config.options)
  return fake
end

--- What was sent since the last time.
function Fake:take()
  local sent = self.sent
  self.sent = {}
  return sent
end

--- Gives the node a message and returns what it sent.
function Fake:deliver(src, body)
  local message = { src = src, dest = self.node.id, body = copy(body) }
  self.handlers[body.type](message)
  return self:take()
end

local function next_due(self, until_ms)
  local first
  for _, timer in ipairs(self.timers) do
    if timer.fn and timer.due_ms <= until_ms and (not first or timer.due_ms < first.due_ms) then
      first = timer
    end
  end
  return first
end

--- Lets time pass, fires the timers that are due, and returns what was sent.
function Fake:advance(ms)
  local until_ms = self.now_ms + ms
  local timer = next_due(self, until_ms)
  while timer do
    self.now_ms = timer.due_ms
    local fn = timer.fn
    if timer.period_ms then
      timer.due_ms = timer.due_ms + timer.period_ms
    else
      timer.fn = nil
    end
    fn()
    timer = next_due(self, until_ms)
  end
  self.now_ms = until_ms
  return self:take()
end

--- Lets time pass until something is sent, at most `limit_ms`.
function Fake:advance_until_sent(limit_ms)
  for _ = 1, limit_ms do
    local sent = self:advance(1)
    if #sent > 0 then return sent end
  end
  error("nothing was sent in " .. limit_ms .. " ms")
end

return fake_node
