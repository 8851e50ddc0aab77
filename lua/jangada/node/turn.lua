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
--
-- A commit need not wait for the disk (`life.defers`). Then the next turns run meanwhile, and what
-- they hold is kept with what the world may know of them, in the order of the turns, until the
-- world has flushed the disk and lets go of it (M.release). A turn that wrote nothing waits for
-- those before it.

local database = require "jangada.node.database"
local environment = require "jangada.node.environment"
local plain = require "jangada.node.plain"

local clone, digest, try_digest = plain.clone, plain.digest, plain.try_digest
local string_meta, host_strings = environment.string_meta, environment.host_strings

local AUDIT_TURNS <const> = 15 -- the environment is audited in one turn of so many and one

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

-- Empties a list into a new one.
local function take(list)
  local taken = table.move(list, 1, list.n, 1, {n = list.n})
  list.n = 0
  return taken
end

local function release_outputs(host, owner, outputs)
  local n = outputs.n
  outputs.n = 0
  for i = 1, n, 4 do host[outputs[i]](owner, outputs[i + 1], outputs[i + 2], outputs[i + 3]) end
end

---A turn whose writes are not durable yet, or that came after one: what the world may not know.
---@class jangada.HeldTurn
---@field wrote boolean|nil
---@field state any a copy of node.state as the turn left it
---@field sends table
---@field outputs table

---Lets go of what a turn holds: it is durable.
---@param life table
---@param held jangada.HeldTurn
function M.release(life, held)
  release_outputs(life.host, life.owner, held.outputs)
  if held.sends.n > 0 then life.host.transmit(life.owner, held.sends) end
end

---Makes the function that runs the events of a life:
---
---    run(fn, argument)    fn: the handler
---
---It returns nil when the turn was committed, with the digest of node.state, whether there was a
---transaction, and what is held of it until the disk is flushed, nil when it was released; else
---what has failed: `error` (what was raised), `message` and `traceback`, and the life is over.
---@param life table
---@return fun(fn: function, argument: any): table|nil, integer|nil, boolean|nil,
---jangada.HeldTurn|nil
function M.new_runner(life)
  local face, node, audit, strings = life.face, life.node, life.audit, life.strings
  local sends, early, outputs = life.sends, life.early, life.outputs
  local host, owner, transmit = life.host, life.owner, life.host.transmit
  local turns = 0

  local function hold(state_digest, wrote)
    local held = {wrote = wrote, state = clone(node.state), sends = take(sends),
      outputs = take(outputs)}
    local unflushed = life.unflushed
    unflushed[#unflushed + 1] = held
    return nil, state_digest, wrote, held
  end

  -- The part that can fail: with the string methods of the environment, under xpcall.
  local function perform(fn, argument)
    fn(argument)
    turns = turns + 1
    if turns & AUDIT_TURNS == 1 then audit() end
    local state = node.state
    local state_digest = try_digest(state) or digest(state, "node.state")
    if early.n > 0 then
      string_meta.__index = host_strings
      transmit(owner, early)
      string_meta.__index = strings
    end
    local wrote = face._tx and true
    if wrote then database.commit(face, life.defers) end
    face._open = false
    return state_digest, wrote
  end

  return function(fn, argument)
    face._open = true
    string_meta.__index = strings
    local ok, result, wrote = xpcall(perform, describe, fn, argument)
    if ok then
      string_meta.__index = host_strings
      if life.defers and (wrote or #life.unflushed > 0) then return hold(result, wrote) end
      if outputs.n > 0 then release_outputs(host, owner, outputs) end
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
