-- A client of a world: code outside the cluster that asks its nodes. It has no store, cannot
-- crash, and runs as ordinary Lua; only its chance and its time come from the world, so that a run
-- with clients is as repeatable as one without.

local errors = require "jangada.errors"
local options = require "jangada.lab.options"
local plain = require "jangada.node.plain"

local Client = {}
Client.__index = Client
Client.__name = "jangada.lab.Client"

local M = {}

---Makes a client. `world:client(id)` does.
---@param world table
---@param id string
---@param index integer after those of the nodes
---@return table client
function M.new(world, id, index)
  return setmetatable({
    world = world,
    id = id,
    index = index,
    is_client = true,
    chance = world.oracle:stream("client " .. id),
    requests = 0,    -- the last msg_id
    pending = {},    -- msg_id -> what is called with the reply
    handlers = {},   -- type of message -> function, for what is no reply
  }, Client)
end

local function check_message(self, dest, body)
  if not self.world.endpoints[dest] then
    errors.raise("unknown_destination", "there is no node or client %s", tostring(dest))
  end
  if type(body) ~= "table" or type(body.type) ~= "string" then
    errors.raise("body_invalid", "the body of a message is a table with a string `type`")
  end
end

local function check_function(fn)
  if type(fn) ~= "function" then
    errors.raise("argument_invalid", "what is to be called is a function, not %s",
      options.show(fn))
  end
end

local function transmit(self, dest, body, digest)
  self.world.host.transmit(self, {n = 2, {src = self.id, dest = dest, body = body}, digest})
end

-- For whoever observes: a request is an operation of the client, from here to its answer.
local function note(self, kind, id, body, dest)
  local trace = self.world.trace
  if not trace.observe then return end
  trace:row{kind = kind, client = self.id, id = id, dest = dest,
    body = body and plain.clone(body) or nil}
end

-- Whether clients have sent all that they may, together: what one wants of a node then is not done
-- and never answered, as if the client had stopped.
local function is_silent(self)
  local world = self.world
  if world.requests >= world.requests_max then return true end
  world.requests = world.requests + 1
  return false
end

---Sends a message. It may get lost.
---@param dest string a node
---@param body table plain data with a string `type`
---Raises `unknown_destination`, `body_invalid`, `not_plain`.
function Client:send(dest, body)
  check_message(self, dest, body)
  local copy, digest = plain.copy(body, "body")
  if is_silent(self) then return end
  transmit(self, dest, copy, digest)
end

local function expire(_, step)
  local client, id = step.client, step.id
  local fn = client.pending[id]
  if not fn then return false end
  client.pending[id] = nil
  note(client, "answer", id)
  fn(nil)
end

---Sends a message and calls a function with the body of the reply, or with nil when there was
---none in time. `msg_id` is set.
---@param dest string a node
---@param body table plain data with a string `type`
---@param timeout_ms number
---@param fn fun(body: table|nil)
---Raises `unknown_destination`, `body_invalid`, `not_plain`, `delay_invalid`, `argument_invalid`.
function Client:request(dest, body, timeout_ms, fn)
  check_message(self, dest, body)
  check_function(fn)
  local timeout_us = options.delay_us(timeout_ms)
  local id = self.requests + 1
  local copy, digest = plain.copy(body, "body")
  if is_silent(self) then return end
  if copy.msg_id == nil then
    copy.msg_id, digest = id, digest + plain.digest_field("msg_id", id)
  else
    copy.msg_id = id
    digest = plain.digest(copy, "body")
  end
  note(self, "request", id, copy, dest)
  transmit(self, dest, copy, digest)
  self.requests = id
  self.pending[id] = fn
  local world = self.world
  world:push(world.time_us + timeout_us, {run = expire, client = self, id = id})
end

---Says what is to be done with messages of a type that answer no request of this client.
---@param kind string the `type` in the message's body
---@param fn fun(message: table)
---Raises `argument_invalid`.
function Client:on(kind, fn)
  if type(kind) ~= "string" then
    errors.raise("argument_invalid", "a type of messages is a string, not %s", options.show(kind))
  end
  check_function(fn)
  self.handlers[kind] = fn
end

---Says that this client was told that something is committed: the invariants judge by it.
---@param data string as nodes tell it by node:committed
---Raises `argument_invalid`.
function Client:acknowledged(data)
  if type(data) ~= "string" then
    errors.raise("argument_invalid", "what is committed is a string, not %s", options.show(data))
  end
  self.world:judge_acknowledged(self, data)
end

---Runs a function later.
---@param ms number from now
---@param fn fun()
---Raises `delay_invalid`, `argument_invalid`.
function Client:after(ms, fn)
  check_function(fn)
  local world = self.world
  world:push(world.time_us + options.delay_us(ms), {run = function() fn() end, client = self})
end

---A message has arrived. For the world.
---@param message table
function Client:receive(message)
  local id = message.body.in_reply_to
  local fn = id and self.pending[id]
  if fn then
    self.pending[id] = nil
    note(self, "answer", id, message.body)
    return fn(message.body)
  end
  local handler = self.handlers[message.body.type]
  if handler then handler(message) end
end

return M
