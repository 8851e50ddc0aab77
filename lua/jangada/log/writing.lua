--- The steps of a save: each changes the buckets and what is known of them alike.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local runs = require "jangada.log.runs"
local store = require "jangada.store"
local tail = require "jangada.log.tail"

local pack_records = store.pack_records
local ENTRY <const> = format.ENTRY

local writing = {}

--- The entry bucket of a log: its keys are indices.
writing.INTEGER_KEYS = { keys = "integer" }

--- Writes a meta record.
---@param meta table
---@param key string
---@param payload string
function writing.put(meta, key, payload)
  meta:put(key, format.seal(key, payload))
end

local function read_position(tx, self, index)
  local bucket = loading.find_buckets(tx, self)
  local value = bucket and bucket:get(index)
  if not value then errors.raise("log_damaged", "entry %d is missing from %s", index, self.name) end
  return (select(4, format.decode(index, value)))
end

--- The position of an entry that the log has, or of the place before the first.
---@param self jangada.Log
---@param now jangada.log.Now
---@param index integer
---@return integer
function writing.position_at(self, now, index)
  if index == now.last then return now.position end
  if index == now.first - 1 then return now.base_position end
  return tail.position(now.tail, index, now.position)
    or loading.read(self, read_position, index)
end

--- The term of an entry that the log has, or of the place before the first.
---@param now jangada.log.Now
---@param index integer
---@return integer
function writing.term_at(now, index)
  if index == now.first - 1 then return now.base_term end
  return now.runs.terms[runs.find(now.runs, index)]
end

--- Entries as they are stored. Raises what is wrong with them.
---@param entries table[]
---@param first integer index of the first of them
---@param position integer before them
---@param term_before integer the term of the entry before them
---@param term integer the current term once the save is done
---@return string values
---@return integer position after them
function writing.pack(entries, first, position, term_before, term)
  local values, after, key = pack_records(ENTRY, first, entries, position)
  if not values then rules.refuse_entry(entries, after, key, first) end
  rules.check_terms(entries, first, term_before, term)
  return values, after
end

--- Removes the entries from `first` on, of which there is at least one.
---@param bucket table
---@param meta table
---@param now jangada.log.Now
---@param first integer
---@param position integer before `first`
function writing.cut(bucket, meta, now, first, position)
  bucket:delete_range(first, nil)
  local term = runs.cut(now.runs, first)
  while term do
    meta:delete(format.run_key(term))
    term = runs.cut(now.runs, first)
  end
  tail.truncate(now.tail, first)
  now.last, now.position = first - 1, position
end

--- Adds entries at the end.
---@param bucket table
---@param meta table|nil needed where they are of another term than the last one
---@param now jangada.log.Now
---@param entries table[]
---@param values string the same as they are stored
---@param position integer after them
function writing.append(bucket, meta, now, entries, values, position)
  bucket:append(now.last + 1, values)
  local last, count, known_runs = now.last, #entries, now.runs
  -- Terms never fall: the last one tells whether there is a new one among them.
  if entries[count].term ~= known_runs.terms[known_runs.count] then
    for i = 1, count do
      local term = entries[i].term
      if runs.append(known_runs, last + i, term) then
        writing.put(meta, format.run_key(term), format.encode_run(last + i))
      end
    end
  end
  tail.append(now.tail, entries, position - now.position)
  now.last, now.position = last + count, position
end

--- Writes the hard state, if it changes.
---@param meta table
---@param now jangada.log.Now
---@param term integer
---@param vote string|nil
---@param commit integer
---@param applied integer
function writing.put_hard_state(meta, now, term, vote, commit, applied)
  if term == now.term and vote == now.vote and commit == now.commit and applied == now.applied then
    return
  end
  writing.put(meta, "hard", format.encode_hard_state(term, vote, commit, applied))
  now.term, now.vote, now.commit, now.applied = term, vote, commit, applied
end

--- Removes all entries and lets the log begin behind another place: what is below it stays in the
--- bucket, to be swept away.
---@param bucket table|nil
---@param meta table
---@param now jangada.log.Now
---@param index integer of the place
---@param position integer
function writing.restart(bucket, meta, now, index, position)
  if bucket and now.last > index then bucket:delete_range(index + 1, nil) end
  for _, term in ipairs(now.runs.terms) do meta:delete(format.run_key(term)) end
  now.runs, now.tail = runs.new(), tail.new(index)
  now.last, now.position = index, position
end

--- Lets the log begin later, with an entry that it has or with the next one to come.
---@param meta table
---@param now jangada.log.Now
---@param first integer
function writing.trim(meta, now, first)
  local dropped, is_moved = runs.trim(now.runs, first, now.last)
  for _, term in ipairs(dropped) do meta:delete(format.run_key(term)) end
  if is_moved then
    writing.put(meta, format.run_key(now.runs.terms[1]), format.encode_run(first))
  end
  tail.drop(now.tail, first)
end

--- Notes where the log begins.
---@param meta table
---@param now jangada.log.Now
---@param index integer of the place before the first entry
---@param term integer
---@param position integer
function writing.put_base(meta, now, index, term, position)
  local compactions = now.compactions + 1
  writing.put(meta, "base", format.encode_base(index, term, position, compactions))
  now.first, now.base_term, now.base_position = index + 1, term, position
  now.compactions, now.is_swept = compactions, false
end

return writing
