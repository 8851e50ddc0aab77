--- The Raft log: what a server must keep (Figure 2, "persistent state"), in two buckets of a store.
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
-- anew. One Log object is to write a log at a time: another one would not see what it wrote.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local runs = require "jangada.log.runs"
local tail = require "jangada.log.tail"

local raise, encode, decode = errors.raise, format.encode, format.decode
local math_type = math.type

---@class jangada.log.Entry
---@field term integer the term it was created in, from 1
---@field type integer 0..255, opaque to the log; 0 when it is not given
---@field data string

---@class jangada.log.Now what the log holds
---@field first integer index of the first entry
---@field last integer index of the last entry, first - 1 when there is none
---@field term integer current term
---@field vote string|nil
---@field commit integer as saved
---@field noted integer the commit index as noted, without being saved
---@field is_made boolean the buckets are there
---@field runs jangada.log.Runs
---@field tail jangada.log.Tail

---@class jangada.Log
---@field db table a store DB, or a node's face of one
---@field parents string[] the buckets that lead to it, from the top
---@field name string the entry bucket
---@field meta_name string its sibling
---@field now jangada.log.Now|nil nil when it has to be read
---@field forget fun() drops `now`
local Log = {}
Log.__index = Log
Log.__name = "jangada.Log"

local INTEGER_KEYS <const> = { keys = "integer" }
local PAGE_BYTES <const> = 64 * 1024 -- how much `each` reads at a time

--- Calls fn(tx, self, ...) in the open write transaction of the DB, else in a view.
local function read(self, fn, ...)
  local tx = self.db:write_tx()
  if tx then return fn(tx, self, ...) end
  return self.db:view(fn, self, ...)
end

local function make_parent(tx, self)
  local parent = tx
  for _, name in ipairs(self.parents) do parent = parent:ensure_bucket(name) end
  return parent
end

local function make_meta(parent, self)
  local meta = parent:create_bucket(self.meta_name)
  meta:put("format", format.seal("format", format.VERSION))
  return meta
end

local function load(tx, self)
  -- What a write transaction shows may never be committed.
  if tx:is_writable() then tx:on_rollback(self.forget) end
  self.now = loading.load(tx, self)
  return self.now
end

local function known(self)
  return self.now or read(self, load)
end

local function is_path(name)
  if type(name) ~= "table" or #name == 0 then return false end
  for _, part in ipairs(name) do
    if type(part) ~= "string" then return false end
  end
  return true
end

--- Opens the log in the bucket `name` of a DB and its sibling `name.meta`. Writes nothing: a log
--- that is not there is empty, and its first `save` makes the buckets. Raises `log_damaged` if
--- what is there does not fit together, `version_mismatch` if it has another format.
---@param db table a store DB, or a node's `db`
---@param name string|string[] the entry bucket, or a path of names that ends with it
---@return jangada.Log
function Log.open(db, name)
  local path = type(name) == "string" and { name } or name
  if not is_path(path) then
    raise("log_bad_field", "the name of a log must be a string or a path of strings, not %s",
      tostring(name))
  end
  name = path[#path]
  local self = setmetatable({
    db = db,
    parents = table.move(path, 1, #path - 1, 1, {}),
    name = name,
    meta_name = name .. ".meta",
    now = nil,
    forget = nil,
  }, Log)
  self.forget = function() self.now = nil end
  known(self)
  return self
end

local function cut(bucket, meta, now, first)
  bucket:delete_range(first, nil)
  local term = runs.cut(now.runs, first)
  while term do
    meta:delete(format.run_key(term))
    term = runs.cut(now.runs, first)
  end
  tail.truncate(now.tail, first)
  now.last = first - 1
end

-- What is handed to bucket:append, again and again: it copies the strings.
local values = {}

local function append(bucket, meta, now, entries)
  local index = now.last
  local known_runs, known_tail = now.runs, now.tail
  for i = 1, #entries do
    local entry = entries[i]
    local term, kind, data = entry.term, entry.type or 0, entry.data
    index = index + 1
    values[i] = encode(index, term, kind, data)
    if runs.append(known_runs, index, term) then
      local key = format.run_key(term)
      meta:put(key, format.seal(key, format.encode_run(index)))
    end
    tail.append(known_tail, term, kind, data)
  end
  for i = #values, #entries + 1, -1 do values[i] = nil end
  bucket:append(now.last + 1, values)
  now.last = index
end

-- Whether a save leaves the meta bucket as it is: nearly each does, and to open it costs a write.
local function is_append_only(now, changes_state, first, entries)
  return now.is_made and not changes_state and first > now.last and #entries > 0
    and entries[#entries].term == now.runs.terms[now.runs.count]
end

local function write(tx, self, now, term, vote, commit, first, entries)
  tx:on_rollback(self.forget)
  self.now = nil -- until all is written: a failure in between leaves nothing to believe
  local parent = self.parents[1] and make_parent(tx, self) or tx
  local changes_state = term ~= now.term or vote ~= now.vote or commit ~= now.commit
  local meta
  if not entries or not is_append_only(now, changes_state, first, entries) then
    meta = parent:bucket(self.meta_name) or make_meta(parent, self)
  end
  if entries then
    local bucket = parent:bucket(self.name) or parent:create_bucket(self.name, INTEGER_KEYS)
    if first <= now.last then cut(bucket, meta, now, first) end
    if #entries > 0 then append(bucket, meta, now, entries) end
  end
  if changes_state then
    meta:put("hard", format.seal("hard", format.encode_hard_state(term, vote, commit)))
    now.term, now.vote, now.commit = term, vote, commit
  end
  now.is_made = true
  self.now = now
end

--- Writes any part of the state, all of it or nothing, in the open write transaction of the DB if
--- there is one, else in one of its own. Entry i replaces everything from i on; an empty array with
--- `first` only removes. A term above the stored one without a vote clears the vote. What is stored
--- already is not written again, and a save that changes nothing opens no transaction.
---
--- Raises, before anything is written: `log_bad_field`, `log_term_fell`, `log_gap`,
--- `log_committed`, `log_entry_term_fell`, `log_entry_term_ahead`, `log_commit_fell`,
--- `log_commit_past_end`.
---@param fields table any of: term (integer), vote (string), commit (integer), entries (array of
---  {term=, type=, data=}), first (the index of the first of them, default last + 1)
function Log:save(fields)
  rules.check_names(fields)
  self:save_fields(fields.term, fields.vote, fields.commit, fields.entries, fields.first)
end

--- Does what `save` does, with the fields in order and no table for them: for protocols, which save
--- in most of their turns.
---@param new_term? integer
---@param new_vote? string
---@param new_commit? integer
---@param entries? table[]
---@param new_first? integer
function Log:save_fields(new_term, new_vote, new_commit, entries, new_first)
  rules.check_types(new_vote, entries, new_first)
  local now = self.now or known(self)
  local term, vote = rules.hard_state(now, new_term, new_vote)
  local first, last = nil, now.last
  if entries then
    first = rules.first_index(now, new_first)
    last = first + #entries - 1
    rules.check_entries(entries, first, self:term(first - 1) or 0, term)
    if last == now.last and #entries == 0 then entries = nil end
  end
  local commit = rules.commit_index(now, new_commit, last)
  if not entries and term == now.term and vote == now.vote and commit == now.commit then return end
  local tx = self.db:write_tx()
  if tx then
    write(tx, self, now, term, vote, commit, first, entries)
  else
    self.db:update(write, self, now, term, vote, commit, first, entries)
  end
end

--- Protects entries like a saved commit index does, from here on and until the log is opened again,
--- without writing anything: for who saves the commit index only now and then. A save that would
--- replace one of them raises `log_committed`.
---@param index integer the commit index; raises `log_commit_fell`, `log_commit_past_end`
function Log:note_commit(index)
  local now = self.now or known(self)
  if math_type(index) ~= "integer" or index < now.commit or index > now.last then
    rules.commit_index(now, index, now.last) -- raises
  end
  if index > now.noted then now.noted = index end
end

--- The current term, the vote given in it (nil if none) and the commit index, as last saved.
---@return integer term 0 in a new log
---@return string|nil vote
---@return integer commit
function Log:hard_state()
  local now = self.now or known(self)
  return now.term, now.vote, now.commit
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

--- The term of the last entry; 0 if there is none.
---@return integer
function Log:last_term()
  local known_runs = (self.now or known(self)).runs
  return known_runs.terms[known_runs.count] or 0
end

--- The term of an entry, without reading it; 0 for index 0, the place before the first entry of
--- every log; nil if the log does not reach there.
---@param index integer
---@return integer|nil
function Log:term(index)
  local now = self.now or known(self)
  if index > now.last or index < now.first then
    return index == 0 and 0 or nil
  end
  local known_runs = now.runs
  return known_runs.terms[runs.find(known_runs, index)]
end

--- The index of the first entry of a term; nil if none has it.
---@param term integer
---@return integer|nil
function Log:first_of_term(term)
  return runs.first_of_term((self.now or known(self)).runs, term)
end

--- The best guess of where this log and another one part, when all that is known of the other one
--- is that it has (or would need) `term` at `index`: the largest i <= index here with term(i) <=
--- term. Both sides of a refused append use it (section 5.3): the follower to answer, the leader
--- to pick the next try, so each round skips a whole term. Reads no entry.
---@param index integer
---@param term integer
---@return integer index 0 if the logs may share nothing
---@return integer term the term of that entry here, 0 with index 0
function Log:conflict_hint(index, term)
  local now = self.now or known(self)
  if index > now.last then index = now.last end
  return runs.conflict(now.runs, index, term)
end

local function read_range(tx, self, from, to, bytes_max)
  local parent, entries, bytes = loading.find_parent(tx, self), {}, 0
  local bucket = parent and parent:bucket(self.name)
  for index = from, to do
    local value = bucket and bucket:get(index)
    if not value then
      raise("log_damaged", "entry %d is missing from %s", index, self.name)
    end
    local term, kind, data = decode(index, value)
    bytes = bytes + #data
    if bytes > bytes_max and index > from then break end
    entries[#entries + 1] = { term = term, type = kind, data = data }
  end
  return entries
end

local function recall_range(known_tail, from, to, bytes_max)
  local terms, types, held = known_tail.terms, known_tail.types, known_tail.data
  local entries, bytes, n = {}, 0, 0
  for index = from, to do
    local data = held[index]
    bytes = bytes + #data
    if bytes > bytes_max and n > 0 then break end
    n = n + 1
    entries[n] = { term = terms[index], type = types[index], data = data }
  end
  return entries
end

--- The entry at an index; nil if there is none. Raises `log_damaged`, naming the index, if the
--- stored bytes do not match their checksum.
---@param index integer
---@return jangada.log.Entry|nil entry the caller's own
function Log:entry(index)
  local entries = self:entries(index, index)
  return entries and entries[1]
end

--- The entries from one index to another, both inclusive, as an array that may be kept and
--- changed. It ends early at the end of the log, or where it would pass `bytes_max` bytes of data,
--- but holds at least one entry if there is one. Nil if `from` lies before the first entry. Raises
--- `log_damaged`.
---@param from integer
---@param to? integer default the last
---@param bytes_max? integer default no limit
---@return jangada.log.Entry[]|nil
function Log:entries(from, to, bytes_max)
  local now = self.now or known(self)
  local last = now.last
  if from < now.first then return nil end
  if not to or to > last then to = last end
  if from > to then return {} end
  bytes_max = bytes_max or math.maxinteger
  if from >= now.tail.first then
    return recall_range(now.tail, from, to, bytes_max)
  end
  return read(self, read_range, from, to, bytes_max)
end

--- Calls fn(context, index, term, type, data) for the entries from one index to another, both
--- inclusive, in order, or up to the last one; fn writes nothing to the log. It makes no table for
--- an entry that is in memory.
---@param from integer not before the first entry
---@param to integer
---@param fn fun(context: any, index: integer, term: integer, type: integer, data: string)
---@param context any
function Log:visit(from, to, fn, context)
  local now = self.now or known(self)
  local known_tail, index = now.tail, from
  local terms, types, held = known_tail.terms, known_tail.types, known_tail.data
  if to > now.last then to = now.last end
  while index <= to do
    local data = held[index]
    if data then
      fn(context, index, terms[index], types[index], data)
      index = index + 1
    else
      local page = self:entries(index, to, PAGE_BYTES)
      if not page or #page == 0 then return end -- fn has cut the log, against its contract
      for _, read_entry in ipairs(page) do
        fn(context, index, read_entry.term, read_entry.type, read_entry.data)
        index = index + 1
      end
    end
  end
end

--- Iterates: `for index, entry in log:each(from, to) do`. Reads some entries at a time and keeps no
--- transaction open in between, so the loop may yield, and may write to the log.
---@param from? integer default the first
---@param to? integer default the last at the time it gets there
---@return fun(): integer?, jangada.log.Entry?
function Log:each(from, to)
  local index = (from or self:first_index()) - 1
  local page, at = {}, 0
  return function()
    index, at = index + 1, at + 1
    if not page[at] then
      page, at = self:entries(index, to, PAGE_BYTES) or {}, 1
    end
    if page[at] then return index, page[at] end
    return nil
  end
end

return Log
