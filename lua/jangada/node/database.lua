-- The face of the store that a protocol sees as `node.db`: `update` and `view` that join the turn.
--
-- The turn's write transaction begins at the first update. Each update undoes its own writes, and
-- only these, when it raises: the first one of a turn by rolling the transaction back, which holds
-- nothing else yet, later ones as savepoints (a savepoint costs LMDB a nested transaction, so the
-- common turn, which writes once, has none). The face can neither begin nor close nor commit; the
-- turn does.

local errors = require "jangada.errors"

local methods = {}
local meta = {__index = methods, __name = "jangada.node.DB", __metatable = "jangada.node.DB"}

local M = {}

local DEFERRED <const> = {wait = false}

---Makes the face of a store for one life of a node.
---@param db table the store's DB
---@param name string what `path` answers: the real path differs from run to run
---@return table face
function M.new(db, name)
  return setmetatable({
    _db = db,        -- the real thing
    _tx = false,     -- the write transaction of the turn, once it has one
    _open = false,   -- a turn is under way: outside of one a protocol has no business here
    _depth = 0,      -- functions of update and view that are running on the turn's transaction
    _name = name,
  }, meta)
end

local function raise_over()
  errors.raise("turn_over", "a node can use its DB in its turns only")
end

local function check_owned(self)
  if self._db:write_tx() ~= self._tx then
    errors.raise("turn_owns_db", "the turn ends its transaction, the protocol does not")
  end
end

-- Ends a function that ran on the turn's own transaction; `first` if it was what began it.
local function finish(self, first, ok, ...)
  self._depth = self._depth - 1
  if ok then return ... end
  check_owned(self)
  if first then
    local tx = self._tx
    self._tx = false
    tx:rollback()
  end
  error((...), 0)
end

---Runs fn(tx, ...) as part of the turn: what it wrote is durable when the turn is. If it raises,
---what it wrote is undone and the error passes on.
---@param fn fun(tx: table, ...): ...
---@param ... any further arguments of fn
---@return any ... what fn returns
---Raises what fn raises; `turn_over` outside of a turn.
function methods:update(fn, ...)
  if not self._open then raise_over() end
  local open = self._tx
  if open then return open:savepoint(fn, ...) end
  local tx = self._db:begin("write")
  self._tx, self._depth = tx, self._depth + 1
  return finish(self, true, pcall(fn, tx, ...))
end

---Runs fn(tx, ...) to read: what the turn has written so far is seen.
---@param fn fun(tx: table, ...): ...
---@param ... any further arguments of fn
---@return any ... what fn returns
---Raises what fn raises; `turn_over` outside of a turn.
function methods:view(fn, ...)
  if not self._open then raise_over() end
  local open = self._db:write_tx()
  if not open then return self._db:view(fn, ...) end
  self._depth = self._depth + 1
  return finish(self, false, pcall(fn, open, ...))
end

---The write transaction open now: the turn's, or the savepoint in it that an update has begun.
---@return table|nil tx
function methods:write_tx()
  if not self._open then raise_over() end
  return self._tx and self._db:write_tx() or nil
end

---A name for messages: not a path, which would differ from run to run.
---@return string
function methods:path()
  return self._name
end

local refused = {"begin", "close", "sync", "checkpoint", "backup", "batch", "flush", "abandon"}
for _, name in ipairs(refused) do
  methods[name] = function()
    errors.raise("turn_owns_db",
      "%s is the world's: a node's DB has update, view and write_tx", name)
  end
end

---Opens the face for a turn.
---@param face table
function M.open(face)
  face._open = true
end

---Whether a function of update or view is running on the turn's transaction.
---@param face table
---@return boolean
function M.is_bound(face)
  return face._depth > 0
end

---Ends the turn's transaction by committing it.
---@param face table of a turn that has a transaction
---@param defers boolean whether the disk is flushed later
---Raises what the store raises when it cannot commit, `turn_owns_db` when it has been ended.
function M.commit(face, defers)
  check_owned(face)
  face._tx:commit(defers and DEFERRED or nil)
  face._tx = false
end

---Ends the turn's transaction by rolling it back, if the turn has one, and shuts the face.
---@param face table
function M.rollback(face)
  local tx = face._db:write_tx()
  face._open, face._tx, face._depth = false, false, 0
  if tx then tx:rollback() end
end

return M
