--- The Raft log: what a server must keep (Figure 2, "persistent state"; section 7, snapshots), in
--- two buckets of a store.
--
--     local log = Log.open(db, "replog")
--     log:save{term = 3, vote = "n2", entries = {{term = 3, data = "x"}}, commit = 7}
--
-- There is one write verb. `save` takes any part of the state, checks all of it against the rules
-- of Raft's storage, and writes it in one transaction: the open one of the DB, else one of its
-- own. So no crash can come between the term and the vote, or between a truncation and what
-- replaces it.
--
-- The object knows the bounds, the hard state, the term runs and the last entries without reading.
-- A transaction that is rolled back takes this knowledge with it, and the next question reads it
-- anew. A log that is opened twice is one object, so nobody's knowledge grows stale.
--
-- The verbs stand in log/: saving.lua and planning.lua write (rules.lua says what may be written,
-- writing.lua how, sweeping.lua clears up behind), reading.lua reads entries, snapshots.lua their
-- data, loading.lua all that is known at once; format.lua has the bytes.

local errors = require "jangada.errors"
local loading = require "jangada.log.loading"
local reading = require "jangada.log.reading"
local rules = require "jangada.log.rules"
local runs = require "jangada.log.runs"
local saving = require "jangada.log.saving"

local raise, math_type = errors.raise, math.type
local known = loading.known

---@class jangada.log.Entry
---@field term integer the term it was created in, from 1
---@field type integer 0..255, opaque to the log; 0 when it is not given
---@field data string

---@class jangada.Log
---@field db table a store DB, or a node's face of one, or an in-memory one
---@field parents string[] the buckets that lead to it, from the top
---@field name string the entry bucket
---@field meta_name string its sibling
---@field is_shared boolean other processes may write to the file
---@field now jangada.log.Now|nil nil when it has to be read
---@field noted integer the commit index as noted, without being saved
---@field forget fun() drops `now`, and what was noted
local Log = {}
Log.__index = Log
Log.__name = "jangada.Log"

---------------------------------------------------------------------------------------------------
-- Opening

-- db -> {is_shared, logs by their paths as one string}. A protocol has no weak tables; there the
-- module lives as long as the node, and so as long as its DB.
local has_weak, opened = pcall(setmetatable, {}, { __mode = "k" })
if not has_weak then opened = {} end

local function is_path(name)
  if type(name) ~= "table" or #name == 0 then return false end
  for _, part in ipairs(name) do
    if type(part) ~= "string" then return false end
  end
  return true
end

local function check_path(name)
  local path = type(name) == "string" and { name } or name
  if not is_path(path) then
    raise("log_bad_field", "the name of a log must be a string or a path of strings, not %s",
      tostring(name))
  end
  if path[#path]:find("%.meta$") then
    raise("log_bad_field", "a log cannot be called %q: the meta buckets of logs are", path[#path])
  end
  return path
end

local function is_db(db)
  return (type(db) == "userdata" or type(db) == "table") and db.write_tx ~= nil
end

local function check_db(db)
  if not is_db(db) then raise("log_bad_field", "a log is in a DB, not in %s", tostring(db)) end
end

local function new(db, path, is_shared)
  local name = path[#path]
  local self = setmetatable({
    db = db,
    parents = table.move(path, 1, #path - 1, 1, {}),
    name = name,
    meta_name = name .. ".meta",
    is_shared = is_shared,
    now = nil,
    noted = 0,
    forget = nil,
  }, Log)
  self.forget = function() self.now, self.noted = nil, 0 end
  return self
end

--- Opens the log in the bucket `name` of a DB and its sibling `name.meta`. Writes nothing: a log
--- that is not there is empty, and its first `save` makes the buckets. Opening it again reads it
--- anew, and gives the same object. Raises `log_damaged` if what is there does not fit together,
--- `version_mismatch` if it has another format, `incompatible` if the bucket is no log's.
---@param db table a store DB, or a node's `db`
---@param name string|string[] the entry bucket, or a path of names that ends with it; not `*.meta`
---@return jangada.Log
function Log.open(db, name)
  check_db(db)
  local path = check_path(name)
  local of_db = opened[db]
  if not of_db then
    -- A face of a DB, as nodes have it, is of one that is not shared.
    of_db = { is_shared = type(db) == "userdata" and db:info().shared, logs = {} }
    opened[db] = of_db
  end
  local key = string.pack(("s"):rep(#path), table.unpack(path))
  local self = of_db.logs[key] or new(db, path, of_db.is_shared)
  local now = loading.refresh(self)
  self.noted = math.min(self.noted, now.last)
  of_db.logs[key] = self
  return self
end

--- What `log:verify` does, for a log that may be too damaged to open.
---@param db table
---@param name string|string[]
---@param options? table as for verify
---@return jangada.log.Finding[]
function Log.verify_in(db, name, options)
  check_db(db)
  return new(db, check_path(name), false):verify(options)
end

--- A log in memory, for tests and for what need not last: the same verbs and rules.
---@return jangada.Log
function Log.memory()
  return Log.open(require("jangada.log.memory").open(), "replog")
end

---------------------------------------------------------------------------------------------------
-- Writing

--- Writes any part of the state, all of it or nothing, in the open write transaction of the DB if
--- there is one, else in one of its own. Entry i replaces everything from i on; an empty array with
--- `first` only removes. A term above the stored one without a vote clears the vote. What is stored
--- already is not written again.
---
--- A snapshot whose last entry the log does not hold takes the place of all entries, if `first` is
--- the index after it (section 7); if the log holds it, `first` without entries removes what the
--- snapshot covers and keeps the rest.
---
--- Raises, before anything is written: `log_bad_field`, `log_term_fell`, `log_gap`,
--- `log_committed`, `log_entry_term_fell`, `log_entry_term_ahead`, `log_commit_fell`,
--- `log_commit_past_end`, `log_applied_fell`, `log_applied_past_commit`, `log_snapshot_fell`,
--- `log_snapshot_past_commit`, `log_snapshot_mismatch`, `log_snapshot_ended`,
--- `log_compact_past_snapshot`.
---@param fields table any of: term (integer), vote (string), commit (integer), entries (array of
---  {term=, type=, data=}), first (the index of the first of them, default last + 1), snapshot
---  ({index=, term=, position=, info=} or a snapshot_writer), compact (the last index to remove),
---  applied (integer), stable (a table of strings, false for those to remove)
function Log:save(fields)
  if rules.check_names(fields) then return require("jangada.log.planning").save(self, fields) end
  saving.save_fields(self, fields.term, fields.vote, fields.commit, fields.entries, fields.first)
end

Log.save_fields = saving.save_fields

--- Protects entries like a saved commit index does, from here on and until a transaction of the log
--- is rolled back, without writing anything: for who saves the commit index only now and then. A
--- save that would replace one of them raises `log_committed`.
---@param index integer the commit index; raises `log_commit_fell`, `log_commit_past_end`
function Log:note_commit(index)
  local now = self.now or known(self)
  if math_type(index) ~= "integer" or index < now.commit or index > now.last then
    rules.commit_index(now, index, now.last) -- raises
  end
  if index > self.noted then self.noted = index end
end

--- Removes some of what compaction and replaced snapshots have left behind, in one transaction.
--- Each save removes a little, too: this is for who would rather not wait.
---@param count? integer entries at most, from 64 on, default 16384; a chunk of a snapshot counts
---  for 64, and 4 MiB are enough whatever their number
---@return integer removed entries and chunks; 0 when nothing is left
function Log:sweep(count)
  return require("jangada.log.sweeping").sweep(self, count)
end

---------------------------------------------------------------------------------------------------
-- State

--- The current term, the vote given in it (nil if none) and the commit index, as last saved.
---@return integer term 0 in a new log
---@return string|nil vote
---@return integer commit
function Log:hard_state()
  local now = self.now or known(self)
  return now.term, now.vote, now.commit
end

--- The index of the last entry that a durable state machine has applied, as last saved.
---@return integer applied 0 if it never was
function Log:applied()
  return (self.now or known(self)).applied
end

--- The index of the first entry; 1 in an empty log.
---@return integer
function Log:first_index()
  return (self.now or known(self)).first
end

--- The index of the last entry; `first_index() - 1`, so 0 in a new log, if there is none.
---@return integer
function Log:last_index()
  return (self.now or known(self)).last
end

--- The term of the last entry, removed or not; 0 if there was none.
---@return integer
function Log:last_term()
  local now = self.now or known(self)
  return now.runs.terms[now.runs.count] or now.base_term
end

--- The term of an entry, without reading it; of the place before the first one too (0 before entry
--- 1), since compaction keeps it; nil if the log does not reach there.
---@param index integer
---@return integer|nil
function Log:term(index)
  local now = self.now or known(self)
  local known_runs, last = now.runs, now.last
  local k = known_runs.count
  if index == last then return known_runs.terms[k] or now.base_term end -- what most ask for
  if math_type(index) ~= "integer" then rules.check_index("term", index) end
  if index > last or index < now.first then
    return index == now.first - 1 and now.base_term or nil
  end
  if index < known_runs.firsts[k] then k = runs.find(known_runs, index) end
  return known_runs.terms[k]
end

--- The index of the first entry of a term; nil if none has it.
---@param term integer
---@return integer|nil
function Log:first_of_term(term)
  if math_type(term) ~= "integer" then rules.check_index("first_of_term", term) end
  return runs.first_of_term((self.now or known(self)).runs, term)
end

--- The best guess of where this log and another one part, when all that is known of the other one
--- is that it has (or would need) `term` at `index`: the largest i <= index here with term(i) <=
--- term. Both sides of a refused append use it (section 5.3): the follower to answer, the leader
--- to pick the next try, so each round skips a whole term. Reads no entry.
---@param index integer
---@param term integer
---@return integer index 0 if the logs may share nothing that is still here
---@return integer term the term of that entry here, 0 with index 0
function Log:conflict_hint(index, term)
  local now = self.now or known(self)
  if math_type(index) ~= "integer" or math_type(term) ~= "integer" then
    rules.check_index("conflict_hint", index)
    rules.check_index("conflict_hint", term)
  end
  if index > now.last then index = now.last end
  local found, found_term = runs.conflict(now.runs, index, term)
  if found > 0 then return found, found_term end
  local base = now.first - 1
  if index >= base and now.base_term <= term then return base, now.base_term end
  return 0, 0
end

--- The snapshot: index and term of the last entry it covers, the position (bytes of all data up to
--- it), what the user said of it, and the size of its data in bytes; nil if there is none. This is
--- what a snapshot_writer of another log takes.
---@return {index: integer, term: integer, position: integer, info: string, size: integer}|nil
function Log:snapshot()
  local snapshot = (self.now or known(self)).snapshot
  if not snapshot then return nil end
  return { index = snapshot.index, term = snapshot.term, position = snapshot.position,
    info = snapshot.info, size = snapshot.size }
end

--- What the log is made of, known without counting.
---@return table stats entries, bytes (of their data), first, last, terms (how many), position
---  (bytes of all data from index 1 on, removed or not), term, vote, commit, applied,
---  snapshot_index, snapshot_size, compactions (times that entries were removed from the front)
function Log:stats()
  local now = self.now or known(self)
  local snapshot = now.snapshot
  return {
    entries = now.last - now.first + 1, bytes = now.position - now.base_position,
    first = now.first, last = now.last, terms = now.runs.count, position = now.position,
    term = now.term, vote = now.vote, commit = now.commit, applied = now.applied,
    snapshot_index = snapshot and snapshot.index or 0,
    snapshot_size = snapshot and snapshot.size or 0, compactions = now.compactions,
  }
end

local function read_stable(tx, self, key)
  local _, meta = loading.find_buckets(tx, self)
  return meta and meta:get(key)
end

--- A value that was saved as stable; nil if there is none.
---@param key string
---@return string|nil
function Log:stable(key)
  rules.check_stable_key(key)
  local format = require "jangada.log.format"
  key = format.stable_key(key)
  local value = loading.read(self, read_stable, key)
  return value and format.unseal(key, value)
end

---------------------------------------------------------------------------------------------------
-- What has a file of its own

Log.entry, Log.entries, Log.each = reading.entry, reading.entries, reading.each
Log.visit = reading.visit

-- Loaded when it is asked for: a node of a lab boots by the thousand and needs little of it.
local function later(module, name)
  return function(self, ...)
    return require("jangada.log." .. module)[name](self, ...)
  end
end

Log.snapshot_writer = later("snapshots", "new_writer")
Log.snapshot_reader = later("snapshots", "new_reader")
Log.sample, Log.series = later("series", "sample"), later("series", "read")
Log.series_names = later("series", "names")
Log.verify, Log.copy_to = later("verifying", "verify"), later("copying", "copy")

return Log
