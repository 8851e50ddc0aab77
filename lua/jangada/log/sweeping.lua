--- What compaction leaves behind is removed in small steps, so that no transaction is long.
--
-- `save{compact=}` moves the beginning of the log at once; what lies before it is garbage from then
-- on. So are the chunks of a snapshot that was replaced, and of one that was never finished. Every
-- save removes some of it, `sweep` as much as it is told to.
--
-- Nothing says where the garbage is but the buckets themselves: keys of entries below the first
-- index, and chunks that are neither of the snapshot nor of the writer begun last (the sequence of
-- the meta bucket is its id). So it cannot be lost track of, whatever crashes.

local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local store = require "jangada.store"

local sweeping = {}

--- Entries that `sweep` removes at most, unless it is told otherwise: some milliseconds' work.
sweeping.COUNT_MAX = 16384

--- Entries that the save of a compaction removes: a small log is done with it at once.
sweeping.COUNT_OF_COMPACTION = 4096

--- Entries that any other save removes besides what it does; twice those that it adds come on top,
--- so that the garbage shrinks.
sweeping.COUNT_OF_SAVE = 256

local BYTES_MAX <const> = 4 << 20 -- of entries in one step, about
local ENTRIES_PER_CHUNK <const> = 64 -- a chunk counts for so many

local function position_of(index, value)
  local term, position = store.unpack_record(format.ENTRY, index, value or "")
  return term and position -- else it is damaged, and goes all the same
end

local function sweep_entries(bucket, now, count)
  local cursor <close> = bucket:cursor()
  local from, value = cursor:first()
  if not from or from >= now.first then return 0 end
  local to, begins = math.min(now.first - 1, from + count - 1), position_of(from, value)
  while to > from do
    local ends = position_of(to, bucket:get(to))
    if not begins or not ends or ends - begins <= BYTES_MAX then break end
    to = from + (to - from) // 2
  end
  return bucket:delete_range(from, to)
end

local function sweep_chunks(meta, now, count)
  local live, writing = now.snapshot and now.snapshot.id or 0, meta:sequence()
  local cursor <close> = meta:cursor()
  local key = cursor:seek("chunk/")
  while key and format.is_chunk_key(key) do
    local id, number = format.chunk_place(key)
    if id ~= live and id ~= writing then
      return meta:delete_range(key, format.chunk_key(id, number + count - 1))
    end
    key = cursor:seek(format.chunk_key(id + 1, 0))
  end
  return 0
end

--- Removes some garbage, within a transaction.
---@param parent table what holds the buckets of the log
---@param self jangada.Log
---@param now jangada.log.Now
---@param count integer of entries, at most; a chunk counts for 64
---@return integer removed entries and chunks; 0 when there was nothing
function sweeping.step(parent, self, now, count)
  local bucket, meta = parent:bucket(self.name), parent:bucket(self.meta_name)
  local removed = bucket and sweep_entries(bucket, now, count) or 0
  local left = (count - removed) // ENTRIES_PER_CHUNK
  if meta and left > 0 then removed = removed + sweep_chunks(meta, now, left) end
  if removed == 0 and count >= ENTRIES_PER_CHUNK then now.is_swept = true end
  return removed
end

local function sweep_in(tx, self, count)
  local now, parent = loading.known_in(tx, self), loading.find_parent(tx, self)
  tx:on_rollback(self.forget)
  return parent and sweeping.step(parent, self, now, count) or 0
end

--- Removes some garbage, in the open write transaction or in one of its own.
---@param self jangada.Log
---@param count? integer
---@return integer removed
function sweeping.sweep(self, count)
  count = count or sweeping.COUNT_MAX
  rules.check_count("sweep", count, ENTRIES_PER_CHUNK)
  if loading.known(self).is_swept then return 0 end
  return loading.write(self, sweep_in, count)
end

return sweeping
