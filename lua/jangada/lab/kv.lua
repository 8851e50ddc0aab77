-- Clients that use the reference Raft as a store of keys and values, several at a time, and keep
-- what they asked for and were told: a history, judged at the end of the run (World:finish) by
-- whether it is linearizable (jangada.check).
--
--     local clients = lab.kv_clients{count = 5, keys = 3}
--     local world <close> = lab.new{protocol = "jangada.raft.protocol",
--       options = {machine = "kv"}, clients = clients}
--     world:run(5000)
--     print(world:finish())                     -- nil, or a verdict not_linearizable
--
-- Operations go through the log, but for a part of the reads, which any node is asked. A client has
-- one on its way at a time, and sends it again under its number, to another node, until it is
-- answered or `give_up_ms` are over. Then its outcome is unknown, if any of the requests may have
-- reached the log, and the client goes on as another process, which is another session of Raft's.
-- Where an operation was applied is known from node:committed, and what a read has seen from its
-- answer: that is the order that the check tries first.

local check = require "jangada.check"
local encoding = require "jangada.raft.command"
local errors = require "jangada.errors"
local kv = require "jangada.raft.kv"
local options = require "jangada.lab.options"

local M = {}

-- Maelstrom's codes, as Raft uses them.
local NOT_SUPPORTED <const>, NOT_HERE <const> = 10, 11
local MALFORMED <const>, NO_SESSION <const> = 12, 22

local COUNT_MAX <const> = 1000
local MEMORY_MAX <const> = 128 << 20 -- bytes, of a check

local time = options.integer(1, 1000000000)
local RULES <const> = {
  count = {options.integer(1, COUNT_MAX), 3}, keys = {options.integer(1), 3},
  operations = {options.integer(1), 1000}, timeout_ms = {time, 150}, retry_ms = {time, 20},
  give_up_ms = {time, 1000}, think_ms = {options.integer(0, 1000000000), 10},
  reads = {options.rate, 0.5}, steps_max = {options.integer(1), 5000000},
}

--- The rules of their options (jangada.lab.options).
M.RULES = RULES

local Client = {}
Client.__index = Client
Client.__name = "jangada.lab.KvClient"

local function begin_session(self)
  self.sessions = self.sessions + 1
  self.process = self.client.id .. (self.sessions > 1 and "/" .. self.sessions or "")
  self.number = 0
end

local function record(self, event)
  local history = self.shared.history
  event.process, event.time = self.process, self.client.world.time_us
  history[#history + 1] = event
  return event
end

---------------------------------------------------------------------------------------------------
-- What is asked for

-- A value that nobody else writes.
local function new_value(self)
  self.values = self.values + 1
  return ("%s.%d"):format(self.client.id, self.values)
end

-- An operation: its function, key and value in the history, and the command.
local function draw(self)
  local chance = self.client.chance
  local key = "k" .. chance:between(1, self.shared.options.keys)
  local kind = chance:between(1, 20)
  if kind <= 10 then return "get", key, nil, kv.get(key) end
  local value = new_value(self)
  if kind <= 15 then return "put", key, value, kv.put(key, value) end
  if kind == 16 then return "delete", key, nil, kv.delete(key) end
  local expected = self.seen[key] -- as last seen; nil: no such key
  return "cas", key, {expected or check.null, value}, kv.cas(key, expected, value)
end

local function note_seen(self, f, key, value, answer)
  if f == "get" then
    self.seen[key] = answer or nil
  elseif f == "put" then
    self.seen[key] = value
  elseif f == "delete" then
    self.seen[key] = nil
  elseif answer then
    self.seen[key] = value[2]
  end
end

---------------------------------------------------------------------------------------------------
-- Asking

local begin, ask

local function pause(self)
  self.client:after(self.client.chance:between(0, self.shared.options.think_ms), self.begin)
end

-- Who led until now may not know that it does no more: it is asked to read, more than others.
local function note_leader(shared, index)
  if index == shared.leader then return end
  shared.former, shared.leader = shared.leader, index
end

local function succeed(self, answer, index)
  local invoked = self.invoked
  if not self.is_read then note_leader(self.shared, self.asked) end
  if index then invoked.order = index + 0.5 end -- after what was applied there
  if invoked.f ~= "get" and answer then self.client:acknowledged(self.data) end
  self.answered, self.answered_us = self.answered + 1, self.client.world.time_us
  note_seen(self, invoked.f, invoked.key, invoked.value, answer)
  if invoked.f == "get" then
    answer = answer or nil
  elseif invoked.f ~= "cas" then
    answer = invoked.value
  end
  record(self, {type = "ok", f = invoked.f, key = invoked.key, value = answer})
  pause(self)
end

local function give_up(self)
  record(self, {type = self.is_open and "info" or "fail", f = self.invoked.f,
    key = self.invoked.key, error = "no leader took it in time"})
  if not self.is_read then begin_session(self) end
  pause(self)
end

local function follow(self, leader)
  local world = self.client.world
  local endpoint = leader and world.endpoints[leader]
  if endpoint and not endpoint.is_client and endpoint.index ~= self.target then
    self.target = endpoint.index
  elseif self.asked == self.target then
    self.target = self.target % #world.nodes + 1
  end
end

local function on_answer(self, answer)
  if answer and answer.type == "submit_ok" then return succeed(self, answer.results[1]) end
  if answer and answer.type == "read_ok" then return succeed(self, answer.result, answer.index) end
  local code = answer and answer.code
  if code == NO_SESSION then return give_up(self) end
  if code == MALFORMED or code == NOT_SUPPORTED then
    errors.raise("command_refused", "%s of %s was refused: %s", self.invoked.f, self.process,
      tostring(answer.text))
  end
  -- This request may have reached the log.
  if code ~= NOT_HERE and not self.is_read then self.is_open = true end
  if self.client.world.time_us >= self.limit_us then return give_up(self) end
  follow(self, answer and answer.leader)
  if answer then
    self.client:after(self.shared.options.retry_ms, self.ask)
  else
    ask(self)
  end
end

function ask(self)
  local ids, chance = self.client.world.ids, self.client.chance
  local body
  self.asked = self.target
  if self.is_read then
    self.asked = chance:chance(0.5) and self.shared.former or chance:between(1, #ids)
    body = {type = "read", query = self.command}
  else
    body = {type = "submit", client = self.process, number = self.number,
      commands = {self.command}}
  end
  self.client:request(ids[self.asked], body, self.shared.options.timeout_ms, self.on_answer)
end

function begin(self)
  local shared = self.shared
  if shared.begun >= math.min(shared.options.operations, self.client.world.operations_max) then
    self.done = true
    return
  end
  shared.begun = shared.begun + 1
  local f, key, value, command = draw(self)
  self.command, self.is_open = command, false
  local reads = shared.options.reads
  self.is_read = f == "get" and reads > 0 and self.client.chance:chance(reads)
  self.limit_us = self.client.world.time_us + shared.options.give_up_ms * 1000
  self.invoked = record(self, {type = "invoke", f = f, key = key, value = value})
  if not self.is_read then
    self.number = self.number + 1
    self.data = encoding.encode(self.process, self.number, command)
    shared.by_data[self.data] = self.invoked
  end
  ask(self)
end

---Begins to ask. The world does.
---@param client table
function Client:start(client)
  self.client = client
  self.target = (client.index - 1) % #client.world.nodes + 1
  self.begin = function() begin(self) end
  self.ask = function() ask(self) end
  self.on_answer = function(answer) on_answer(self, answer) end
  self.shared:watch(client.world)
  begin_session(self)
  pause(self)
end

---------------------------------------------------------------------------------------------------
-- All of them

local Shared = {}
Shared.__index = Shared

-- The first time that an operation is committed, it takes effect there: that is the place that the
-- history tells, unless it is a cas that changes nothing, of which clients may never learn.
function Shared:apply(index, data)
  local invoked = self.by_data[data]
  if not invoked then return end
  self.by_data[data] = nil
  local _, _, command = encoding.decode(data)
  local answer = self.machine:apply(command)
  if invoked.f ~= "cas" or answer then invoked.order = index end
end

-- The judge that a world has for all of them.
function Shared:watch(world)
  if self.is_watched then return end
  self.is_watched = true
  world:watch{
    name = "linearizable",
    committed = function(_, _, index, _, data)
      if index <= self.top then return nil end
      self.top = index
      self:apply(index, data)
    end,
    finish = function() return self:judge() end,
  }
end

-- The fields of a verdict, or nil.
function Shared:judge()
  local result = check.run(self.history, {model = "kv", steps_max = self.options.steps_max,
    memory_max = MEMORY_MAX})
  self.result = result
  if result.verdict == "linearizable" then return nil end
  local story = check.explain(result)
  return {
    kind = result.verdict == "unknown" and "history_exceeded" or "not_linearizable",
    message = story:match("\n([^\n]*)") or story, story = story,
  }
end

---Makes clients, to be given to a world as its `clients`.
---
---  count         how many (3)
---  keys          how many keys they use (3)
---  operations    how many operations they do together (1000)
---  timeout_ms    how long to wait for an answer (150)
---  retry_ms      how long to wait after a refusal (20)
---  give_up_ms    after how long the outcome of an operation is unknown (1000)
---  think_ms      how long to wait after an operation, at most (10)
---  reads         which part of the gets is read without the log, of any node, 0 to 1 (0.5)
---  steps_max     how long to check the history, in steps of the model (5000000)
---
---@param given? jangada.lab.KvOptions
---@return table clients a list of them; its `shared.history` is the history, in the form of
---jangada.check, and `shared.result` what the check found
---Raises `option_unknown`, `option_invalid`.
function M.new(given)
  local complete = options.read("lab.kv_clients", given == nil and {} or given, RULES)
  local shared = setmetatable({options = complete, history = {}, by_data = {}, machine = kv.new(),
    begun = 0, top = 0, is_watched = false, result = nil,
    leader = nil, former = nil}, Shared) -- the indices of nodes
  local clients = {shared = shared}
  for i = 1, complete.count do
    clients[i] = setmetatable({shared = shared, sessions = 0, values = 0, seen = {}, done = false,
      answered = 0, answered_us = nil},
      Client)
  end
  return clients
end

---Whether a client is one of these.
---@param client any
---@return boolean
function M.is_client(client)
  return getmetatable(client) == Client
end

return M
