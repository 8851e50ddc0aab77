-- A turn is a transaction: what a handler writes is committed before anything it sends can leave.
--
--        the world gives one event
--                  |
--        handler runs; writes join the turn's transaction, sends and outputs are held
--            |                          |
--        it returns                 it raises
--            |                          |
--        state is digested          the transaction is rolled back
--        the transaction commits    what was held is dropped
--        what was held leaves       the node stops
--
-- So no node can show the world something it has not stored. `before_durable` sends are the
-- exception that a protocol asks for by name: they leave when the handler returns, before the
-- commit.

local database = require "jangada.node.database"
local environment = require "jangada.node.environment"
local plain = require "jangada.node.plain"

local digest, try_digest = plain.digest, plain.try_digest
local string_meta, host_strings = environment.string_meta, environment.host_strings

local M = {}

---Makes a list for what is held back. It is used again in every turn; `n` says how far it is
---filled.
---@return table list
function M.new_list()
  return {n = 0}
end

---Holds a message back.
---@param sends table list of message, digest, message, digest...
---@param message {src: string, dest: string, body: table} the table its receiver will get
---@param body_digest integer
function M.hold_send(sends, message, body_digest)
  local n = sends.n
  sends[n + 1], sends[n + 2] = message, body_digest
  sends.n = n + 2
end

---Holds a call of the host back.
---@param outputs table list of name, a, b, c: to be called as host[name](owner, a, b, c)
---@param name string a function of the host
---@param a any
---@param b any
---@param c any
function M.hold_output(outputs, name, a, b, c)
  local n = outputs.n
  outputs[n + 1], outputs[n + 2], outputs[n + 3], outputs[n + 4] = name, a, b, c
  outputs.n = n + 4
end

local function describe(failure)
  local ok, text = pcall(tostring, failure)
  if not ok or type(text) ~= "string" then text = "an error without a text" end
  return {
    error = failure,
    message = text,
    traceback = debug.traceback(text, 2),
  }
end

---Makes the function that runs the events of a life:
---
---    run(fn, argument)    fn: the handler
---
---It returns nil when the turn was committed and released, with the digest of node.state and
---whether there was a transaction; else what has failed: `error` (what was raised), `message` and
---`traceback`, and the life is over.
---@param life table
---@return fun(fn: function, argument: any): table|nil, integer|nil, boolean|nil
function M.new_runner(life)
  local face, node, audit, strings = life.face, life.node, life.audit, life.strings
  local sends, early, outputs = life.sends, life.early, life.outputs
  local host, owner, transmit = life.host, life.owner, life.host.transmit

  local function release_outputs()
    local n = outputs.n
    outputs.n = 0
    for i = 1, n, 4 do host[outputs[i]](owner, outputs[i + 1], outputs[i + 2], outputs[i + 3]) end
  end

  -- The part that can fail: with the string methods of the environment, under xpcall.
  local function perform(fn, argument)
    fn(argument)
    audit()
    local state = node.state
    local state_digest = try_digest(state) or digest(state, "node.state")
    if early.n > 0 then
      string_meta.__index = host_strings
      transmit(owner, early)
      string_meta.__index = strings
    end
    local wrote = face._tx and true
    if wrote then database.commit(face) end
    face._open = false
    return state_digest, wrote
  end

  return function(fn, argument)
    face._open = true
    string_meta.__index = strings
    local ok, result, wrote = xpcall(perform, describe, fn, argument)
    if ok then
      string_meta.__index = host_strings
      if outputs.n > 0 then release_outputs() end
      if sends.n > 0 then transmit(owner, sends) end
      return nil, result, wrote
    end
    local failure = result
    local rolled_back, why = pcall(database.rollback, face)
    string_meta.__index = host_strings
    life.over = true
    sends.n, early.n, outputs.n = 0, 0, 0
    if not rolled_back then
      failure.message = ("%s; and the rollback failed: %s"):format(failure.message, tostring(why))
    end
    return failure
  end
end

return M
