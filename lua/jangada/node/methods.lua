-- The methods of a node: what a protocol calls.
--
-- They are closures of the life they act for, made at each boot. So a node has nothing inside that
-- a protocol could reach for, and nothing has to be looked up that stays what it is.

local errors = require "jangada.errors"
local plain = require "jangada.node.plain"
local timers = require "jangada.node.timers"
local turn = require "jangada.node.turn"

local copy_plain, try_copy_body, clone = plain.copy, plain.try_copy_body, plain.clone
local hold_send, hold_output = turn.hold_send, turn.hold_output
local math_type = math.type

local M = {}

local function raise_over(life)
  errors.raise("turn_over", "node %s can act in its turns only", life.id)
end

local function check_function(fn, what)
  if type(fn) ~= "function" then
    errors.raise("argument_invalid", "%s needs a function, not a %s", what, type(fn))
  end
end

-- The world counts and hashes by it.
local function check_name(name, what)
  if type(name) ~= "string" then
    errors.raise("argument_invalid", "%s needs a name, a string, not a %s", what, type(name))
  end
end

-- Says what is wrong with a body that try_copy_body has not copied.
local function refuse_body(body)
  if type(body) ~= "table" or type(body.type) ~= "string" then
    errors.raise("body_invalid", "the body of a message is a table with a string `type`")
  end
  copy_plain(body, "body") -- raises
end

local function refuse_destination(dest)
  errors.raise("unknown_destination", "there is no node or client %s", tostring(dest))
end

local function add_messages(node, life)
  local face, handlers, endpoints = life.face, life.handlers, life.host.endpoints
  local id, peers, sends, early = life.id, life.peers, life.sends, life.early

  ---Says what is to be done with messages of a type, from nodes and clients alike.
  ---@param kind string the `type` in the message's body
  ---@param fn fun(message: {src: string, dest: string, body: table})
  function node.on(_, kind, fn)
    check_function(fn, "node:on")
    if type(kind) ~= "string" then
      errors.raise("argument_invalid", "node:on needs the type of a message, not a %s", type(kind))
    end
    if not face._open then raise_over(life) end
    handlers[kind] = fn
  end

  ---Sends a message. It leaves when the turn is durable, crosses by value, and may get lost.
  ---@param dest string a node or a client; a node may send to itself
  ---@param body table plain data with a string `type`
  ---@param options? {before_durable: boolean} lets it leave before the turn's writes are durable
  ---Raises `unknown_destination`, `body_invalid`, `not_plain`.
  function node.send(_, dest, body, options)
    if not face._open then raise_over(life) end
    if not endpoints[dest] then refuse_destination(dest) end
    local copy, digest = try_copy_body(body)
    if not digest then refuse_body(body) end
    local is_early = options ~= nil and options.before_durable == true
    hold_send(is_early and early or sends, {src = id, dest = dest, body = copy}, digest)
  end

  ---Sends a message to every other node.
  ---@param body table plain data with a string `type`
  ---Raises `body_invalid`, `not_plain`.
  function node.broadcast(_, body)
    if not face._open then raise_over(life) end
    local copy, digest = try_copy_body(body)
    if not digest then refuse_body(body) end
    local n, count = sends.n, #peers
    for i = 1, count do -- hold_send, without the calls
      if i > 1 then copy = clone(copy) end
      sends[n + 1], sends[n + 2] = {src = id, dest = peers[i], body = copy}, digest
      n = n + 2
    end
    sends.n = n
  end

  ---Answers a message: like `send` to where it came from, with `in_reply_to` set to its `msg_id`.
  ---@param message {src: string, body: table}
  ---@param body table plain data with a string `type`
  ---Raises `unknown_destination`, `body_invalid`, `not_plain`.
  function node.reply(_, message, body)
    if not face._open then raise_over(life) end
    local dest, msg_id = message.src, message.body.msg_id
    if not endpoints[dest] then refuse_destination(dest) end
    local copy, digest = try_copy_body(body)
    if not digest then refuse_body(body) end
    if msg_id ~= nil and copy.in_reply_to == nil then
      digest = digest + plain.digest_field("in_reply_to", msg_id)
      copy.in_reply_to = msg_id
    end
    hold_send(sends, {src = id, dest = dest, body = copy}, digest)
  end
end

local function add_time_and_chance(node, life)
  local face, owner = life.face, life.owner
  local clock_us, choose, maybe = life.host.clock_us, life.host.choose, life.host.maybe

  ---Runs fn once, in a turn of its own.
  ---@param ms number from now, on the node's clock
  ---@param fn fun()
  ---@return table timer `timer:cancel()`, `timer:reset(ms)`, `timer:is_running()`
  ---Raises `delay_invalid`.
  function node.after(_, ms, fn)
    check_function(fn, "node:after")
    if not face._open then raise_over(life) end
    return timers.start(life, ms, fn, false)
  end

  ---Runs fn again and again, each time in a turn of its own.
  ---@param ms number the period, on the node's clock; at least a microsecond
  ---@param fn fun()
  ---@return table timer `timer:cancel()`, `timer:reset(ms)`, `timer:is_running()`
  ---Raises `delay_invalid`.
  function node.every(_, ms, fn)
    check_function(fn, "node:every")
    if not face._open then raise_over(life) end
    return timers.start(life, ms, fn, true)
  end

  ---The node's own clock, which may be wrong, and set forward or back.
  ---@return integer ms
  function node.now()
    if not face._open then raise_over(life) end
    return clock_us(owner) // 1000
  end

  ---The node's own chance. Like math.random: an integer m..n, 1..m, or a float in [0, 1).
  ---@param m? integer
  ---@param n? integer
  ---@return number
  function node.random(_, m, n)
    if not face._open then raise_over(life) end
    if m == nil then return choose(owner, 1 << 53) * 2.0 ^ -53 end
    if n == nil then m, n = 1, m end
    m, n = math.tointeger(m), math.tointeger(n)
    if not m or not n or m > n or n - m < 0 then
      errors.raise("argument_invalid", "node:random needs two integers, the smaller one first")
    end
    return m + choose(owner, n - m + 1)
  end

  ---A fault point in the protocol's own code: false nearly always, true where the world wants
  ---something rare to happen.
  ---@param name string
  ---@return boolean
  function node.maybe(_, name)
    if not face._open then raise_over(life) end
    check_name(name, "node:maybe")
    return maybe(owner, name)
  end
end

local function add_outputs(node, life)
  local face, outputs = life.face, life.outputs

  ---Writes a row into the world's trace, once the turn is durable.
  ---@param name string what happened
  ---@param fields? table plain data
  ---Raises `argument_invalid`, `not_plain`.
  function node.trace(_, name, fields)
    if not face._open then raise_over(life) end
    check_name(name, "node:trace")
    local copy, digest = copy_plain(fields, "fields")
    hold_output(outputs, "noted", name, copy, digest)
  end

  ---Tells the world that the node holds an entry for committed: once for each index it applies, in
  ---order, at each boot; one that installs a snapshot goes on behind it, and says so before, by
  ---node:trace("snapshot", {index = ..., installed = true}). The safety checks of a world judge by
  ---it.
  ---@param index integer
  ---@param term integer
  ---@param data string
  ---Raises `argument_invalid`.
  function node.committed(_, index, term, data)
    if not face._open then raise_over(life) end
    if math_type(index) ~= "integer" or math_type(term) ~= "integer" or type(data) ~= "string" then
      errors.raise("argument_invalid", "node:committed needs an index and a term, integers, and "
        .. "data, a string; not %s, %s and a %s", tostring(index), tostring(term), type(data))
    end
    hold_output(outputs, "committed", index, term, data)
  end

  ---Sets a mark: a campaign counts which marks its runs have reached.
  ---@param name string
  ---Raises `argument_invalid`.
  function node.reached(_, name)
    if not face._open then raise_over(life) end
    check_name(name, "node:reached")
    hold_output(outputs, "reached", name)
  end
end

---Gives a node its methods.
---@param node table
---@param life table with all but `node` and `run`
function M.add(node, life)
  add_messages(node, life)
  add_time_and_chance(node, life)
  add_outputs(node, life)
end

return M
