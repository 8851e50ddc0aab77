-- What code holds in its memory, as one number: the tables, closures and variables that can be
-- reached from some values. Two nodes of one protocol with the same digest do the same from here
-- on, whatever has brought them there.
--
-- A walk goes through tables in the order of their keys and into the variables of functions, and
-- numbers what it meets: so circles end, and what is shared differs from what is equal. A function
-- is known by where it stands in the source. What must not be walked into (the world, what a node
-- is given) is a leaf: it has a name, or a walk of its own. Of a table whose metatable has a
-- function `remembers` only what that returns is looked at: the rest is of one turn.
--
-- Of what has no inside to look at (a coroutine that has not ended), or no order (keys that are
-- tables), nobody knows what it will do: the digest is then one that no other state has.

local environment = require "jangada.node.environment"
local plain = require "jangada.node.plain"

local getinfo, getupvalue = debug.getinfo, debug.getupvalue
local mix, hash_string, try_digest = plain.mix, plain.hash_string, plain.try_digest

local M = {}

-- What each environment of a protocol has: not looked at again.
local STANDARD <const> = {require = true}
for name in next, (environment.new(function() end, function() end)) do STANDARD[name] = true end

local uniques = 0
local c_functions = setmetatable({}, {__mode = "k"}) -- function -> number, in this process
local c_count = 0

---@class jangada.lab.Memory
---@field value integer the digest so far
---@field leaves table<any, integer|fun(memory: jangada.lab.Memory, value: any)> by value, or by the
---name of its metatable: what stands for it, or what folds its inside
---@field clock_us integer now, for timers

local Memory = {}
Memory.__index = Memory

---Takes an integer into the digest.
---@param n integer
function Memory:fold(n)
  self.value = mix(self.value, n)
end

local function fold_unique(self)
  uniques = uniques + 1
  self:fold(uniques)
  self:fold(0x756E69717565)
end

local RANKS <const> = {boolean = 1, number = 2, string = 3}

local function is_before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return RANKS[x] < RANKS[y] end
  if x == "boolean" then return not a and b end
  return a < b
end

-- The keys of a table in order, behind its first `n`; and those that have none.
local function keys_of(t, n, is_environment)
  local keys, objects, kind = {}, nil, nil
  for key in next, t do
    local its_kind = type(key)
    if not RANKS[its_kind] then
      objects = objects or {}
      objects[#objects + 1] = key
    elseif not (is_environment and STANDARD[key])
      and not (math.type(key) == "integer" and key >= 1 and key <= n) then
      keys[#keys + 1] = key
      if kind ~= its_kind then kind = kind and "mixed" or its_kind end
    end
  end
  if kind == "mixed" or kind == "boolean" then
    table.sort(keys, is_before)
  elseif kind then
    table.sort(keys)
  end
  return keys, objects
end

local function fold_objects(self, t, objects)
  local seen = self.seen
  for _, key in ipairs(objects) do
    if #objects > 1 and not seen[key] then return fold_unique(self) end
  end
  if #objects > 1 then table.sort(objects, function(a, b) return seen[a] < seen[b] end) end
  for _, key in ipairs(objects) do
    self:walk(key)
    self:walk(rawget(t, key))
  end
end

local function fold_table(self, t, meta)
  local n = rawlen(t)
  self:fold(n)
  for i = 1, n do self:walk(rawget(t, i)) end
  local keys, objects = keys_of(t, n, rawget(t, "_G") == t)
  for i = 1, #keys do
    self:walk(keys[i])
    self:walk(rawget(t, keys[i]))
  end
  if objects then fold_objects(self, t, objects) end
  if meta then self:walk(meta) end
end

-- Of the library's own functions none keeps anything between turns but in tables that a protocol
-- holds, too.
local OWN <const> = {"jangada/node/", "jangada/log", "jangada/errors"}

-- What stands for a source and a line in it; false of the library's own.
local places = setmetatable({}, {__index = function(places, source)
  local lines = setmetatable({}, {__index = function(lines, line)
    lines[line] = hash_string(("%s:%d"):format(source, line))
    return lines[line]
  end})
  for _, own in ipairs(OWN) do
    if source:find(own, 1, true) then lines = false end
  end
  places[source] = lines
  return lines
end})

local function fold_function(self, fn)
  local info = getinfo(fn, "S")
  if info.what == "C" then
    if not c_functions[fn] then
      c_count = c_count + 1
      c_functions[fn] = c_count
    end
    return self:fold(c_functions[fn])
  end
  local lines = places[info.source]
  if not lines then return self:fold(info.linedefined) end
  self:fold(lines[info.linedefined] + info.lastlinedefined)
  local i = 1
  while true do
    local name, value = getupvalue(fn, i)
    if not name then return end
    self:walk(value)
    i = i + 1
  end
end

local OBJECTS <const> = {table = true, ["function"] = true, userdata = true, thread = true}

---Takes a value into the digest, with all that can be reached from it.
---@param value any
function Memory:walk(value)
  local kind = type(value)
  if not OBJECTS[kind] then
    self.value = mix(self.value, try_digest(value) or 0) -- NaN is not plain
    return
  end
  local number = self.seen[value]
  if number then return self:fold(mix(number, 0x7365656E)) end
  self.count = self.count + 1
  self.seen[value] = self.count
  local meta = debug.getmetatable(value)
  local name = meta and rawget(meta, "__name")
  local leaf = self.leaves[value] or name and self.leaves[name]
  if leaf then
    if type(leaf) == "function" then leaf(self, value) else self:fold(leaf) end
  elseif kind == "table" and meta and rawget(meta, "remembers") then
    self:walk(rawget(meta, "remembers")(value))
  elseif kind == "table" then
    fold_table(self, value, meta)
  elseif kind == "function" then
    fold_function(self, value)
  elseif kind == "userdata" then
    self:fold(hash_string(name or "userdata"))
  elseif coroutine.status(value) == "dead" then
    self:fold(8)
  else
    fold_unique(self)
  end
end

-- What a node is given stands for nothing; what a protocol has put there beside it does.
local GIVEN <const> = {id = 1, peers = 1, options = 1, db = 1, on = 1, send = 1, broadcast = 1,
  reply = 1, after = 1, every = 1, now = 1, random = 1, maybe = 1, trace = 1, committed = 1,
  reached = 1}

local function fold_node(self, node)
  local names = {}
  for name in next, node do
    if not GIVEN[name] then names[#names + 1] = name end
  end
  table.sort(names, is_before)
  for _, name in ipairs(names) do
    self:walk(name)
    self:walk(rawget(node, name))
  end
end

local function fold_timer(self, timer)
  self:fold(timer._due_us and timer._due_us - self.clock_us or -1)
  self:fold(timer._period_us or -1)
  self:walk(timer._fn)
end

---The leaves of any world: what nodes are given, the lab's own, the modules of this process.
---@return table
function M.leaves()
  local leaves = {
    ["jangada.Node"] = fold_node, ["jangada.Timer"] = fold_timer, ["jangada.node.DB"] = 1,
    ["jangada.World"] = 2, ["jangada.lab.Client"] = 3, [_G] = 4,
  }
  for _, module in pairs(package.loaded) do
    if type(module) == "table" or type(module) == "function" then leaves[module] = 5 end
  end
  return leaves
end

---Begins a digest.
---@param leaves table see above
---@param clock_us integer now
---@return jangada.lab.Memory
function M.new(leaves, clock_us)
  return setmetatable({value = 0x6D656D6F7279, leaves = leaves, seen = {}, count = 0,
    clock_us = clock_us}, Memory)
end

return M
