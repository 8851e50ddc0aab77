--- How entries are read: from memory, if they are among the last ones, else from the file, a page
--- of them at a time, with their checksums.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local tail = require "jangada.log.tail"

local math_type = math.type
local ENTRY <const> = format.ENTRY_ALONE
local MASK <const> = tail.MASK
local PAGE_BYTES <const> = 64 * 1024 -- how much is read at a time

local reading = {}

local function check_range(what, from, to, bytes_max)
  if math_type(from) ~= "integer" then rules.check_index(what, from) end
  if to ~= nil and math_type(to) ~= "integer" then rules.check_index(what, to) end
  if bytes_max ~= nil then rules.check_count(what, bytes_max, 0) end
end

-- Entries from the file: how many, their terms, types and data, and what is wrong with the next
-- one, if that is why they end.
local function read_records(tx, self, from, to, bytes_max)
  local parent = loading.find_parent(tx, self)
  local bucket = parent and parent:bucket(self.name)
  if not bucket then
    errors.raise("log_damaged", "entry %d is missing from %s", from, self.name)
  end
  return bucket:records(ENTRY, from, to, bytes_max)
end

local function refuse(self, index, fault)
  errors.raise("log_damaged", "entry %d of %s %s", index, self.name, fault)
end

local function refuse_compacted(index, now)
  errors.raise("log_compacted", "entry %d was removed: the log begins with entry %d", index,
    now.first)
end

-- A page of them, for who goes through them one by one: the damaged one is met when it is reached.
local function read_page(self, from, to)
  local count, terms, types, data, fault = loading.read(self, read_records, from, to, PAGE_BYTES)
  if count == 0 then refuse(self, from, fault) end
  return count, terms, types, data
end

local function recall(known_tail, from, to, bytes_max)
  local terms, types, held = known_tail.terms, known_tail.types, known_tail.data
  local entries, bytes, n = {}, 0, 0
  for index = from, to do
    local slot = (index & MASK) + 1
    local data = held[slot]
    bytes = bytes + #data
    if bytes > bytes_max and n > 0 then break end
    n = n + 1
    entries[n] = { term = terms[slot], type = types[slot], data = data }
  end
  return entries
end

--- The entry at an index; nil if there is none. Raises `log_damaged`, naming the index, if the
--- stored bytes do not match their checksum.
---@param self jangada.Log
---@param index integer
---@return jangada.log.Entry|nil entry the caller's own
function reading.entry(self, index)
  local entries = reading.entries(self, index, index)
  return entries and entries[1]
end

--- The entries from one index to another, both inclusive, as an array that may be kept and
--- changed. It ends early at the end of the log, or where it would pass `bytes_max` bytes of data,
--- but holds at least one entry if there is one. Nil if `from` lies before the first entry. Raises
--- `log_damaged`.
---@param self jangada.Log
---@param from integer
---@param to? integer default the last
---@param bytes_max? integer default no limit
---@return jangada.log.Entry[]|nil
function reading.entries(self, from, to, bytes_max)
  local now = self.now or loading.known(self)
  check_range("entries", from, to, bytes_max)
  local last = now.last
  if from < now.first then return nil end
  if not to or to > last then to = last end
  if from > to then return {} end
  if from >= now.tail.first then
    return recall(now.tail, from, to, bytes_max or math.maxinteger)
  end
  local count, terms, types, data, fault = loading.read(self, read_records, from, to, bytes_max)
  if fault then refuse(self, from + count, fault) end
  local entries = {}
  for i = 1, count do
    entries[i] = { term = terms[i], type = types[i], data = data[i] }
  end
  return entries
end

--- Calls fn(context, index, term, type, data) for the entries from one index to another, both
--- inclusive, in order, or up to the last one; fn writes nothing to the log. It makes no table for
--- an entry.
---@param self jangada.Log
---@param from integer not before the first entry
---@param to integer|nil nil: the last one
---@param fn fun(context: any, index: integer, term: integer, type: integer, data: string)
---@param context any
function reading.visit(self, from, to, fn, context)
  local now = self.now or loading.known(self)
  check_range("visit", from, to)
  local known_tail, index = now.tail, from
  local terms, types, held = known_tail.terms, known_tail.types, known_tail.data
  if to == nil or to > now.last then to = now.last end
  if from < now.first and from <= to then refuse_compacted(from, now) end
  while index <= to do
    if index >= known_tail.first and index <= known_tail.last then
      local slot = (index & MASK) + 1
      fn(context, index, terms[slot], types[slot], held[slot])
      index = index + 1
    else
      now = self.now or loading.known(self)
      if index > now.last then return end -- fn has cut the log, against its contract
      if index < now.first then refuse_compacted(index, now) end
      local count, page_terms, page_types, page_data =
        read_page(self, index, math.min(to, now.last))
      for i = 1, count do
        fn(context, index, page_terms[i], page_types[i], page_data[i])
        index = index + 1
      end
    end
  end
end

-- The entries in memory from an index on, as read_page gives them.
local function recall_page(known_tail, from, to)
  local terms, types, data, count = {}, {}, {}, to - from + 1
  for i = 1, count do
    local slot = (from + i - 1 & MASK) + 1
    terms[i], types[i] = known_tail.terms[slot], known_tail.types[slot]
    data[i] = known_tail.data[slot]
  end
  return count, terms, types, data
end

--- Iterates: `for index, entry in log:each(from, to) do`. Reads some entries at a time and keeps no
--- transaction open in between, so the loop may yield, and may write to the log.
---@param self jangada.Log
---@param from? integer default the first; before the first, nothing
---@param to? integer default the last at the time it gets there
---@return fun(): integer?, jangada.log.Entry?
function reading.each(self, from, to)
  check_range("each", from or 0, to)
  local base = (from or loading.known(self).first) - 1 -- the index before the page
  local count, at, terms, types, data = 0, 0, nil, nil, nil
  local function turn_page()
    local now = self.now or loading.known(self)
    base = base + count
    local first, last = base + 1, to and to < now.last and to or now.last
    at, count = 1, 0
    if first < now.first or first > last then return end
    if first >= now.tail.first then
      count, terms, types, data = recall_page(now.tail, first, last)
    else
      count, terms, types, data = read_page(self, first, last)
    end
  end
  return function()
    local i = at + 1
    if i > count then
      turn_page()
      if count == 0 then return nil end
      i = 1
    end
    at = i
    return base + i, { term = terms[i], type = types[i], data = data[i] }
  end
end

return reading
