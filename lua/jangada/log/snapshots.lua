--- The data of a snapshot: written in chunks over as many transactions as it takes, read in chunks.
--
--     local writer <close> = log:snapshot_writer{index = 7, term = 3}
--     for part in state:parts() do writer:write(part) end
--     log:save{snapshot = writer, compact = 7}
--
-- Until that save there is nothing but chunks that nobody asks for: a crash, an error or a writer
-- that is dropped leaves the snapshot there was. The save writes the last chunks and the snapshot's
-- description in one transaction. A log has one writer at a time, the one begun last: the sequence
-- of the meta bucket counts them, and is the id of the chunks of the last one.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local sweeping = require "jangada.log.sweeping"

local raise = errors.raise

local snapshots = {}

--- Bytes of data in a chunk: with the seal, and the header of LMDB's pages, it fills 16 pages of
--- 4 KiB.
snapshots.CHUNK_SIZE = 65516

local CHUNK_SIZE <const> = snapshots.CHUNK_SIZE
local CHUNKS_MAX <const> = 16 -- in one transaction
local WAITING_MAX <const> = CHUNKS_MAX * CHUNK_SIZE

---------------------------------------------------------------------------------------------------
-- Writing

---@class jangada.log.SnapshotWriter
---@field log jangada.Log
---@field index integer
---@field term integer
---@field position integer|nil
---@field info string|nil
---@field said_size integer|nil bytes that it was said to have
---@field id integer of its chunks; 0 before the first is written
---@field size integer bytes so far, those that wait included
---@field chunks integer written
---@field parts string[] what waits to be written
---@field waiting integer bytes of it
---@field ended string|nil why it cannot be used any more
---@field undo fun() ends it when a transaction with chunks of it is rolled back
---@field is_writer true
local Writer = {}
Writer.__index = Writer
Writer.__name = "jangada.log.SnapshotWriter"

local function check_open(self)
  if self.ended then
    raise("log_snapshot_ended", "the snapshot writer has ended: %s", self.ended)
  end
end

-- Its id: the first transaction counts it as the last one begun.
local function claim(meta, self)
  if self.id == 0 then
    self.id = meta:next_sequence()
  elseif self.id ~= meta:sequence() then
    self.ended = "another one was begun"
    check_open(self)
  end
end

local function put_chunks(meta, self, count)
  local data = table.concat(self.parts)
  for i = 1, count do
    local chunk = data:sub((i - 1) * CHUNK_SIZE + 1, i * CHUNK_SIZE)
    local key = format.chunk_key(self.id, self.chunks + i)
    meta:put(key, format.seal(key, chunk))
  end
  data = data:sub(count * CHUNK_SIZE + 1)
  self.parts, self.waiting, self.chunks = { data }, #data, self.chunks + count
end

local function flush(tx, log, self)
  local now = loading.known_in(tx, log)
  tx:on_rollback(log.forget)
  tx:on_rollback(self.undo)
  local meta, parent = loading.ensure_meta(tx, log)
  now.is_made = true
  if self.id == 0 then now.is_swept = false end -- what the writer before it has left
  claim(meta, self)
  put_chunks(meta, self, CHUNKS_MAX)
  if not now.is_swept then sweeping.step(parent, log, now, sweeping.COUNT_OF_SAVE) end
end

local function add(self, part)
  self.parts[#self.parts + 1] = part
  self.waiting, self.size = self.waiting + #part, self.size + #part
  if self.waiting >= WAITING_MAX then loading.write(self.log, flush, self) end
end

--- Adds data to the snapshot. From 1 MiB on it goes to the file, in the open write transaction of
--- the DB or in one of its own for each MiB.
---@param ... string
---Raises `log_snapshot_ended`, `log_bad_field`, and what the store does.
function Writer:write(...)
  check_open(self)
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if type(part) ~= "string" then
      raise("log_bad_field", "a snapshot's data are strings, not %s", tostring(part))
    end
    for at = 1, #part, WAITING_MAX do
      add(self, #part > WAITING_MAX and part:sub(at, at + WAITING_MAX - 1) or part)
    end
  end
end

--- Ends the writer without a snapshot; after a save, and a second time, it does nothing.
function Writer:abort()
  self.ended = self.ended or "it was aborted"
  self.parts = {}
end

Writer.__close = Writer.abort

--- Begins to write a snapshot; the writer before it, if there is one, can go on no longer. Writes
--- nothing yet.
---@param log jangada.Log
---@param meta table {index=, term=, position=, info=, size=}: what `snapshot` of another log gives;
---  size, if it is given, is what must have been written when it is saved
---@return jangada.log.SnapshotWriter
function snapshots.new_writer(log, meta)
  rules.check_snapshot_fields(meta)
  local self
  self = setmetatable({
    log = log, index = meta.index, term = meta.term, position = meta.position, info = meta.info,
    said_size = meta.size, id = 0, size = 0, chunks = 0, parts = {}, waiting = 0, ended = nil,
    undo = nil, is_writer = true,
  }, Writer)
  self.undo = function() self.ended = "a transaction it has written in was rolled back" end
  return self
end

--- What a writer that is to be saved must be.
---@param tx table
---@param log jangada.Log
---@param self any
function snapshots.check_writer(tx, log, self)
  if getmetatable(self) ~= Writer or self.log ~= log then
    raise("log_bad_field", "save: the snapshot is no writer of this log")
  end
  check_open(self)
  rules.check_size(self.said_size, self.size)
  local _, meta = loading.find_buckets(tx, log)
  if self.id ~= 0 then claim(meta, self) end
end

--- Writes what waits, and ends the writer, in the transaction that saves it.
---@param tx table
---@param meta table
---@param self jangada.log.SnapshotWriter
function snapshots.finish(tx, meta, self)
  tx:on_rollback(self.undo)
  claim(meta, self)
  put_chunks(meta, self, (self.waiting + CHUNK_SIZE - 1) // CHUNK_SIZE)
  self.ended = "it was saved"
end

---------------------------------------------------------------------------------------------------
-- Reading

---@class jangada.log.SnapshotReader
---@field log jangada.Log
---@field id integer of the chunks
---@field index integer
---@field term integer
---@field info string
---@field size integer bytes of data in all
---@field chunks integer
---@field number integer of the last chunk that was read
---@field bytes integer read so far
local Reader = {}
Reader.__index = Reader
Reader.__name = "jangada.log.SnapshotReader"

local function read_chunk(tx, log, self)
  local snapshot = loading.known_in(tx, log).snapshot
  if not snapshot or snapshot.id ~= self.id then
    raise("log_snapshot_ended", "the snapshot up to entry %d was replaced while it was read",
      self.index)
  end
  local _, meta = loading.find_buckets(tx, log)
  local number = self.number + 1
  local key = format.chunk_key(self.id, number)
  local value = meta:get(key)
  local chunk = value and format.open_seal(key, value)
  if not chunk then
    raise("log_damaged", "chunk %d of the snapshot is %s", number, value and "damaged" or "missing")
  end
  return chunk
end

--- The next chunk of data, of up to 64 KiB; nil after the last. No transaction stays open in
--- between.
---@return string|nil
---Raises `log_damaged`; `log_snapshot_ended` when another snapshot was saved meanwhile.
function Reader:read()
  if self.number == self.chunks then
    if self.bytes ~= self.size then
      raise("log_damaged", "the snapshot has %d bytes, not %d", self.bytes, self.size)
    end
    return nil
  end
  local chunk = loading.read(self.log, read_chunk, self)
  self.number, self.bytes = self.number + 1, self.bytes + #chunk
  return chunk
end

--- Iterates over the chunks that are left: `for chunk in reader:each() do`.
---@return fun(): string|nil
function Reader:each()
  return function() return self:read() end
end

--- A reader of the log's snapshot; nil when there is none.
---@param log jangada.Log
---@return jangada.log.SnapshotReader|nil
function snapshots.new_reader(log)
  local snapshot = loading.known(log).snapshot
  if not snapshot then return nil end
  return setmetatable({
    log = log, id = snapshot.id, index = snapshot.index, term = snapshot.term,
    info = snapshot.info, size = snapshot.size, chunks = snapshot.chunks, number = 0, bytes = 0,
  }, Reader)
end

return snapshots
