-- The words of a line, and the values that stand in them.
--
--     partition 1 2 | 3        # words are apart; | and > are words of their own; # ends the line
--     submit "two words"       a word with blanks in it is quoted, as in Lua: \" \\ \n
--     options machine=list election_timeout_ms=150..300 names=a,b
--
-- A value is true, false, a number, A..B (a list of two numbers), several with commas between (a
-- list), or a string.

local M = {}

local ESCAPES <const> = {n = "\n", t = "\t", r = "\r"}
local UNESCAPES <const> = {["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"',
  ["\\"] = "\\\\"}

-- Where the quoted part that begins at `at` ends; nil when it does not.
local function end_of_quote(line, at)
  local i = at + 1
  while i <= #line do
    local c = line:sub(i, i)
    if c == '"' then return i end
    i = i + (c == "\\" and 2 or 1)
  end
  return nil
end

-- The end of the word that begins at `at`.
local function end_of_word(line, at)
  if line:find("^[|>]", at) then return at end
  local i = at
  while i <= #line and not line:find("^[%s|>]", i) do
    if line:sub(i, i) == '"' then
      i = end_of_quote(line, i)
      if not i then return nil end
    end
    i = i + 1
  end
  return i - 1
end

---Splits a line into words. Quotes stay in them: `read_text` takes them off.
---@param line string
---@return string[]|nil words nil when a quote does not end
---@return string|nil why
function M.split(line)
  local words, at = {}, 1
  while true do
    at = line:find("%S", at)
    if not at or line:sub(at, at) == "#" then return words end
    local last = end_of_word(line, at)
    if not last then return nil, 'a quote (") does not end' end
    words[#words + 1] = line:sub(at, last)
    at = last + 1
  end
end

---The text of a word, without its quotes.
---@param word string
---@return string
function M.read_text(word)
  if not word:find('"', 1, true) then return word end
  local text, at = {}, 1
  while true do
    local first = word:find('"', at, true)
    if not first then break end
    local last = end_of_quote(word, first)
    text[#text + 1] = word:sub(at, first - 1)
    text[#text + 1] = word:sub(first + 1, last - 1):gsub("\\(.)", function(c)
      return ESCAPES[c] or c
    end)
    at = last + 1
  end
  return table.concat(text) .. word:sub(at)
end

---A word that reads as that text.
---@param text string
---@return string
function M.write_text(text)
  if text:find("^[^%s\"|>#][^%s\"|>]*$") then return text end
  return '"' .. text:gsub('[\n\t\r"\\]', UNESCAPES) .. '"'
end

local function read_scalar(word)
  if word == "true" or word == "false" then return word == "true" end
  return word:find("^%-?%.?%d") and tonumber(word) or M.read_text(word)
end

---The value that a word stands for.
---@param word string
---@return boolean|number|string|table
function M.read_value(word)
  local low, high = word:match("^(%-?[%d.]-)%.%.(%-?[%d.]+)$")
  low, high = tonumber(low), tonumber(high)
  if low and high then return {low, high} end
  if word:find(",", 1, true) and not word:find('"', 1, true) then
    local list = {}
    for part in word:gmatch("[^,]+") do list[#list + 1] = read_scalar(part) end
    return list
  end
  return read_scalar(word)
end

---A value as a person reads it: strings as words, lists with commas.
---@param value any
---@return string
function M.write_value(value)
  if type(value) == "string" then return M.write_text(value) end
  if math.type(value) == "float" then return ("%.14g"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local texts, is_list = {}, true
  for i, element in ipairs(value) do
    texts[i] = M.write_value(element)
    is_list = is_list and type(element) ~= "table"
  end
  if is_list and #texts > 0 and next(value, #texts) == nil then return table.concat(texts, ",") end
  return "{" .. M.write_fields(value) .. "}"
end

---A table as name=value, in the order of names.
---@param fields table
---@return string
function M.write_fields(fields)
  local names, texts = {}, {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for i, name in ipairs(names) do
    texts[i] = ("%s=%s"):format(tostring(name), M.write_value(fields[name]))
  end
  return table.concat(texts, " ")
end

---A time in ms.
---@param word string such as 500ms, 2s, 250us
---@return number|nil ms nil when it is none
function M.read_time(word)
  local number, unit = word:match("^(%d+%.?%d*)(%a+)$")
  local factor = ({us = 0.001, ms = 1, s = 1000, m = 60000})[unit]
  number = factor and tonumber(number)
  return number and number * factor
end

---A law of delay (jangada.lab.delays).
---@param word string 5ms, 1..10ms, exponential:1..20ms, long_tail:1..500ms
---@return table|nil law nil when it is none
function M.read_law(word)
  local numbers = word:match("^(.*)ms$")
  local kind, rest = (numbers or ""):match("^(%l[%l_]*):(.*)$")
  local value = numbers and M.read_value(rest or numbers)
  if type(value) == "number" then return {"constant", value} end
  if type(value) ~= "table" or #value ~= 2 then return nil end
  return {kind or "uniform", value[1], value[2]}
end

---The name that is most like a word, for who mistyped it.
---@param word string
---@param entries table<string, any>
---@return string|nil
function M.nearest(word, entries)
  local best, best_distance = nil, 3
  local names = {}
  for name in pairs(entries) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local previous = {}
    for j = 0, #name do previous[j] = j end
    for i = 1, #word do
      local row = {[0] = i}
      for j = 1, #name do
        local cost = word:byte(i) == name:byte(j) and 0 or 1
        row[j] = math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + cost)
      end
      previous = row
    end
    if previous[#name] < best_distance then best, best_distance = name, previous[#name] end
  end
  return best
end

return M
