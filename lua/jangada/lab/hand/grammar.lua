-- What may stand in a line: patterns, and how words are read by them.
--
--     NODES > NODES LAW        words in capitals are of a type; others stand for themselves
--     [NODES]                  may be left out
--
-- Whoever is asked what is right says so from the same pattern: what a reading expected where it
-- could not go on is the message of an error, and what a line can be completed with.

local delays = require "jangada.lab.delays"
local words = require "jangada.lab.hand.words"

local M = {}

---What the words of a line are read in.
---@class jangada.lab.Scope
---@field nodes integer how many there are
---@field names table<string, boolean> that nodes were given

---@class jangada.lab.Reading
---@field words string[]
---@field i integer the next word
---@field scope jangada.lab.Scope
---@field farthest integer the word at which something was last expected
---@field expected string[] what, there: types, and words that stand for themselves

---@param list string[]
---@param first integer the first word to be read
---@param scope jangada.lab.Scope
---@return jangada.lab.Reading
function M.reading(list, first, scope)
  return {words = list, i = first, scope = scope, farthest = first, expected = {}}
end

local function expect(reading, what)
  if reading.i > reading.farthest then reading.farthest, reading.expected = reading.i, {} end
  table.insert(reading.expected, what)
end

---------------------------------------------------------------------------------------------------
-- Types

---@class jangada.lab.WordType
---@field what fun(scope: jangada.lab.Scope): string what would be right
---@field of nil|fun(word: string, scope: jangada.lab.Scope): any the value of one word, or nil
---@field read nil|fun(reading: jangada.lab.Reading): any of several
---@field words nil|fun(scope: jangada.lab.Scope): string[] to complete a line with

---@type table<string, jangada.lab.WordType>
local types = {}
M.types = types

local function is_node(word, scope)
  local number = math.tointeger(tonumber(word:match("^n?([1-9]%d*)$")))
  if number then return number <= scope.nodes end
  return word == "leader" or word:find("^follower%d*$") ~= nil or scope.names[word] == true
    or word:find("^c%d+$") ~= nil
end

types.NODE = {
  what = function(scope)
    local names = {}
    for name in pairs(scope.names) do names[#names + 1] = name end
    table.sort(names)
    table.insert(names, 1, "leader, follower")
    return ("a node (1 to %d, n1 to n%d, %s)"):format(scope.nodes, scope.nodes,
      table.concat(names, ", "))
  end,
  of = function(word, scope) return is_node(word, scope) and word or nil end,
  words = function(scope)
    local list = {"leader", "follower"}
    for name in pairs(scope.names) do list[#list + 1] = name end
    for i = 1, scope.nodes do list[#list + 1] = tostring(i) end
    table.sort(list)
    return list
  end,
}

local read_nodes

-- One or more nodes, or {all = true} for *, with those that are left out as `but`.
types.NODES = {
  what = function(scope)
    return types.NODE.what(scope) .. ", several of these, * for all, or * but 1"
  end,
  words = function(scope)
    local list = types.NODE.words(scope)
    list[#list + 1] = "*"
    return list
  end,
  read = function(reading)
    local list = reading.words
    if list[reading.i] ~= "*" then return read_nodes(reading) end
    reading.i = reading.i + 1
    expect(reading, "but")
    if list[reading.i] ~= "but" then return {all = true} end
    reading.i = reading.i + 1
    expect(reading, "NODE")
    local but = read_nodes(reading)
    return but and {all = true, but = but}
  end,
}

function read_nodes(reading)
  local list = {}
  while true do
    local word = reading.words[reading.i]
    if not word or not is_node(word, reading.scope) then break end
    list[#list + 1] = word
    reading.i = reading.i + 1
    expect(reading, "NODES")
  end
  return #list > 0 and list or nil
end

types.GROUPS = {
  what = function(scope)
    return ("groups of nodes with | between (1 2 | 3); here nodes are 1 to %d"):format(scope.nodes)
  end,
  words = function(scope)
    local list = types.NODE.words(scope)
    list[#list + 1] = "|"
    return list
  end,
  read = function(reading)
    local groups = {}
    repeat
      if #groups > 0 then reading.i = reading.i + 1 end
      expect(reading, "GROUPS")
      local group = read_nodes(reading)
      if not group then return nil end
      groups[#groups + 1] = group
    until reading.words[reading.i] ~= "|"
    return groups
  end,
}

local function simple(what, of)
  return {what = function() return what end, of = of}
end

types.RATE = simple("a rate from 0 to 1, such as 0.1", function(word)
  local rate = tonumber(word)
  return rate and rate >= 0 and rate <= 1 and rate or nil
end)

types.TIME = simple("a time, such as 500ms or 2s", function(word)
  local ms = words.read_time(word)
  return ms and ms <= 1e9 and ms or nil
end)

types.SHIFT = simple("a time forward, or back: 50ms, -2s", function(word)
  local ms = words.read_time((word:gsub("^%-", "")))
  return ms and ms <= 1e9 and (word:find("^%-") and -ms or ms) or nil
end)

types.SPEED = simple("how quickly, from 0x to 4x: 1x is right", function(word)
  local speed = tonumber(word:match("^([%d.]+)x$"))
  return speed and speed >= 0 and speed <= 4 and speed or nil
end)

types.LAW = simple("a delay: 5ms, 1..10ms, exponential:1..20ms or long_tail:1..500ms",
  function(word)
    local law = words.read_law(word)
    return law and pcall(delays.law, law, "it") and law or nil
  end)

types.COUNT = simple("a number: 0, 1, 2...", function(word)
  local count = math.tointeger(tonumber(word))
  return count and count >= 0 and count or nil
end)

types.SEED = simple("an integer", function(word) return math.tointeger(tonumber(word)) end)

-- One of some words.
local function choice(...)
  local list, known = {...}, {}
  for _, word in ipairs(list) do known[word] = true end
  return {
    what = function() return table.concat(list, " or ") end,
    words = function() return list end,
    of = function(word) return known[word] and word or nil end,
  }
end

types.DISK_CALL = choice("write", "flush")
types.DISK_ERROR = choice("EIO", "ENOSPC")
types.TAIL = choice("cut", "torn", "scribbled")

types.SWITCH = {
  what = function() return "on or off" end,
  words = function() return {"on", "off"} end,
  of = function(word) -- a value that is not false, since that is for what was left out
    return (word == "on" or word == "off") and {is_on = word == "on"} or nil
  end,
}

local RESERVED <const> = {leader = true, among = true, but = true, keep = true, cut = true,
  torn = true, scribbled = true}

types.NAME = simple("a name: letters, digits and _, and no node's own", function(word)
  local is_taken = word:find("^[nc]%d+$") or word:find("^follower%d*$") or RESERVED[word]
  return word:find("^%a[%w_]*$") and not is_taken and word or nil
end)

types.WORD = simple("a word", function(word) return words.read_text(word) end)

types.WORDS = {
  what = function() return "one word or several" end,
  read = function(reading)
    local list = {}
    for i = reading.i, #reading.words do list[#list + 1] = words.read_text(reading.words[i]) end
    reading.i = #reading.words + 1
    return #list > 0 and list or nil
  end,
}

types.FIELDS = {
  what = function() return "name=value, or several of these" end,
  read = function(reading)
    local fields, count = {}, 0
    while true do
      local name, value = (reading.words[reading.i] or ""):match("^([%a_][%w_]*)=(.+)$")
      if not name then break end
      fields[name], count = words.read_value(value), count + 1
      reading.i = reading.i + 1
      expect(reading, "FIELDS")
    end
    return count > 0 and fields or nil
  end,
}

local function read_type(reading, name)
  local kind, word = types[name], reading.words[reading.i]
  expect(reading, name)
  if kind.read then return kind.read(reading) end
  local value = word and kind.of(word, reading.scope)
  if value ~= nil then reading.i = reading.i + 1 end
  return value
end

-- A message on its way: {number=}, or {src=, dest=, type= if it is said}.
types.MESSAGE = {
  what = function()
    return "a message: its number (messages lists them), or n1 > n2, or n1 > n2 TYPE"
  end,
  words = function(scope) return types.NODE.words(scope) end,
  read = function(reading)
    local list, i = reading.words, reading.i
    local word = list[i]
    if list[i + 1] ~= ">" then
      local number = word and types.COUNT.of(word)
      if number then reading.i = i + 1 end
      if number then expect(reading, ">") end
      return number and {number = number}
    end
    if not is_node(word, reading.scope) then return nil end
    reading.i = i + 2
    local dest = read_type(reading, "NODE")
    if not dest then return nil end
    expect(reading, "WORD")
    local kind = list[reading.i]
    if kind then reading.i = reading.i + 1 end
    return {src = word, dest = dest, type = kind}
  end,
}

---------------------------------------------------------------------------------------------------
-- Patterns

local compiled = {}

-- A pattern as a list of elements: {type=}, {word=} or {optional=} with such a list.
local function compile(pattern)
  if compiled[pattern] then return compiled[pattern] end
  local list, at = {}, 1
  while at <= #pattern do
    local optional = pattern:match("^%s*(%b[])", at)
    local text = optional or pattern:match("^%s*(%S+)", at)
    local _, last = pattern:find(text, at, true)
    if optional then
      list[#list + 1] = {optional = compile(text:sub(2, -2))}
    else
      list[#list + 1] = types[text] and {type = text} or {word = text}
    end
    at = last + 1
  end
  compiled[pattern] = list
  return list
end

local function skip(elements, args)
  for _, element in ipairs(elements) do
    if element.type then args[#args + 1] = false end
  end
end

local function match(elements, reading, args)
  for _, element in ipairs(elements) do
    if element.optional then
      local before, n = reading.i, #args
      if not match(element.optional, reading, args) then
        if reading.i > before then return false end
        for i = #args, n + 1, -1 do args[i] = nil end
        skip(element.optional, args)
      end
    elseif element.word then
      expect(reading, element.word)
      if reading.words[reading.i] ~= element.word then return false end
      reading.i = reading.i + 1
    else
      local value = read_type(reading, element.type)
      if value == nil then return false end
      args[#args + 1] = value
    end
  end
  return true
end

---Reads words by a pattern.
---@param pattern string
---@param reading jangada.lab.Reading
---@return any[]|nil args of its types in order, false for what was left out; nil when it does not
---fit, and `reading` knows what was expected
function M.read(pattern, reading)
  local args = {}
  return match(compile(pattern), reading, args) and args or nil
end

-- The things expected, each once.
local function each_expected(reading)
  local list, seen = {}, {}
  for _, name in ipairs(reading.expected) do
    if not seen[name] then seen[name], list[#list + 1] = true, name end
  end
  return list
end

---Says why words could not be read, or what is too much.
---@param reading jangada.lab.Reading
---@return string
function M.explain(reading)
  local texts = {}
  for i, name in ipairs(each_expected(reading)) do
    texts[i] = types[name] and types[name].what(reading.scope) or name
  end
  local word = reading.words[reading.farthest]
  if reading.i > reading.farthest then word, texts = reading.words[reading.i], {} end
  local what = #texts > 0 and table.concat(texts, ", or ") or nil
  if not word then return ("there is something missing: %s"):format(what) end
  if not what then return ("%s is too much"):format(word) end
  return ("%s is not what can stand there: %s"):format(word, what)
end

---What the next word can be.
---@param reading jangada.lab.Reading which has come to the end of its words
---@return string[] candidates of which some only begin it
function M.candidates(reading)
  local list = {}
  for _, name in ipairs(each_expected(reading)) do
    local kind = types[name]
    for _, word in ipairs(not kind and {name} or kind.words and kind.words(reading.scope) or {}) do
      list[#list + 1] = word
    end
  end
  return list
end

---The entry of a table of verbs, or of expectations, whose name some words begin with: names have
---one word or two.
---@generic T
---@param entries table<string, T>
---@param list string[]
---@param first integer
---@return T|nil entry
---@return integer next the word behind the name
function M.find(entries, list, first)
  local one, two = list[first] or "", list[first + 1]
  local both = two and entries[one .. " " .. two]
  if both then return both, first + 2 end
  return entries[one], first + 1
end

return M
