-- Orders that are the same in every process: `pairs` and `next` by sorted keys, `sort` with pivots
-- that do not come from the clock.
--
-- Keys are ordered numbers first, then strings, then false and true. Other keys (tables,
-- functions...) have no order but their addresses; a table that has one cannot be walked. `pairs`
-- collects and sorts the keys before the first step, so a walk may assign to any field: a field
-- that is gone when its turn comes is left out, a field that is new is not met. `next` looks for
-- the successor of a key each time: it is meant for `next(t) == nil`.

local errors = require "jangada.errors"

local M = {}

local rawget, type = rawget, type
local raw_next <const> = next
local raw_sort <const> = table.sort

local rank = {number = 1, string = 2, boolean = 3}

local function before(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a ~= kind_b then return rank[kind_a] < rank[kind_b] end
  if kind_a == "boolean" then return not a and b end
  return a < b
end

local function refuse(key)
  errors.raise("unordered_key",
    "a table with a %s as key cannot be walked: such keys have no order", type(key))
end

local function check_key(key)
  if not rank[type(key)] then refuse(key) end
end

local function sorted_keys(t)
  local keys, n, kind, ascending = {}, 0, nil, true
  for key in raw_next, t do
    local key_kind = type(key)
    if key_kind ~= kind then
      if not rank[key_kind] then refuse(key) end
      kind = kind == nil and key_kind or "mixed"
    end
    if ascending and n > 0 and (kind == "mixed" or kind == "boolean" or key < keys[n]) then
      ascending = false
    end
    n = n + 1
    keys[n] = key
  end
  if not ascending then
    if kind == "mixed" or kind == "boolean" then raw_sort(keys, before) else raw_sort(keys) end
  end
  return keys, n
end

---Like Lua's `pairs`, in the order of the keys. Honours `__pairs`.
---@param t table
---@return fun(): any, any
---Raises `unordered_key`.
function M.pairs(t)
  local meta = debug.getmetatable(t)
  local walk = meta and rawget(meta, "__pairs")
  if walk then
    local iterator, state, first = walk(t)
    return iterator, state, first
  end
  if type(t) ~= "table" then
    error(("bad argument #1 to 'for iterator' (table expected, got %s)"):format(type(t)), 2)
  end
  local keys, n = sorted_keys(t)
  local i = 0
  return function()
    while i < n do
      i = i + 1
      local key = keys[i]
      local value = rawget(t, key)
      if value ~= nil then return key, value end
    end
    return nil
  end, t, nil
end

---Like Lua's `next`, in the order of the keys; looks at every key of the table.
---@param t table
---@param key any nil for the first
---@return any key nil after the last
---@return any value
---Raises `unordered_key`.
function M.next(t, key)
  local found
  if key ~= nil then check_key(key) end
  for candidate in raw_next, t do
    check_key(candidate)
    if (key == nil or before(key, candidate)) and (found == nil or before(candidate, found)) then
      found = candidate
    end
  end
  if found == nil then return nil end
  return found, rawget(t, found)
end

-- Past this many elements Lua's own sort may take its pivots from the clock (RANLIMIT in
-- ltablib.c), which shows when elements compare equal.
local SORT_MAX <const> = 100

-- A merge sort from the bottom up: stable, and the same in every process.
local function merge_sort(list, n, less)
  local from, to, width = list, {}, 1
  while width < n do
    local low = 1
    while low <= n do
      local middle, high = low + width, math.min(low + 2 * width, n + 1)
      local left, right = low, middle
      for i = low, high - 1 do
        if left < middle and (right >= high or not less(from[right], from[left])) then
          to[i], left = from[left], left + 1
        else
          to[i], right = from[right], right + 1
        end
      end
      low = high
    end
    from, to, width = to, from, 2 * width
  end
  if from ~= list then table.move(from, 1, n, 1, list) end
end

---Like Lua's `table.sort`, with a result that depends on nothing but the list.
---@param list table
---@param less nil|fun(a: any, b: any): boolean
function M.sort(list, less)
  local n = #list
  if n <= SORT_MAX then return raw_sort(list, less) end
  merge_sort(list, n, less or function(a, b) return a < b end)
end

return M
