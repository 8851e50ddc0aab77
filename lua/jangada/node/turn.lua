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
-- What is held stands in parallel arrays of the life, used again in every turn.

local database = require "jangada.node.database"
local environment = require "jangada.node.environment"
local plain = require "jangada.node.plain"

local digest, try_digest = plain.digest, plain.try_digest
local enter, leave = environment.enter, environment.leave

local M = {}

---What a life holds back until its turn is durable.
---@return table
function M.new_outbox()
  return {
    sends = 0,            -- messages held
    dests = {}, bodies = {}, digests = {},
    early = 0,            -- messages that do not wait for the commit
    early_dests = {}, early_bodies = {}, early_digests = {},
    outputs = 0,          -- calls of the host held: host[names[i]](host, owner, a[i], b[i], c[i])
    names = {}, a = {}, b = {}, c = {},
  }
end

---Holds a message back.
---@param life table
---@param dest string
---@param body table the copy
---@param body_digest integer
---@param is_early boolean let it leave before the commit
function M.hold_send(life, dest, body, body_digest, is_early)
  local outbox = life.outbox
  if is_early then
    local n = outbox.early + 1
    outbox.early = n
    outbox.early_dests[n], outbox.early_bodies[n] = dest, body
    outbox.early_digests[n] = body_digest
  else
    local n = outbox.sends + 1
    outbox.sends = n
    outbox.dests[n], outbox.bodies[n], outbox.digests[n] = dest, body, body_digest
  end
end

---Holds a call of the host back.
---@param life table
---@param name string a method of the host
---@param a any
---@param b any
---@param c any
function M.hold_output(life, name, a, b, c)
  local outbox = life.outbox
  local n = outbox.outputs + 1
  outbox.outputs = n
  outbox.names[n], outbox.a[n], outbox.b[n], outbox.c[n] = name, a, b, c
end

local function release_early(life)
  local outbox, host, owner = life.outbox, life.host, life.owner
  for i = 1, outbox.early do
    host:transmit(owner, outbox.early_dests[i], outbox.early_bodies[i], outbox.early_digests[i])
  end
  outbox.early = 0
end

local function release(life)
  local outbox, host, owner = life.outbox, life.host, life.owner
  local outputs, sends = outbox.outputs, outbox.sends
  if outputs > 0 then
    local names, a, b, c = outbox.names, outbox.a, outbox.b, outbox.c
    outbox.outputs = 0
    for i = 1, outputs do host[names[i]](host, owner, a[i], b[i], c[i]) end
  end
  if sends > 0 then
    local transmit = host.transmit
    local dests, bodies, digests = outbox.dests, outbox.bodies, outbox.digests
    outbox.sends = 0
    for i = 1, sends do
      transmit(host, owner, dests[i], bodies[i], digests[i])
      bodies[i] = nil
    end
  end
end

-- The part that can fail: with the string methods of the environment, under xpcall.
local function perform(life, fn, argument)
  fn(argument)
  life.audit()
  local state = life.node.state
  life.state_digest = try_digest(state) or digest(state, "node.state")
  if life.outbox.early > 0 then
    leave()
    release_early(life)
    enter(life.strings)
  end
  local face = life.face
  if face._tx then
    database.commit(face)
    life.wrote = true
  else
    face._open, life.wrote = false, false
  end
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

---Runs one event of a node.
---@param life table
---@param fn function the handler
---@param argument any its argument
---@return nil|table failure nil when the turn was committed and released; else `error` (what was
---raised), `message` and `traceback`, and the life is over
function M.run(life, fn, argument)
  life.face._open = true
  enter(life.strings)
  local ok, failure = xpcall(perform, describe, life, fn, argument)
  if ok then
    leave()
    release(life)
    return nil
  end
  local rolled_back, why = pcall(database.rollback, life.face)
  leave()
  life.over, life.outbox = true, M.new_outbox()
  if not rolled_back then
    failure.message = ("%s; and the rollback failed: %s"):format(failure.message, tostring(why))
  end
  return failure
end

return M
