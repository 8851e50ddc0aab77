-- Plain data as Lua: a value is written so that reading it gives the value again, the same in every
-- process (names in order), in lines of a width that can be read.

local M = {}

local COLUMNS <const> = 96
local FIRST <const> = {at_ms = 1, kind = 2, from = 3, to = 4, node = 5} -- before all other names
local LAST <const> = {for_ms = true}
local RESERVED <const> = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch("%a+") do RESERVED[word] = true end

local of

local function of_number(x)
  if math.type(x) == "integer" then
    return x == math.mininteger and "math.mininteger" or ("%d"):format(x)
  end
  if x ~= x then return "0/0" end
  if x == math.huge then return "1/0" end
  if x == -math.huge then return "-1/0" end
  local text = ("%.14g"):format(x)
  if tonumber(text) ~= x then text = ("%.17g"):format(x) end
  return text:find("[%.eE]") and text or text .. ".0"
end

-- A text of several lines is a long string, if it is one without a change.
local function of_string(s)
  if not s:find("\n", 1, true) or s:find("[\r\0]") then
    return (("%q"):format(s):gsub("\\\n", "\\n"):gsub("\r", "\\r"))
  end
  local level = ""
  while s:find("]" .. level .. "]", 1, true) or s:sub(-1 - #level) == "]" .. level do
    level = level .. "="
  end
  return ("[%s[\n%s]%s]"):format(level, s, level)
end

local RANKS <const> = {number = 1, string = 2, boolean = 3}

local function is_before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return RANKS[x] < RANKS[y] end
  if x == "boolean" then return a and not b end
  if x == "number" then return a < b end
  if LAST[a] ~= LAST[b] then return LAST[b] == true end
  local i, j = FIRST[a] or 9, FIRST[b] or 9
  if i ~= j then return i < j end
  return a < b
end

local function name_of(key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") and not RESERVED[key] then return key end
  return "[" .. of(key, "") .. "]"
end

local function of_table(value, indent)
  local keys, items, count = {}, {}, #value
  local inner = indent .. "  "
  for i = 1, count do items[i] = of(value[i], inner) end
  for key in pairs(value) do
    local is_item = math.type(key) == "integer" and key >= 1 and key <= count
    if not is_item then keys[#keys + 1] = key end
  end
  table.sort(keys, is_before)
  for _, key in ipairs(keys) do
    items[#items + 1] = name_of(key) .. " = " .. of(value[key], inner)
  end
  if #items == 0 then return "{}" end
  local line = "{ " .. table.concat(items, ", ") .. " }"
  if not line:find("\n", 1, true) and #indent + #line <= COLUMNS then return line end
  return "{\n" .. inner .. table.concat(items, ",\n" .. inner) .. ",\n" .. indent .. "}"
end

function of(value, indent)
  local kind = type(value)
  if kind == "number" then return of_number(value) end
  if kind == "string" then return of_string(value) end
  if kind == "table" then return of_table(value, indent) end
  return tostring(value)
end

---Writes a value of plain data.
---@param value any nil, booleans, numbers, strings and tables of these, without a circle
---@param indent? string what the line begins with
---@return string
function M.of(value, indent)
  return of(value, indent or "")
end

---Whether a value can be written: it is plain data.
---@param value any
---@return boolean
function M.is_plain(value, depth)
  local kind = type(value)
  if kind ~= "table" then return kind ~= "function" and kind ~= "userdata" and kind ~= "thread" end
  if getmetatable(value) ~= nil or (depth or 0) > 50 then return false end
  for key, element in next, value do
    if type(key) == "table" or not M.is_plain(key) or not M.is_plain(element, (depth or 0) + 1) then
      return false
    end
  end
  return true
end

return M
