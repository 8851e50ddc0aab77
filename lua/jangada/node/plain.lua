-- Plain data: what may cross from one node to another, stand in `node.state`, or be handed to a
-- protocol as options. nil, booleans, integers, floats but not NaN, strings, and tables of these:
-- without metatables, without circles, with booleans, numbers and strings as keys.
--
-- One walk both copies a value and digests it; it is what a world does most, so it is done in C
-- (csrc/plain.c). Only when it has met what is not plain is the value walked again, here, to name
-- the path to it.

local errors = require "jangada.errors"
local store = require "jangada.store"

local try_copy, try_digest = store.plain.copy, store.plain.digest

local M = {}

--- How deep tables may nest; deeper (or in a circle) is `not_plain`.
M.depth_max = 64

--- How many tables one value may hold; a value that shares its parts over and over can be
--- exponential in its own size, and copying would never end.
M.tables_max = 1 << 18

local DEPTH_MAX <const>, TABLES_MAX <const> = M.depth_max, M.tables_max

--- The copy of a message's body and its digest, as `copy` makes them; nil and nil when it is not
--- plain data, no table, or has no string `type`. Without the words for what is wrong, and without
--- a call in between: each message and each turn makes it.
M.try_copy_body = store.plain.copy_body

--- The digest of plain data; nil when it is none.
M.try_digest = try_digest

---Mixes two integers into one: every bit of both reaches every bit of the result. The finalizer is
---that of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA
---2014).
---@param a integer
---@param b integer
---@return integer
M.mix = store.plain.mix

---The hash of a string.
---@param s string
---@return integer 64 bits, the same in every process
M.hash_string = store.plain.hash_string

local is_key = {boolean = true, number = true, string = true}

local function step_to(key)
  if type(key) ~= "string" then return ("[%s]"):format(tostring(key)) end
  return key:find("^[%a_][%w_]*$") and "." .. key or ("[%q]"):format(key)
end

-- Where the first thing is that is not plain, and what it is; nil when the budget of tables is
-- used up before.
local function find_fault(value, path, depth, budget)
  local kind = type(value)
  if kind ~= "table" then
    if value ~= value then return path, "NaN" end
    if value ~= nil and not is_key[kind] then return path, "a " .. kind end
    return nil
  end
  budget.tables = budget.tables - 1
  if debug.getmetatable(value) then return path, "a table with a metatable" end
  if depth == DEPTH_MAX then
    return path, ("nested deeper than %d tables, or in a circle"):format(DEPTH_MAX)
  end
  for k, v in next, value do
    if budget.tables < 0 then return nil end
    if not is_key[type(k)] then return path, ("a table with a %s as key"):format(type(k)) end
    local where, what = find_fault(v, path .. step_to(k), depth + 1, budget)
    if where then return where, what end
  end
end

local function refuse(value, name)
  local where, what = find_fault(value, name, 0, {tables = TABLES_MAX})
  if not where then
    errors.raise("not_plain", "%s holds more than %d tables", name, TABLES_MAX)
  end
  errors.raise("not_plain", "%s is %s; only plain data crosses between nodes", where, what)
end

---Copies plain data and digests it.
---@param value any plain data
---@param name string what it is called in the error, such as `body`
---@return any copy shares no table with the original
---@return integer digest 64 bits, the same in every process
---Raises `not_plain` with the path to what is not, as in `body.entries[3].data`.
function M.copy(value, name)
  local copy, digest = try_copy(value)
  if not digest then refuse(value, name) end
  return copy, digest
end

---Digests plain data.
---@param value any plain data
---@param name string what it is called in the error, such as `state`
---@return integer digest 64 bits, the same in every process
---Raises `not_plain`.
function M.digest(value, name)
  return try_digest(value) or refuse(value, name)
end

---Copies what is known to be plain.
---@param value any plain data
---@return any copy
M.clone = store.plain.clone

---The share of one field in the digest of its table: adding it to the table's digest gives the
---digest of the table with that field.
---@param key string|number|boolean
---@param value any plain data
---@return integer|nil digest nil when it is not plain
M.digest_field = store.plain.digest_field

return M
