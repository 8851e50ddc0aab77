--- The rules of Raft's storage: what `save` refuses, decided before anything is written.
--
-- Each rule that is broken has its own error code. Sections are those of the extended Raft paper.

local errors = require "jangada.errors"

local raise, math_type = errors.raise, math.type

local rules = {}

rules.VOTE_MAX = 255 -- bytes
rules.TYPE_MAX = 255

local FIELDS <const> = { term = true, vote = true, commit = true, entries = true, first = true }

local function check_integer(name, value, min)
  if math_type(value) ~= "integer" or value < min then
    raise("log_bad_field", "save: %s must be an integer from %d on, not %s",
      name, min, tostring(value))
  end
end

--- A misspelt field would be lost in silence.
---@param fields table
function rules.check_names(fields)
  if type(fields) ~= "table" then
    raise("log_bad_field", "save takes a table of fields, not %s", tostring(fields))
  end
  for name in pairs(fields) do
    if not FIELDS[name] then
      raise("log_bad_field", "save has no field %q", tostring(name))
    end
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
  check_integer("term", term, 0)
  if term < now.term then
    raise("log_term_fell", "save: term %d is below the stored term %d", term, now.term)
  end
  return term, vote
end

--- 5.3: entries follow each other without a gap, replace whatever stood from the first of them on,
--- and never touch a committed one.
---@param now jangada.log.Now
---@param first integer|nil
---@return integer first where the entries begin
function rules.first_index(now, first)
  if first == nil then return now.last + 1 end
  check_integer("first", first, 1)
  if first > now.last + 1 then
    raise("log_gap", "save: entries from %d on leave a gap after the last entry %d",
      first, now.last)
  end
  local committed = now.noted > now.commit and now.noted or now.commit
  if first <= committed then
    raise("log_committed", "save: entries from %d on would replace entries up to %d, committed",
      first, committed)
  end
  return first
end

--- 5.3: terms never fall along the log. 5.1: no server holds an entry of a term it has not reached,
--- so a term is saved before or together with its first entry.
---@param entries jangada.log.Entry[]
---@param first integer index of the first of them
---@param term_before integer the term of the entry before them
---@param term_now integer the current term once this save is done
function rules.check_entries(entries, first, term_before, term_now)
  for i = 1, #entries do
    local entry = entries[i]
    if type(entry) ~= "table" then
      raise("log_bad_field", "save: entries[%d] must be a table, not %s", i, tostring(entry))
    end
    local term, kind = entry.term, entry.type
    if math_type(term) ~= "integer" or term < 1 then
      raise("log_bad_field", "save: entries[%d].term must be an integer from 1 on, not %s",
        i, tostring(term))
    end
    if kind ~= nil and (math_type(kind) ~= "integer" or kind < 0 or kind > rules.TYPE_MAX) then
      raise("log_bad_field", "save: entries[%d].type must be an integer from 0 to %d, not %s",
        i, rules.TYPE_MAX, tostring(kind))
    end
    if type(entry.data) ~= "string" then
      raise("log_bad_field", "save: entries[%d].data must be a string, not %s",
        i, tostring(entry.data))
    end
    if term < term_before then
      raise("log_entry_term_fell", "save: entry %d has term %d, the entry before it term %d",
        first + i - 1, term, term_before)
    end
    if term > term_now then
      raise("log_entry_term_ahead", "save: entry %d has term %d, but the current term is %d",
        first + i - 1, term, term_now)
    end
    term_before = term
  end
end

--- 5.3: what is committed stays committed, and only what is there can be.
---@param now jangada.log.Now
---@param commit integer|nil
---@param last integer the last index once this save is done
---@return integer commit
function rules.commit_index(now, commit, last)
  if commit == nil or commit == now.commit then return now.commit end
  check_integer("commit", commit, 0)
  if commit < now.commit then
    raise("log_commit_fell", "save: commit %d is below the stored commit %d", commit, now.commit)
  end
  if commit > last then
    raise("log_commit_past_end", "save: commit %d is past the last entry %d", commit, last)
  end
  return commit
end

return rules
