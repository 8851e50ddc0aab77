--- What a log object knows of its log: read from the buckets when it is asked for, and kept until a
--- transaction that was part of it is rolled back.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local runs = require "jangada.log.runs"
local tail = require "jangada.log.tail"

local raise = errors.raise

local loading = {}

---@class jangada.log.Now what the log holds
---@field first integer index of the first entry
---@field last integer index of the last entry, first - 1 when there is none
---@field position integer bytes of all data up to the last entry, from index 1 on
---@field term integer current term
---@field vote string|nil
---@field commit integer as saved
---@field applied integer as saved
---@field base_term integer term of the entry before the first, 0 before entry 1
---@field base_position integer its position
---@field compactions integer how many times entries were removed from the front
---@field snapshot jangada.log.Snapshot|nil
---@field is_made boolean the buckets are there
---@field is_swept boolean nothing is left of what was removed
---@field runs jangada.log.Runs
---@field tail jangada.log.Tail

--- What holds the two buckets: the transaction or a bucket; nil if it is not there.
---@param tx table
---@param self jangada.Log
---@return table|nil
function loading.find_parent(tx, self)
  local parent, parents = tx, self.parents
  for i = 1, #parents do
    parent = parent:bucket(parents[i])
    if not parent then return nil end
  end
  return parent
end

--- The two buckets.
---@param tx table
---@param self jangada.Log
---@return table|nil entries
---@return table|nil meta
function loading.find_buckets(tx, self)
  local parent = loading.find_parent(tx, self)
  if not parent then return nil end
  return parent:bucket(self.name), parent:bucket(self.meta_name)
end

--- The meta bucket, made with its parents if it is missing.
---@param tx table a write transaction
---@param self jangada.Log
---@return table meta
---@return table parent
function loading.ensure_meta(tx, self)
  local parent = tx
  for _, name in ipairs(self.parents) do parent = parent:ensure_bucket(name) end
  local meta = parent:bucket(self.meta_name)
  if not meta then
    meta = parent:create_bucket(self.meta_name)
    meta:put("format", format.seal("format", format.VERSION))
  end
  return meta, parent
end

local function load_record(meta, key, decode)
  local value = meta:get(key)
  if value then return decode(format.unseal(key, value)) end
end

local function load_runs(meta)
  local loaded = runs.new()
  for key, value in meta:each{ prefix = "run/" } do
    runs.append(loaded, format.decode_run(format.unseal(key, value)), format.run_term(key))
  end
  return loaded
end

local function load_meta(self, meta, now)
  local version = meta:get("format")
  version = version and format.unseal("format", version)
  if version ~= format.VERSION then
    raise("version_mismatch", "%s: the format is %q, not %q",
      self.meta_name, tostring(version), format.VERSION)
  end
  local term, vote, commit, applied = load_record(meta, "hard", format.decode_hard_state)
  if term then now.term, now.vote, now.commit, now.applied = term, vote, commit, applied end
  local index, base_term, position, compactions = load_record(meta, "base", format.decode_base)
  if index then
    now.first, now.last, now.position = index + 1, index, position
    now.base_term, now.base_position, now.compactions = base_term, position, compactions
  end
  now.snapshot = load_record(meta, "snapshot", format.decode_snapshot)
  now.runs, now.is_made = load_runs(meta), true
end

-- What is below the first entry was compacted, and has not been swept away yet.
local function load_bounds(self, bucket, now)
  local cursor <close> = bucket:cursor()
  if not now.is_made then
    local key = cursor:first()
    if key == nil then return nil end
    raise(math.type(key) and "log_damaged" or "incompatible",
      "%s: there are entries, but no bucket %s", self.name, self.meta_name)
  end
  local first = cursor:seek(now.first)
  if first and first ~= now.first then
    raise("log_damaged", "%s: the log begins with entry %d, and the first that is there is %d",
      self.name, now.first, first)
  end
  if not first then return nil end
  local last, value = cursor:last()
  now.last = last
  local term, _, _, position = format.decode(last, value)
  now.position = position
  return term
end

-- What must hold between entries and meta, whoever wrote them.
local function check_loaded(self, now, last_term)
  local known, count = now.runs, now.runs.count
  for k = 2, count do
    if known.firsts[k] <= known.firsts[k - 1] then
      raise("log_damaged", "%s: term runs out of order", self.meta_name)
    end
  end
  if last_term ~= known.terms[count]
    or count > 0 and (known.firsts[1] ~= now.first or known.firsts[count] > now.last) then
    raise("log_damaged", "%s: term runs and entries do not fit together", self.meta_name)
  end
  last_term = last_term or now.base_term
  local covered = now.snapshot and now.snapshot.index or 0
  if now.commit > now.last or now.commit < covered or now.applied > now.commit
    or covered < now.first - 1 or now.term < last_term then
    raise("log_damaged", "%s: term %d, commit %d, applied %d, a snapshot up to entry %d do not fit "
      .. "a log of the entries from %d to %d, the last one of term %d", self.meta_name, now.term,
      now.commit, now.applied, covered, now.first, now.last, last_term)
  end
end

--- Reads what a log holds. Raises `log_damaged`, `version_mismatch`.
---@param tx table
---@param self jangada.Log
---@return jangada.log.Now
local function load(tx, self)
  local now = { first = 1, last = 0, position = 0, term = 0, vote = nil, commit = 0, applied = 0,
    base_term = 0, base_position = 0, compactions = 0, snapshot = nil, is_made = false,
    is_swept = false, runs = nil, tail = nil }
  local bucket, meta = loading.find_buckets(tx, self)
  if meta then load_meta(self, meta, now) else now.runs, now.is_swept = runs.new(), true end
  local last_term = bucket and load_bounds(self, bucket, now)
  check_loaded(self, now, last_term)
  now.tail = tail.new(now.last)
  -- What a write transaction shows may never be committed.
  if tx:is_writable() then tx:on_rollback(self.forget) end
  -- What other processes may write is not to be believed for longer than the transaction.
  if not self.is_shared then self.now = now end
  return now
end

--- Calls fn(tx, self, ...) in the open write transaction of the DB, else in a view.
---@param self jangada.Log
---@param fn fun(tx: table, self: jangada.Log, ...): ...
---@return any ... what fn returns
function loading.read(self, fn, ...)
  local tx = self.db:write_tx()
  if tx then return fn(tx, self, ...) end
  return self.db:view(fn, self, ...)
end

--- Calls fn(tx, self, ...) in the open write transaction of the DB, else in one of its own.
---@param self jangada.Log
---@param fn fun(tx: table, self: jangada.Log, ...): ...
---@return any ... what fn returns
function loading.write(self, fn, ...)
  local tx = self.db:write_tx()
  if tx then return fn(tx, self, ...) end
  return self.db:update(fn, self, ...)
end

--- What the log holds, read if it is not known. Raises `log_damaged`, `version_mismatch`.
---@param self jangada.Log
---@return jangada.log.Now
function loading.known(self)
  return self.now or loading.read(self, load)
end

--- The same within a transaction.
---@param tx table
---@param self jangada.Log
---@return jangada.log.Now
function loading.known_in(tx, self)
  return self.now or load(tx, self)
end

--- Reads everything anew.
---@param self jangada.Log
---@return jangada.log.Now
function loading.refresh(self)
  self.now = nil
  return loading.read(self, load)
end

return loading
