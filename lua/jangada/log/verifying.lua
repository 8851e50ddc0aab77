--- Looks at every byte of a log: all checksums, all rules, and whether what is counted and indexed
--- is what is there. Damage is told, not raised; each finding says where.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"

local verifying = {}

--- What the codes of findings mean.
verifying.codes = {
  bounds = "Terms, commit index, snapshot and entries do not fit together.",
  buckets = "The two buckets are not those of a log.",
  chunk = "A chunk of the snapshot is missing, or is not where it belongs.",
  entry_damaged = "The bytes of an entry do not match its checksum.",
  entry_missing = "An index between the first entry and the last has none.",
  position = "The position of an entry is not that of the entry before it and its size.",
  record_damaged = "A record of the meta bucket does not match its checksum, or its kind.",
  record_unknown = "The meta bucket holds a record that is none of a log.",
  run = "The term of an entry is not what the record of its term says.",
  store = "The store could not read on.",
  term_fell = "The term of an entry is below that of the entry before it.",
  version = "The log has another format.",
}

local FINDINGS_MAX <const> = 100
local PAGE_BYTES <const> = 1 << 16
local DECODERS <const> = { hard = format.decode_hard_state, base = format.decode_base,
  snapshot = format.decode_snapshot }

---@class jangada.log.Finding
---@field code string one of `verifying.codes`
---@field message string
---@field index integer|nil of the entry it is about
---@field key string|nil of the record it is about, in the meta bucket

---@class jangada.log.Examination
---@field self jangada.Log
---@field findings jangada.log.Finding[]
---@field findings_max integer
---@field progress fun(done: integer, total: integer)|nil
---@field hard table|nil what the records say, packed
---@field base table|nil
---@field snapshot jangada.log.Snapshot|nil
---@field run_firsts integer[]
---@field run_terms integer[]
---@field chunks integer of the snapshot, so far
---@field bytes integer in them

local STOP <const> = {}

local function note(x, code, where, ...)
  local list = x.findings
  list[#list + 1] = { code = code, index = where.index, key = where.key,
    message = string.format(...) }
  if #list >= x.findings_max then error(STOP, 0) end
end

---------------------------------------------------------------------------------------------------
-- The meta bucket

local function examine_chunk(x, key, payload)
  local id, number = format.chunk_place(key)
  local snapshot = x.snapshot
  if not snapshot or snapshot.id ~= id then return end -- garbage, to be swept away
  if not payload then
    note(x, "record_damaged", { key = key }, "chunk %d of the snapshot is damaged", number)
  elseif number ~= x.chunks + 1 then
    note(x, "chunk", { key = key }, "chunk %d of the snapshot follows chunk %d", number, x.chunks)
  end
  x.chunks, x.bytes = number, x.bytes + (payload and #payload or 0)
end

local function examine_run(x, key, payload)
  local at = #x.run_terms + 1
  x.run_terms[at], x.run_firsts[at] = format.run_term(key), format.decode_run(payload)
end

local KINDS <const> = {
  { "^format$", function(x, key, payload)
    if payload ~= format.VERSION then
      note(x, "version", { key = key }, "the format is %q, not %q", payload, format.VERSION)
    end
  end },
  { "^hard$", function(_, _, payload) format.decode_hard_state(payload) end },
  { "^base$", function(_, _, payload) format.decode_base(payload) end },
  { "^snapshot$", function(_, _, payload) format.decode_snapshot(payload) end },
  { "^stable/.", function() end },
  { "^run/........$", examine_run },
  { "^series/.+$", function(_, key, payload)
    format.sample_place(key)
    format.decode_sample(payload)
  end },
}

local function examine_record(x, key, value)
  local payload = value and format.open_seal(key, value)
  if format.is_chunk_key(key) then return examine_chunk(x, key, payload) end
  for _, kind in ipairs(KINDS) do
    if key:find(kind[1]) then
      local ok, failure = payload ~= nil, nil
      if ok then ok, failure = pcall(kind[2], x, key, payload) end
      if failure == STOP then error(STOP, 0) end
      if not ok then note(x, "record_damaged", { key = key }, "the record %q is damaged", key) end
      return
    end
  end
  note(x, "record_unknown", { key = key }, "a log has no record %q", key)
end

-- What stands under a key, packed; nil if it is not there or damaged, which is noted later.
local function decoded(meta, key)
  local value = meta:get(key)
  local payload = value and format.open_seal(key, value)
  if not payload then return nil end
  local result = table.pack(pcall(DECODERS[key], payload))
  return result[1] and table.pack(table.unpack(result, 2, result.n)) or nil
end

local function examine_meta(x, meta)
  x.hard, x.base = decoded(meta, "hard"), decoded(meta, "base")
  x.snapshot = (decoded(meta, "snapshot") or {})[1]
  if not meta:get("format") then
    note(x, "record_damaged", { key = "format" }, "the record \"format\" is missing")
  end
  for key, value in meta:each() do examine_record(x, key, value) end
  local snapshot = x.snapshot
  if snapshot and (snapshot.chunks ~= x.chunks or snapshot.size ~= x.bytes) then
    note(x, "chunk", { key = "snapshot" }, "the snapshot has %d chunks, %d bytes, and there are "
      .. "%d, %d bytes", snapshot.chunks, snapshot.size, x.chunks, x.bytes)
  end
end

---------------------------------------------------------------------------------------------------
-- Entries

---@class jangada.log.Walk
---@field index integer of the next entry
---@field term integer of the last one that could be read
---@field position integer|nil of the last entry; nil after one that could not be read
---@field run integer the run that the records say it is in
---@field is_off boolean its term was not what the record says, which has been noted

local function examine_entry(x, walk, term, position, data)
  local index = walk.index
  if term < walk.term then
    note(x, "term_fell", { index = index }, "entry %d has term %d, an entry before it term %d",
      index, term, walk.term)
  end
  if walk.position and position ~= walk.position + #data then
    note(x, "position", { index = index }, "entry %d ends at position %d, and %d + %d is %d",
      index, position, walk.position, #data, walk.position + #data)
  end
  while x.run_firsts[walk.run + 1] and x.run_firsts[walk.run + 1] <= index do
    walk.run = walk.run + 1
  end
  local said = x.run_terms[walk.run]
  if said ~= term and not walk.is_off then
    note(x, "run", { index = index }, "entry %d has term %d, and the records of terms say %s",
      index, term, said or "nothing")
  end
  walk.is_off = said ~= term
  walk.index, walk.term, walk.position = index + 1, math.max(term, walk.term), position
end

-- Passes over the entry at walk.index, which cannot be read.
local function pass_over(x, walk, bucket, fault)
  local index, next_index = walk.index, walk.index + 1
  if bucket:get(index) then
    note(x, "entry_damaged", { index = index }, "entry %d %s", index, fault)
  else
    local cursor <close> = bucket:cursor()
    next_index = cursor:seek(index)
    note(x, "entry_missing", { index = index }, "%s", next_index == index + 1
      and ("entry %d is missing"):format(index)
      or ("entries %d to %d are missing"):format(index, next_index - 1))
  end
  walk.index, walk.position = next_index, nil
end

local function examine_entries(x, bucket, first, last)
  local base = x.base
  local walk = { index = first, term = base and base[2] or 0, position = base and base[3] or 0,
    run = 0, is_off = false }
  while walk.index <= last do
    local count, terms, positions, _, data, fault =
      bucket:records(format.ENTRY, walk.index, last, PAGE_BYTES)
    for i = 1, count do examine_entry(x, walk, terms[i], positions[i], data[i]) end
    if fault then pass_over(x, walk, bucket, fault) end
    if x.progress then x.progress(walk.index - first, last - first + 1) end
  end
  return walk.term
end

local function examine_runs(x, first, last)
  local before = first - 1
  for k, run_first in ipairs(x.run_firsts) do
    if run_first <= before or run_first > last then
      note(x, "run", { index = run_first }, "the record of term %d says it begins with entry %d, "
        .. "which cannot be", x.run_terms[k], run_first)
    else
      before = run_first
    end
  end
end

local function examine_bounds(x, first, last, last_term)
  local term, commit, applied = 0, 0, 0
  if x.hard then term, commit, applied = x.hard[1], x.hard[3], x.hard[4] end
  local covered = x.snapshot and x.snapshot.index or 0
  local function expect(is_right, ...)
    if not is_right then note(x, "bounds", {}, ...) end
  end
  expect(commit <= last, "commit %d is past the last entry %d", commit, last)
  expect(applied <= commit, "applied %d is past commit %d", applied, commit)
  expect(covered <= commit, "the snapshot covers entries up to %d, and commit is %d", covered,
    commit)
  expect(covered >= first - 1, "entries up to %d were removed, and the snapshot covers those up "
    .. "to %d", first - 1, covered)
  expect(term >= last_term, "the current term is %d, and an entry has term %d", term, last_term)
end

local function ends_of(bucket)
  local cursor <close> = bucket:cursor()
  local first = cursor:first()
  return first, (cursor:last())
end

local function examine(tx, self, x)
  local bucket, meta = loading.find_buckets(tx, self)
  local first_key, last
  if bucket then first_key, last = ends_of(bucket) end
  if first_key and not (meta and math.type(first_key)) then
    note(x, "buckets", {}, meta and "the keys of the bucket %s are no indices"
      or "there are entries in %s, but no bucket %s", self.name, self.meta_name)
    return
  end
  if not meta then return end
  examine_meta(x, meta)
  local first = x.base and x.base[1] + 1 or 1
  last = math.max(last or 0, first - 1)
  examine_runs(x, first, last)
  local last_term = x.base and x.base[2] or 0
  if last >= first then last_term = examine_entries(x, bucket, first, last) end
  examine_bounds(x, first, last, last_term)
end

---------------------------------------------------------------------------------------------------

--- Examines a log, in one transaction.
---@param self jangada.Log opened or not
---@param options? {findings_max: integer?, progress: fun(done: integer, total: integer)?}
---  findings_max: after so many it stops, default 100; progress is called with the entries that
---  were looked at and their number, and touches nothing
---@return jangada.log.Finding[] findings none, when all is well
function verifying.verify(self, options)
  rules.check_options("verify", options)
  options = options or {}
  local findings_max = options.findings_max or FINDINGS_MAX
  rules.check_count("verify", findings_max, 1)
  local x = { self = self, findings = {}, findings_max = findings_max,
    progress = options.progress, run_firsts = {}, run_terms = {}, chunks = 0, bytes = 0 }
  local ok, failure = pcall(loading.read, self, examine, x)
  if not ok and failure ~= STOP then
    -- Of a page that LMDB cannot follow no more can be said than this.
    if not errors.is(failure, "corrupted") then error(failure, 0) end
    x.findings[#x.findings + 1] = { code = "store", message = failure.message }
  end
  return x.findings
end

return verifying
