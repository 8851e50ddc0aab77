--- The rules of Raft's storage: what `save` refuses, decided before anything is written.
--
-- Each rule that is broken has its own error code. Sections are those of the extended Raft paper.

local errors = require "jangada.errors"

local raise, math_type = errors.raise, math.type

local rules = {}

rules.VOTE_MAX = 255 -- bytes
rules.TYPE_MAX = 255
rules.INFO_MAX = 1 << 16 -- bytes that go with a snapshot's index and term
rules.STABLE_KEY_MAX = 496 -- bytes: with "stable/" before it, as many as a key of the store has

-- Those of most saves, and those that need a plan (planning.lua).
local COMMON <const> = { term = true, vote = true, commit = true, entries = true, first = true }
local PLANNED <const> = { snapshot = true, compact = true, applied = true, stable = true }
local SNAPSHOT_FIELDS <const> = { index = true, term = true, position = true, info = true,
  size = true }

---------------------------------------------------------------------------------------------------
-- What fields are

local function check_integer(what, value, min)
  if math_type(value) ~= "integer" or value < min then
    raise("log_bad_field", "%s must be an integer from %d on, not %s", what, min, tostring(value))
  end
end

local function refuse_name(what, name)
  raise("log_bad_field", "%s has no field %q", what, tostring(name))
end

--- A misspelt field would be lost in silence.
---@param fields table
---@return boolean is_planned whether there is one that planning.lua sees to
function rules.check_names(fields)
  if type(fields) ~= "table" then
    raise("log_bad_field", "save takes a table of fields, not %s", tostring(fields))
  end
  local is_planned = false
  for name in next, fields do
    if not COMMON[name] then
      if not PLANNED[name] then refuse_name("save", name) end
      is_planned = true
    end
  end
  return is_planned
end

--- An index that is asked for.
---@param what string
---@param index any
function rules.check_index(what, index)
  if math_type(index) ~= "integer" then
    raise("log_bad_field", "%s: an index or term is an integer, not %s", what, tostring(index))
  end
end

--- A count or limit that is given.
---@param what string
---@param count any
---@param min integer
function rules.check_count(what, count, min)
  check_integer(what .. ": the count", count, min)
end

--- A table of options that is given, or nil.
---@param what string
---@param options any
function rules.check_options(what, options)
  if options ~= nil and type(options) ~= "table" then
    raise("log_bad_field", "%s: options are a table, not %s", what, tostring(options))
  end
end

--- What fields must be, whatever the log holds.
---@param vote any
---@param entries any
---@param first any
function rules.check_types(vote, entries, first)
  if vote ~= nil and (type(vote) ~= "string" or vote == "" or #vote > rules.VOTE_MAX) then
    raise("log_bad_field", "save: vote must be a string of 1 to %d bytes, not %s",
      rules.VOTE_MAX, tostring(vote))
  end
  if entries ~= nil and type(entries) ~= "table" then
    raise("log_bad_field", "save: entries must be an array, not %s", tostring(entries))
  end
  if first ~= nil and entries == nil then
    raise("log_bad_field", "save: first says where entries begin, and there are no entries")
  end
end

--- What a snapshot's description must be.
---@param snapshot any {index=, term=, position=, info=, size=}
function rules.check_snapshot_fields(snapshot)
  if type(snapshot) ~= "table" then
    raise("log_bad_field", "a snapshot is a table {index=, term=} or a snapshot_writer, not %s",
      tostring(snapshot))
  end
  for name in next, snapshot do
    if not SNAPSHOT_FIELDS[name] then refuse_name("a snapshot", name) end
  end
  check_integer("the snapshot's index", snapshot.index, 1)
  check_integer("the snapshot's term", snapshot.term, 1)
  if snapshot.position ~= nil then
    check_integer("the snapshot's position", snapshot.position, 0)
  end
  if snapshot.size ~= nil then check_integer("the snapshot's size", snapshot.size, 0) end
  local info = snapshot.info
  if info ~= nil and (type(info) ~= "string" or #info > rules.INFO_MAX) then
    raise("log_bad_field", "the snapshot's info must be a string of up to %d bytes, not %s",
      rules.INFO_MAX, type(info) == "string" and #info or tostring(info))
  end
end

--- What a key of a stable value must be.
---@param key any
function rules.check_stable_key(key)
  if type(key) ~= "string" or key == "" or #key > rules.STABLE_KEY_MAX then
    raise("log_bad_field", "a stable key is a string of 1 to %d bytes, not %s",
      rules.STABLE_KEY_MAX, tostring(key))
  end
end

--- What stable values must be.
---@param stable any
function rules.check_stable(stable)
  if stable == nil then return end
  if type(stable) ~= "table" then
    raise("log_bad_field", "save: stable must be a table of strings, not %s", tostring(stable))
  end
  for key, value in pairs(stable) do
    rules.check_stable_key(key)
    if type(value) ~= "string" and value ~= false then
      raise("log_bad_field", "save: stable[%q] must be a string, or false to remove it, not %s",
        key, tostring(value))
    end
  end
end

local function refuse_fall(index, term, term_before)
  raise("log_entry_term_fell", "save: entry %d has term %d, the entry before it term %d", index,
    term, term_before)
end

--- Raises what is wrong with an entry that store.pack_records has refused.
---@param entries table[]
---@param i integer the number of the entry
---@param key any the key at fault, nil when the entry is no plain table
---@param first integer index of the first entry
function rules.refuse_entry(entries, i, key, first)
  local entry = entries[i]
  if key == nil then
    raise("log_bad_field", "save: entries[%d] must be a table without a metatable, not %s", i,
      type(entry) == "table" and "a table with one" or tostring(entry))
  elseif key == "term" then
    check_integer(("save: entries[%d].term"):format(i), entry.term, 1)
    refuse_fall(first + i - 1, entry.term, entries[i - 1].term)
  elseif key == "type" then
    raise("log_bad_field", "save: entries[%d].type must be an integer from 0 to %d, not %s",
      i, rules.TYPE_MAX, tostring(entry.type))
  elseif key == "data" then
    raise("log_bad_field", "save: entries[%d].data must be a string, not %s",
      i, tostring(entry.data))
  end
  raise("log_bad_field", "save: entries[%d] has a field %q, and an entry has term, type and data",
    i, tostring(key))
end

---------------------------------------------------------------------------------------------------
-- Hard state, entries, commit index

--- 5.1: the current term of a server never falls; a higher one begins without a vote.
---@param now jangada.log.Now what the log holds
---@param term integer|nil
---@param vote string|nil
---@return integer term
---@return string|nil vote
function rules.hard_state(now, term, vote)
  if term == nil or term == now.term then
    return now.term, vote or now.vote
  end
  check_integer("save: term", term, 0)
  if term < now.term then
    raise("log_term_fell", "save: term %d is below the stored term %d", term, now.term)
  end
  return term, vote
end

--- 5.3: entries follow each other without a gap, replace whatever stood from the first of them on,
--- and never touch a committed one.
---@param last integer the last index before
---@param committed integer as saved or noted
---@param first integer|nil
---@return integer first where the entries begin
function rules.first_index(last, committed, first)
  if first == nil then return last + 1 end
  check_integer("save: first", first, 1)
  if first > last + 1 then
    raise("log_gap", "save: entries from %d on leave a gap after the last entry %d", first, last)
  end
  if first <= committed then
    raise("log_committed", "save: entries from %d on would replace entries up to %d, committed",
      first, committed)
  end
  return first
end

--- 5.3: terms never fall along the log. 5.1: no server holds an entry of a term it has not reached,
--- so a term is saved before or together with its first entry.
---@param entries jangada.log.Entry[] that store.pack_records has taken: their terms do not fall
---@param first integer index of the first of them
---@param term_before integer the term of the entry before them
---@param term_now integer the current term once this save is done
function rules.check_terms(entries, first, term_before, term_now)
  local count = #entries
  local first_term, last_term = entries[1].term, entries[count].term
  if first_term < 1 then rules.refuse_entry(entries, 1, "term", first) end
  if first_term < term_before then refuse_fall(first, first_term, term_before) end
  if last_term > term_now then
    local i = count
    while i > 1 and entries[i - 1].term > term_now do i = i - 1 end
    raise("log_entry_term_ahead", "save: entry %d has term %d, but the current term is %d",
      first + i - 1, entries[i].term, term_now)
  end
end

--- 5.3: what is committed stays committed, and only what is there can be.
---@param now jangada.log.Now
---@param commit integer|nil
---@param last integer the last index once this save is done
---@return integer commit
function rules.commit_index(now, commit, last)
  if commit == nil or commit == now.commit then return now.commit end
  check_integer("save: commit", commit, 0)
  if commit < now.commit then
    raise("log_commit_fell", "save: commit %d is below the stored commit %d", commit, now.commit)
  end
  if commit > last then
    raise("log_commit_past_end", "save: commit %d is past the last entry %d", commit, last)
  end
  return commit
end

--- 5.3: a state machine applies committed entries only, in order. (Figure 2 keeps the applied index
--- in memory; it is stored where the state machine is durable, too.)
---@param now jangada.log.Now
---@param applied integer|nil
---@param committed integer as saved or noted, once this save is done
---@return integer applied
function rules.applied_index(now, applied, committed)
  if applied == nil or applied == now.applied then return now.applied end
  check_integer("save: applied", applied, 0)
  if applied < now.applied then
    raise("log_applied_fell", "save: applied %d is below the stored applied index %d", applied,
      now.applied)
  end
  if applied > committed then
    raise("log_applied_past_commit", "save: applied %d is past the commit index %d", applied,
      committed)
  end
  return applied
end

---------------------------------------------------------------------------------------------------
-- Snapshots and compaction

--- 7: a snapshot never covers less than the one before it. 5.1: it is of a term the server has
--- reached.
---@param now jangada.log.Now
---@param snapshot table with index and term
---@param term integer the current term once this save is done
function rules.check_snapshot(now, snapshot, term)
  local index, old = snapshot.index, now.snapshot
  if old and (index < old.index or index == old.index and snapshot.term ~= old.term) then
    raise("log_snapshot_fell", "save: a snapshot up to entry %d, term %d: the one before it goes "
      .. "up to entry %d, term %d", index, snapshot.term, old.index, old.term)
  end
  if snapshot.term > term then
    raise("log_entry_term_ahead", "save: the snapshot's last entry has term %d, but the current "
      .. "term is %d", snapshot.term, term)
  end
end

--- 7: a snapshot covers what is committed.
---@param snapshot table with index
---@param committed integer as saved or noted, once this save is done
function rules.check_covered(snapshot, committed)
  if snapshot.index > committed then
    raise("log_snapshot_past_commit", "save: a snapshot up to entry %d covers more than is "
      .. "committed, up to %d: an installed one is saved with its commit index", snapshot.index,
      committed)
  end
end

--- 7: a snapshot whose last entry the log does not hold takes the place of the whole log. That is
--- said with `first`, the index after it; no committed entry can be in its way.
---@param now jangada.log.Now
---@param snapshot table with index and term
---@param first integer|nil as given to save
---@param committed integer before this save
---@param term_here integer|false the term at the snapshot's index, if the log reaches there
---@param term_committed integer the term at the commit index
function rules.check_install(now, snapshot, first, committed, term_here, term_committed)
  local index = snapshot.index
  if index <= committed then
    raise("log_committed", "save: entry %d is committed with term %s, and the snapshot's has term "
      .. "%d", index, tostring(term_here), snapshot.term)
  end
  if snapshot.term < term_committed then
    raise("log_entry_term_fell", "save: the snapshot's last entry %d has term %d, the committed "
      .. "entry %d term %d", index, snapshot.term, committed, term_committed)
  end
  if first ~= index + 1 then
    raise("log_snapshot_mismatch", "save: the log, which ends with entry %d, does not hold the "
      .. "snapshot's last entry %d, term %d: first = %d lets the log begin behind it", now.last,
      index, snapshot.term, index + 1)
  end
end

--- A snapshot has as many bytes of data as it was said to have: else some were lost on the way.
---@param said integer|nil
---@param found integer
function rules.check_size(said, found)
  if said and said ~= found then
    raise("log_snapshot_size", "save: the snapshot was said to have %d bytes of data, and %d were "
      .. "written", said, found)
  end
end

--- Where the log begins when a snapshot is saved with `first` and without entries: behind it.
---@param snapshot table
---@param first integer
function rules.check_beginning(snapshot, first)
  if first ~= snapshot.index + 1 then
    raise("log_bad_field", "save: a log begins behind its snapshot, so first is %d, not %s",
      snapshot.index + 1, tostring(first))
  end
end

--- 7: only what a snapshot covers can be removed.
---@param compact integer|nil the last index to remove
---@param snapshot table|nil once this save is done
function rules.check_compact(compact, snapshot)
  if compact == nil then return end
  check_integer("save: compact", compact, 0)
  local covered = snapshot and snapshot.index or 0
  if compact > covered then
    raise("log_compact_past_snapshot", "save: entries up to %d cannot be removed: the snapshot "
      .. "covers entries up to %d", compact, covered)
  end
end

return rules
