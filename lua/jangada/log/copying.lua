--- Copies a log into an empty one, of the same store or another, in transactions of bounded size.

local errors = require "jangada.errors"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local series = require "jangada.log.series"

local copying = {}

local BYTES_MAX <const> = 1 << 20 -- of data in one transaction, but for a single larger entry
local COUNT_MAX <const> = 4096

local function check_empty(other)
  local now = loading.known(other)
  if now.last > 0 or now.term > 0 or now.snapshot then
    errors.raise("log_not_empty", "the log %s, which another one is to be copied to, has entries "
      .. "up to %d and term %d", other.name, now.last, now.term)
  end
end

local function copy_entries(self, other, now, report)
  local index = now.first
  while index <= now.last do
    local to = math.min(now.last, index + COUNT_MAX - 1)
    local entries = self:entries(index, to, BYTES_MAX)
    other:save_fields(nil, nil, nil, entries, index)
    index = index + #entries
    report(index - now.first)
  end
end

local function copy_snapshot(self, other)
  local snapshot = self:snapshot()
  if not snapshot then return end
  local meta = { index = snapshot.index, term = snapshot.term, info = snapshot.info }
  if snapshot.chunks == 0 then
    other:save{ snapshot = meta, commit = snapshot.index }
    return
  end
  local writer <close> = other:snapshot_writer(meta)
  for chunk in self:snapshot_reader():each() do writer:write(chunk) end
  other:save{ snapshot = writer, commit = snapshot.index }
end

local function list_stable(tx, self)
  local keys = {}
  local _, meta = loading.find_buckets(tx, self)
  if meta then
    for key in meta:each{ prefix = "stable/" } do keys[#keys + 1] = key:sub(#"stable/" + 1) end
  end
  return keys
end

--- The keys of all stable values.
---@param self jangada.Log
---@return string[]
function copying.stable_keys(self)
  return loading.read(self, list_stable)
end

local function copy_stable(self, other)
  local batch, bytes = {}, 0
  for _, key in ipairs(copying.stable_keys(self)) do
    local value = self:stable(key)
    batch[key], bytes = value, bytes + #key + #value
    if bytes >= BYTES_MAX then
      other:save{ stable = batch }
      batch, bytes = {}, 0
    end
  end
  if next(batch) ~= nil then other:save{ stable = batch } end
end

local function add_samples(_, other, name, samples)
  for _, sample in ipairs(samples) do series.sample(other, name, sample.value, sample.time) end
end

local function copy_series(self, other)
  for _, name in ipairs(series.names(self)) do
    loading.write(other, add_samples, name, series.read(self, name))
  end
end

--- Copies everything: entries, snapshot, hard state, stable values and series. If it fails on the
--- way, the other log is a lawful one, and incomplete.
---@param self jangada.Log
---@param other jangada.Log one that is empty
---@param options? {progress: fun(copied: integer, total: integer)?} called with the entries copied
---Raises `log_not_empty`, and what reading and saving do.
function copying.copy(self, other, options)
  if type(other) ~= "table" or other.save ~= self.save then
    errors.raise("log_bad_field", "copy_to: a log is needed, not %s", tostring(other))
  end
  rules.check_options("copy_to", options)
  check_empty(other)
  local now = loading.known(self)
  local total, progress = now.last - now.first + 1, options and options.progress
  local function report(copied)
    if progress then progress(copied, total) end
  end
  other:save{ term = now.term, vote = now.vote }
  if now.first > 1 then
    local base = now.first - 1
    other:save{ first = now.first, commit = base,
      snapshot = { index = base, term = now.base_term, position = now.base_position } }
  end
  copy_entries(self, other, now, report)
  copy_snapshot(self, other)
  copy_stable(self, other)
  copy_series(self, other)
  other:save{ commit = now.commit, applied = now.applied }
end

return copying
