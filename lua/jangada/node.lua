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
-- What a protocol calls is in jangada.node.methods, what a world calls is here: it boots a *life*
-- of a node, which lasts until it crashes, and gives it one event after the other. It serves a life
-- through a host, a table of functions (`owner` is the world's own value):
--
--     now_us(owner)                           what timers run by, in microseconds
--     clock_us(owner)                         the node's clock, in microseconds: it may be set
--                                             forward or back
--     schedule(owner, timer, time_us)         calls node.fire(life, timer, time_us) at that time
--     choose(owner, n)                        a decision, 0..n-1
--     maybe(owner, name)                      whether the fault point `name` strikes now
--     endpoints                               no function: what is there by id, nodes and clients
--     is_client(id)                           whether it is a client
--     transmit(owner, sends)                  messages leave; their list (jangada.node.turn) is
--                                             empty then
--     noted(owner, name, fields, digest)      the node called trace
--     committed(owner, index, term, data)     the node called committed
--     reached(owner, name)                    the node called reached
--     printed(owner, text)                    the protocol called print
--
-- transmit, noted, committed and reached are called when the turn is durable.

local database = require "jangada.node.database"
local environment = require "jangada.node.environment"
local errors = require "jangada.errors"
local methods = require "jangada.node.methods"
local modules = require "jangada.node.modules"
local plain = require "jangada.node.plain"
local timers = require "jangada.node.timers"
local turn = require "jangada.node.turn"

local meta = {__name = "jangada.Node", __metatable = "jangada.Node"}

local M = {}

-- Compiled protocols are run in a turn too: what they raise while booting is judged like the rest.
local function run_protocol(boot)
  local protocol = boot.chunk()
  if type(protocol) ~= "function" then
    errors.raise("protocol_invalid", "%s returns a %s; a protocol returns a function",
      boot.name, type(protocol))
  end
  protocol(boot.node, boot.node.options)
end

-- A node that knows nothing of a type of message is wrong if another node sent it, and right if a
-- client did: then it says so, as Maelstrom has it (error 10, not supported).
local function unhandled(delivery)
  local life, message = delivery.life, delivery.message
  if not life.host.is_client(message.src) then
    errors.raise("no_handler", "%s has no handler for %s, which %s sent", life.id,
      tostring(message.body.type), message.src)
  end
  life.node:reply(message, {type = "error", code = 10,
    text = ("%s has no handler for %s"):format(life.id, tostring(message.body.type))})
end

---Boots a node: makes its environment, loads the protocol into it and runs it, as a turn.
---@param host table what serves the node, see above
---@param owner any handed back to the host in every call
---@param config {id: string, peers: string[], db: table, options: table, source: jangada.Source}
---@return table life
---@return nil|table failure of the boot turn, its digest, and whether it wrote (jangada.node.turn)
function M.boot(host, owner, config)
  local face = database.new(config.db, config.id .. ".db")
  local env, audit
  env, audit = environment.new(
    function(text)
      environment.leave()
      host.printed(owner, text)
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
    sends = turn.new_list(),     -- what is held until the turn is durable: messages,
    early = turn.new_list(),     -- messages that do not wait for that,
    outputs = turn.new_list(),   -- calls of the host
    defers = false,              -- commits do not wait for the disk: the world flushes it later
    unflushed = {},              -- turns that wait for the disk, in order (jangada.HeldTurn)
    face = face,
    audit = audit,
    strings = env.string,
    node = nil,
    run = nil,                   -- runs one event
    over = false,                -- a turn has failed, or the node has crashed
  }
  local node = {
    id = config.id,
    peers = plain.clone(config.peers),
    options = plain.copy(config.options or {}, "options"),
    db = face,
    state = nil,
  }
  methods.add(node, life)
  life.node = setmetatable(node, meta)
  life.run = turn.new_runner(life)
  return life, life.run(run_protocol, {
    chunk = config.source.chunk_of(env), name = config.source.name, node = node,
  })
end

---Gives a message to a node.
---@param life table
---@param message {src: string, dest: string, body: table} belongs to the node from here on
---@return nil|table failure, digest, wrote, held: of the turn (jangada.node.turn)
function M.deliver(life, message)
  local handler = life.handlers[message.body.type]
  if handler then return life.run(handler, message) end
  return life.run(unhandled, {life = life, message = message})
end

---Gives a timer's entry to a node.
---@param life table
---@param timer table
---@param time_us integer the time of the entry
---@return boolean fired false when there was nothing to be done
---@return nil|table failure, digest, wrote, held: of the turn (jangada.node.turn)
function M.fire(life, timer, time_us)
  local fn = timers.expire(timer, time_us)
  if not fn then return false end
  return true, life.run(fn)
end

---Ends a life, as a crash does: its timers never fire again.
---@param life table
function M.stop(life)
  life.over = true
end

M.release = turn.release
M.source = modules.source
M.refresh = modules.refresh

return M
