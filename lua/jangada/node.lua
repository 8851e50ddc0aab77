-- A node: what a protocol is given, and nothing else.
--
-- A protocol is a Lua file that returns a function, called afresh at every boot of a node:
--
--     return function(node, options)
--       node.state = {role = "follower", term = 0}
--       node:on("ping", function(message) node:reply(message, {type = "pong"}) end)
--       node:every(50, function() node:broadcast{type = "ping"} end)
--     end
--
-- Its locals are volatile, `node.db` is durable. Every event is a turn, and a turn is a transaction
-- (jangada.node.turn). The protocol runs in an environment without clocks, chance or addresses
-- (jangada.node.environment).
--
-- The methods below are what a protocol calls. The functions of this module are what a world calls:
-- a world boots a *life* of a node, which lasts until it crashes, and gives it one event at a time.
-- A world serves a life through a host with these methods (`owner` is the world's own value):
--
--     now_us(owner)                           the node's clock, in microseconds
--     schedule(owner, timer, time_us)         calls node.fire(life, timer, time_us) at that time
--     choose(owner, n)                        a decision, 0..n-1
--     maybe(owner, name)                      whether the fault point `name` strikes now
--     endpoints                               not a method: what is there by id, nodes and clients
--     is_client(id)                           whether it is a client
--     transmit(owner, dest, body, digest)     a message leaves
--     noted(owner, name, fields, digest)      the node called trace
--     committed(owner, index, term, data)     the node called committed
--     reached(owner, name)                    the node called reached
--     printed(owner, text)                    the protocol called print
--
-- transmit, noted, committed and reached are called when the turn is durable.

local database = require "jangada.node.database"
local environment = require "jangada.node.environment"
local errors = require "jangada.errors"
local modules = require "jangada.node.modules"
local plain = require "jangada.node.plain"
local timers = require "jangada.node.timers"
local turn = require "jangada.node.turn"

local copy_plain, try_copy_body = plain.copy, plain.try_copy_body
local hold_send, hold_output, run = turn.hold_send, turn.hold_output, turn.run

local methods = {}
local meta = {__index = methods, __name = "jangada.Node", __metatable = "jangada.Node"}

local M = {}

local function raise_over(life)
  errors.raise("turn_over", "node %s can act in its turns only", life.id)
end

local function life_of(self)
  local life = self._life
  if not life.face._open then raise_over(life) end
  return life
end

local function check_function(fn, what)
  if type(fn) ~= "function" then
    errors.raise("argument_invalid", "%s needs a function, not a %s", what, type(fn))
  end
end

local function copy_body(body)
  local copy, digest = try_copy_body(body)
  if digest then return copy, digest end
  if type(body) ~= "table" or type(body.type) ~= "string" then
    errors.raise("body_invalid", "the body of a message is a table with a string `type`")
  end
  return copy_plain(body, "body") -- raises
end

local function check_sending(life, dest)
  if not life.face._open then raise_over(life) end
  if life.host.endpoints[dest] == nil then
    errors.raise("unknown_destination", "there is no node or client %s", tostring(dest))
  end
end

---Says what is to be done with messages of a type, from nodes and clients alike.
---@param kind string the `type` in the message's body
---@param fn fun(message: {src: string, dest: string, body: table})
function methods:on(kind, fn)
  check_function(fn, "node:on")
  if type(kind) ~= "string" then
    errors.raise("argument_invalid", "node:on needs the type of a message, not a %s", type(kind))
  end
  life_of(self).handlers[kind] = fn
end

---Sends a message. It leaves when the turn is durable, crosses by value, and may get lost.
---@param dest string a node or a client; a node may send to itself
---@param body table plain data with a string `type`
---@param options? {before_durable: boolean} lets it leave before the turn's writes are durable
---Raises `unknown_destination`, `body_invalid`, `not_plain`.
function methods:send(dest, body, options)
  local life = self._life
  check_sending(life, dest)
  local copy, digest = copy_body(body)
  hold_send(life, dest, copy, digest, options ~= nil and options.before_durable == true)
end

---Sends a message to every other node.
---@param body table plain data with a string `type`
---Raises `body_invalid`, `not_plain`.
function methods:broadcast(body)
  local life = life_of(self)
  local copy, digest = copy_body(body)
  local peers = life.peers
  for i = 1, #peers do
    hold_send(life, peers[i], i == 1 and copy or plain.clone(copy), digest, false)
  end
end

---Answers a message: like `send` to where it came from, with `in_reply_to` set to its `msg_id`.
---@param message {src: string, body: table}
---@param body table plain data with a string `type`
---Raises `unknown_destination`, `body_invalid`, `not_plain`.
function methods:reply(message, body)
  local life, dest = self._life, message.src
  check_sending(life, dest)
  local copy, digest = copy_body(body)
  local id = message.body.msg_id
  if id ~= nil and copy.in_reply_to == nil then
    digest = digest + plain.digest_field("in_reply_to", id)
    copy.in_reply_to = id
  end
  hold_send(life, dest, copy, digest, false)
end

---Runs fn once, in a turn of its own.
---@param ms number from now, on the node's clock
---@param fn fun()
---@return table timer `timer:cancel()`, `timer:reset(ms)`, `timer:is_running()`
---Raises `delay_invalid`.
function methods:after(ms, fn)
  check_function(fn, "node:after")
  return timers.start(life_of(self), ms, fn, false)
end

---Runs fn again and again, each time in a turn of its own.
---@param ms number the period, on the node's clock; at least a microsecond
---@param fn fun()
---@return table timer `timer:cancel()`, `timer:reset(ms)`, `timer:is_running()`
---Raises `delay_invalid`.
function methods:every(ms, fn)
  check_function(fn, "node:every")
  return timers.start(life_of(self), ms, fn, true)
end

---The node's own clock.
---@return integer ms
function methods:now()
  local life = self._life
  if not life.face._open then raise_over(life) end
  return life.host:now_us(life.owner) // 1000
end

---The node's own chance. Like math.random: an integer m..n, 1..m, or a float in [0, 1).
---@param m? integer
---@param n? integer
---@return number
function methods:random(m, n)
  local life = life_of(self)
  if m == nil then return life.host:choose(life.owner, 1 << 53) * 2.0 ^ -53 end
  if n == nil then m, n = 1, m end
  m, n = math.tointeger(m), math.tointeger(n)
  if not m or not n or m > n or n - m < 0 then
    errors.raise("argument_invalid", "node:random needs two integers, the smaller one first")
  end
  return m + life.host:choose(life.owner, n - m + 1)
end

---Writes a row into the world's trace, once the turn is durable.
---@param name string what happened
---@param fields? table plain data
---Raises `not_plain`.
function methods:trace(name, fields)
  local life = life_of(self)
  local copy, digest = copy_plain(fields, "fields")
  hold_output(life, "noted", name, copy, digest)
end

---Tells the world that the node holds an entry for committed: once for each index it applies, in
---order, at each boot. The safety checks of a world judge by it.
---@param index integer
---@param term integer
---@param data string
function methods:committed(index, term, data)
  local life = self._life
  if not life.face._open then raise_over(life) end
  hold_output(life, "committed", index, term, data)
end

---Sets a mark: a campaign counts which marks its runs have reached.
---@param name string
function methods:reached(name)
  hold_output(life_of(self), "reached", name)
end

---A fault point in the protocol's own code: false nearly always, true where the world wants
---something rare to happen.
---@param name string
---@return boolean
function methods:maybe(name)
  local life = life_of(self)
  return life.host:maybe(life.owner, name)
end

-- Compiled protocols are run in a turn too: what they raise while booting is judged like the rest.
local function run_protocol(boot)
  local protocol = boot.chunk()
  if type(protocol) ~= "function" then
    errors.raise("protocol_invalid", "%s returns a %s; a protocol returns a function",
      boot.name, type(protocol))
  end
  protocol(boot.node, boot.node.options)
end

---Boots a node: makes its environment, loads the protocol into it and runs it, as a turn.
---@param host table what serves the node, see above
---@param owner any handed back to the host in every call
---@param config {id: string, peers: string[], db: table, options: table, source: jangada.Source}
---@return table life
---@return nil|table failure of the boot turn (jangada.node.turn)
function M.boot(host, owner, config)
  local face = database.new(config.db, config.id .. ".db")
  local env, audit
  env, audit = environment.new(
    function(text)
      environment.leave()
      host:printed(owner, text)
      environment.enter(env.string)
    end,
    function() return database.is_bound(face) end)
  modules.add_require(env)
  local life = {
    id = config.id,
    host = host,
    owner = owner,
    peers = config.peers,
    handlers = {},               -- type of message -> function
    outbox = turn.new_outbox(),
    face = face,
    audit = audit,
    strings = env.string,
    state_digest = 0,            -- of node.state after the last turn
    wrote = false,               -- whether the last turn had a transaction
    over = false,                -- a turn has failed, or the node has crashed
  }
  life.node = setmetatable({
    id = config.id,
    peers = plain.clone(config.peers),
    options = plain.copy(config.options or {}, "options"),
    db = face,
    state = nil,
    _life = life,
  }, meta)
  local failure = turn.run(life, run_protocol, {
    chunk = modules.load(config.source, env), name = config.source.name, node = life.node,
  })
  return life, failure
end

-- A node that knows nothing of a type of message is wrong if another node sent it, and right if a
-- client did: then it says so, as Maelstrom has it (error 10, not supported).
local function unhandled(delivery)
  local node, message = delivery.node, delivery.message
  local life = node._life
  if not life.host:is_client(message.src) then
    errors.raise("no_handler", "%s has no handler for %s, which %s sent", node.id,
      tostring(message.body.type), message.src)
  end
  node:reply(message, {type = "error", code = 10,
    text = ("%s has no handler for %s"):format(node.id, tostring(message.body.type))})
end

---Gives a message to a node.
---@param life table
---@param message {src: string, dest: string, body: table} belongs to the node from here on
---@return nil|table failure
function M.deliver(life, message)
  local handler = life.handlers[message.body.type]
  if handler then return run(life, handler, message) end
  return run(life, unhandled, {node = life.node, message = message})
end

---Gives a timer's entry to a node.
---@param life table
---@param timer table
---@param time_us integer the time of the entry
---@return boolean fired false when there was nothing to be done
---@return nil|table failure
function M.fire(life, timer, time_us)
  local fn = timers.expire(timer, time_us)
  if not fn then return false end
  return true, run(life, fn)
end

---Ends a life, as a crash does: its timers never fire again.
---@param life table
function M.stop(life)
  life.over = true
end

M.source = modules.source
M.refresh = modules.refresh

return M
