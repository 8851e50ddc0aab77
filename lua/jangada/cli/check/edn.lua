--- Reads EDN, Clojure's notation, as far as histories use it: maps, vectors, lists, sets, keywords,
-- strings, numbers, nil, true and false, comments, and tags, which are passed over.
--
-- A keyword is the string of its name (`:ok` is "ok"), a map is a table, a vector, a list or a set
-- an array; nil in an array is `check.null`.

local check = require "jangada.check"
local errors = require "jangada.errors"

local edn = {}

local DEPTH_MAX <const> = 32

-- What no symbol and no number holds.
local DELIMITER <const> = '[%s,%(%)%[%]{}"\\;]'

local CLOSING <const> = { ["("] = ")", ["["] = "]", ["{"] = "}" }
local ESCAPES <const> = { n = "\n", t = "\t", r = "\r", ['"'] = '"', ["\\"] = "\\" }

local function line_of(self, at)
  local line = self.line
  for _ in self.text:sub(self.counted, at - 1):gmatch("\n") do line = line + 1 end
  self.line, self.counted = line, at
  return line
end

local function fail(self, format, ...)
  errors.raise("history_invalid", "line %d: %s", line_of(self, self.at), format:format(...))
end

-- To the next character that means something; gives it, nil at the end.
local function skip(self)
  while true do
    self.at = self.text:find("[^%s,]", self.at) or #self.text + 1
    local c = self.text:sub(self.at, self.at)
    if c ~= ";" then return c ~= "" and c or nil end
    self.at = self.text:find("\n", self.at, true) or #self.text + 1
  end
end

local function read_string(self)
  local parts, at = {}, self.at + 1
  while true do
    local stop = self.text:find('["\\]', at)
    if not stop then fail(self, "a string does not end") end
    parts[#parts + 1] = self.text:sub(at, stop - 1)
    if self.text:sub(stop, stop) == '"' then
      self.at = stop + 1
      return table.concat(parts)
    end
    local escape = self.text:sub(stop + 1, stop + 1)
    local digits = escape == "u" and self.text:match("^%x%x%x%x", stop + 2)
    if not ESCAPES[escape] and not digits then fail(self, "no such escape: \\%s", escape) end
    parts[#parts + 1] = ESCAPES[escape] or utf8.char(tonumber(digits, 16))
    at = stop + (digits and 6 or 2)
  end
end

local WORDS <const> = { ["true"] = true, ["false"] = false }

local function read_atom(self)
  local stop = self.text:find(DELIMITER, self.at) or #self.text + 1
  local word = self.text:sub(self.at, stop - 1)
  if word == "" then fail(self, "'%s' does not belong here", self.text:sub(self.at, self.at)) end
  self.at = stop
  if word == "nil" then return nil end
  if WORDS[word] ~= nil then return WORDS[word] end
  if word:sub(1, 1) == ":" then return word:sub(2) end
  if word:find("^[+-]?%d") then
    local text = word:gsub("[NM]$", "")
    local number = tonumber(text)
    if not number or not text:find("[.eE]") and math.type(number) ~= "integer" then
      fail(self, "%s is no number that can be kept", word)
    end
    return number
  end
  return word
end

local read

local function read_items(self, close, depth)
  local items, count = {}, 0
  self.at = self.at + 1
  while true do
    local c = skip(self)
    if c == close then
      self.at = self.at + 1
      return items, count
    elseif not c then
      fail(self, "'%s' is missing at the end", close)
    end
    count = count + 1
    local value = read(self, depth + 1)
    items[count] = value == nil and check.null or value
  end
end

local function read_map(self, depth)
  local items, count = read_items(self, "}", depth)
  if count % 2 == 1 then fail(self, "a map has a key without a value") end
  local map = {}
  for i = 1, count, 2 do
    if items[i + 1] ~= check.null then map[items[i]] = items[i + 1] end
  end
  return map
end

function read(self, depth)
  if depth > DEPTH_MAX then fail(self, "too deep") end
  local c = skip(self)
  if not c then fail(self, "a value is missing at the end") end
  if c == '"' then return read_string(self) end
  if c == "{" then return read_map(self, depth) end
  if CLOSING[c] then return (read_items(self, CLOSING[c], depth)) end
  if c ~= "#" then return read_atom(self) end
  if self.text:sub(self.at + 1, self.at + 1) == "{" then
    self.at = self.at + 1
    return (read_items(self, "}", depth))
  end
  local stop = self.text:find(DELIMITER, self.at) or #self.text + 1
  self.at = stop -- a tag: what is behind it is read as it stands
  return read(self, depth)
end

--- The maps of a text, whether they stand one after another or in one vector or list.
---@param text string
---@return table[] each with the number of its line as `line`
---Raises `history_invalid`, naming the line.
function edn.maps(text)
  local self = { text = text, at = 1, line = 1, counted = 1 }
  local maps, close = {}, nil
  while true do
    local c = skip(self)
    if not c then
      if close then fail(self, "'%s' is missing at the end", close) end
      return maps
    elseif c == close then
      close, self.at = nil, self.at + 1
    elseif (c == "[" or c == "(") and not close then
      close, self.at = CLOSING[c], self.at + 1
    else
      local line = line_of(self, self.at)
      local map = read(self, 1)
      if type(map) ~= "table" then
        errors.raise("history_invalid", "line %d: an event is a map, not %s", line, tostring(map))
      end
      map.line = line
      maps[#maps + 1] = map
    end
  end
end

return edn
