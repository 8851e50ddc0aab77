-- Plain data: what may cross from one node to another, stand in `node.state`, or be handed to a
-- protocol as options. nil, booleans, integers, floats but not NaN, strings, and tables of these:
-- without metatables, without circles, with booleans, numbers and strings as keys.
--
-- One walk both copies a value and digests it. The digest of a table is a sum over its fields of a
-- mixture of the hashes of key and value: addition commutes, so the order in which `next` meets the
-- fields, which differs from process to process, leaves no mark and nothing is sorted. The mixture is
-- not linear, so a nested table cannot be mistaken for its parts.

local errors = require "jangada.errors"
local store = require "jangada.store"

local crc32c = store.crc32c
local getmetatable, math_type, next, type = debug.getmetatable, math.type, next, type
local string_pack, string_unpack = string.pack, string.unpack

local M = {}

--- How deep tables may nest; deeper (or in a circle) is `not_plain`.
M.depth_max = 64

--- How many tables one value may hold; a value that shares its parts over and over can be
--- exponential in its own size, and copying would never end.
M.tables_max = 1 << 20

local SHORT_MAX <const> = 40      -- strings up to here are interned by Lua: hash them once
local CACHE_MAX <const> = 1 << 14 -- and keep no more of them than this

local TABLE <const> = 0x7461626C65737461   -- the digest of {}
local NIL <const> = 0x61C8864680B583EB
local STRING <const> = 0x1F83D9ABFB41BD6B
local FLOAT <const> = 0x510E527FADE682D1
local ODD <const> = 0x9E3779B97F4A7C15      -- odd constants spread one hash from another
local ODD_TOO <const> = 0xBF58476D1CE4E5B9

---Mixes two 64-bit integers into one: every bit of both reaches every bit of the result. The
---finalizer is that of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
---Generators, OOPSLA 2014).
---@param a integer
---@param b integer
---@return integer
local function mix(a, b)
  local z = a * 0x9E3779B97F4A7C15 + b
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9 + a
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end
M.mix = mix

-- Hashes of what is met over and over: short strings, booleans. Never of numbers.
local cache, cached

local function empty_cache()
  cache, cached = {[true] = 0x3C6EF372FE94F82B, [false] = 0x2545F4914F6CDD1D}, 0
end
empty_cache()

local function hash_string(s)
  local hash = cache[s]
  if hash then return hash end
  hash = mix(crc32c(s) + STRING, #s)
  if #s <= SHORT_MAX then
    if cached == CACHE_MAX then empty_cache() end
    cache[s], cached = hash, cached + 1
  end
  return hash
end
M.hash_string = hash_string

-- The hash of anything plain but a table, nil for anything else.
local function hash_scalar(v)
  if math_type(v) == "integer" then return v * ODD end
  if type(v) == "string" then return hash_string(v) end
  if type(v) == "boolean" then return cache[v] end
  if type(v) == "number" and v == v then
    return string_unpack("<i8", string_pack("<d", v)) * ODD + FLOAT
  end
end

-- The slow walk, taken only when the fast one met something it may not pass on: finds it again and
-- names the path to it.
local function find_fault(value, path, depth)
  local kind = type(value)
  if kind == "table" then
    if getmetatable(value) then return path, "a table with a metatable" end
    if depth == M.depth_max then
      return path, ("nested deeper than %d tables, or in a circle"):format(M.depth_max)
    end
    for k, v in next, value do
      if hash_scalar(k) == nil then return path, ("a table with a %s as key"):format(type(k)) end
      local step = type(k) == "string" and k:find("^[%a_][%w_]*$") and "." .. k
        or ("[%s]"):format(type(k) == "string" and ("%q"):format(k) or tostring(k))
      local where, what = find_fault(v, path .. step, depth + 1)
      if where then return where, what end
    end
  elseif kind ~= "nil" and hash_scalar(value) == nil then
    return path, kind == "number" and "NaN" or "a " .. kind
  end
end

local root, root_name, tables = nil, nil, 0 -- of the walk under way

local function refuse()
  local value, name = root, root_name
  root = nil
  if tables > M.tables_max then
    errors.raise("not_plain", "%s holds more than %d tables", name, M.tables_max)
  end
  local where, what = find_fault(value, name, 0)
  errors.raise("not_plain", "%s is %s; only plain data crosses between nodes", where, what)
end

-- Digests the table t, and fills `copy` with its fields unless that is nil. This is where a world
-- spends its time: what is common comes first, and the mixing stands in the loop.
local function walk(t, copy, depth)
  tables = tables + 1
  if depth >= M.depth_max or tables > M.tables_max or getmetatable(t) then refuse() end
  local sum = TABLE
  for k, v in next, t do
    local a = cache[k] or hash_scalar(k) or refuse()
    local b = cache[v]
    if not b then
      if math_type(v) == "integer" then
        b = v * ODD
      elseif type(v) == "table" then
        local inner = copy and {}
        b = walk(v, inner, depth + 1)
        v = inner
      else
        b = hash_scalar(v) or refuse()
      end
    end
    if copy then copy[k] = v end
    a = (a ~ b * ODD) * ODD_TOO + b
    a = (a ~ a >> 29) * ODD
    sum = sum + (a ~ a >> 32)
  end
  return sum
end

---Copies plain data and digests it.
---@param value any plain data
---@param name string what it is called in the error, such as `body`
---@return any copy shares no table with the original
---@return integer digest 64 bits, the same in every process
---Raises `not_plain` with the path to what is not, as in `body.entries[3].data`.
function M.copy(value, name)
  if type(value) ~= "table" then return value, M.digest(value, name) end
  root, root_name, tables = value, name, 0
  local copy = {}
  local digest = walk(value, copy, 0)
  root = nil
  return copy, digest
end

---Digests plain data.
---@param value any plain data
---@param name string what it is called in the error, such as `state`
---@return integer digest 64 bits, the same in every process
---Raises `not_plain`.
function M.digest(value, name)
  root, root_name, tables = value, name, 0
  local digest
  if type(value) == "table" then
    digest = walk(value, nil, 0)
  elseif value == nil then
    digest = NIL
  else
    digest = hash_scalar(value) or refuse()
  end
  root = nil
  return digest
end

---Copies what is known to be plain, without digesting it.
---@param value any plain data
---@return any copy
local function clone(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for k, v in next, value do
    if type(v) == "table" then v = clone(v) end
    copy[k] = v
  end
  return copy
end
M.clone = clone

---The share of one field in the digest of its table: adding it to the table's digest gives the
---digest of the table with that field.
---@param key string|number|boolean
---@param value string|number|boolean
---@return integer
function M.digest_field(key, value)
  return walk({[key] = value}, nil, 0) - TABLE
end

return M
