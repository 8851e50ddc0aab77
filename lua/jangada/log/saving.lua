--- How `save` writes term, vote, commit index and entries, as protocols do in most of their turns.
--
-- The fields come in order, without a table for them. What may not be done is decided first
-- (rules.lua), then all of it is written in one transaction, the open one of the DB or one of its
-- own. Entries behind the last one and of its term, which is what nearly each save is, take a short
-- way: nothing about them is written but they themselves. planning.lua does the same for the other
-- fields.

local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local store = require "jangada.store"
local sweeping = require "jangada.log.sweeping"
local tail = require "jangada.log.tail"
local writing = require "jangada.log.writing"

-- Looked up once: a save is what a protocol waits for.
local known, find_parent, ensure_meta = loading.known, loading.find_parent, loading.ensure_meta
local pack, position_at, term_at = writing.pack, writing.position_at, writing.term_at
local cut, append = writing.cut, writing.append
local check_types, check_first_index = rules.check_types, rules.first_index
local check_hard_state, check_commit_index = rules.hard_state, rules.commit_index
local pack_records, extend_tail = store.pack_records, tail.append
local math_type = math.type
local ENTRY <const>, INTEGER_KEYS <const> = format.ENTRY, writing.INTEGER_KEYS

local saving = {}

local function write(tx, self, now, term, vote, commit, first, entries, values, before, after)
  tx:on_rollback(self.forget)
  self.now = nil -- until all is written: a failure in between leaves nothing to believe
  local changes_state = term ~= now.term or vote ~= now.vote or commit ~= now.commit
  local meta, parent = ensure_meta(tx, self)
  if entries then
    local bucket = now.is_made and parent:bucket(self.name)
      or parent:ensure_bucket(self.name, INTEGER_KEYS)
    if first <= now.last then cut(bucket, meta, now, first, before) end
    if values then append(bucket, meta, now, entries, values, after) end
  end
  if changes_state then writing.put_hard_state(meta, now, term, vote, commit, now.applied) end
  now.is_made = true
  if not now.is_swept then
    sweeping.step(parent, self, now, sweeping.COUNT_OF_SAVE + 2 * (entries and #entries or 0))
  end
  if not self.is_shared then self.now = now end
end

local function write_behind(tx, self, now, entries, values, position)
  tx:on_rollback(self.forget)
  self.now = nil
  local parent = self.parents[1] and find_parent(tx, self) or tx
  local bucket = parent:bucket(self.name) or parent:ensure_bucket(self.name, INTEGER_KEYS)
  bucket:append(now.last + 1, values)
  extend_tail(now.tail, entries, position - now.position)
  now.last, now.position = now.last + #entries, position
  if not self.is_shared then self.now = now end
end

-- Writes entries that follow the last one and are of its term, and so break no rule; false, and
-- nothing done, if they are not.
local function save_behind(self, now, entries, first)
  if first ~= nil and (first ~= now.last + 1 or math_type(first) ~= "integer") then return false end
  local term, count = now.runs.terms[now.runs.count], #entries
  if not term or count == 0 or not now.is_swept then return false end
  local values, position = pack_records(ENTRY, now.last + 1, entries, now.position)
  if not values or entries[1].term ~= term or entries[count].term ~= term then return false end
  local tx = self.db:write_tx()
  if tx then
    write_behind(tx, self, now, entries, values, position)
  else
    self.db:update(write_behind, self, now, entries, values, position)
  end
  return true
end

-- Other processes may write between a look at the log and a transaction: here they cannot.
local function save_shared(_, self, ...)
  saving.save_fields(self, ...)
end

--- Does what `save` does, with the fields in order.
---@param self jangada.Log
---@param new_term? integer
---@param new_vote? string
---@param new_commit? integer
---@param entries? table[]
---@param new_first? integer
function saving.save_fields(self, new_term, new_vote, new_commit, entries, new_first)
  if self.is_shared and not self.db:write_tx() then
    return self.db:update(save_shared, self, new_term, new_vote, new_commit, entries, new_first)
  end
  check_types(new_vote, entries, new_first)
  local now = self.now or known(self)
  if entries and (new_commit == nil or new_commit == now.commit)
    and (new_term == nil or new_term == now.term) and (new_vote == nil or new_vote == now.vote)
    and save_behind(self, now, entries, new_first) then
    return
  end
  local term, vote, commit = now.term, now.vote, now.commit
  if new_term ~= nil or new_vote ~= nil then
    term, vote = check_hard_state(now, new_term, new_vote)
  end
  local first, last = nil, now.last
  local values, before, after
  if entries then
    local committed = self.noted > now.commit and self.noted or now.commit
    first = check_first_index(last, committed, new_first)
    local term_before
    if first > last then
      before, term_before = now.position, now.runs.terms[now.runs.count] or now.base_term
    else
      before, term_before = position_at(self, now, first - 1), term_at(now, first - 1)
    end
    if #entries > 0 then values, after = pack(entries, first, before, term_before, term) end
    last = first + #entries - 1
    if last == now.last and not values then entries = nil end
  end
  if new_commit ~= nil then commit = check_commit_index(now, new_commit, last) end
  if not entries and term == now.term and vote == now.vote and commit == now.commit then return end
  local tx = self.db:write_tx()
  if tx then
    write(tx, self, now, term, vote, commit, first, entries, values, before, after)
  else
    self.db:update(write, self, now, term, vote, commit, first, entries, values, before, after)
  end
end

return saving
