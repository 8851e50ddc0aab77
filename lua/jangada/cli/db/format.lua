--- How keys and values are written and read: `--format`; and names of buckets, always as text.
--
--     text           printable characters as they are, all else escaped: \n \r \t \\ \xHH. In a
--                    UTF-8 locale those past ASCII too. A space at either end is \x20
--     ascii-encoded  the same, and everything past ASCII is \xHH
--     hex            two digits a byte
--     bytes          as they are: for files and pipes, not for a terminal
--
-- What the first three write they read back, byte for byte. Reading text also takes \HH, which is
-- what mdb_dump -p writes. A bucket in another is a path, `a/b`; a slash in a name is \/ in text.

local errors = require "jangada.errors"
local printable = require "jangada.cli.printable"

local format = {}

--- The names of the formats; the first is the default.
format.names = { "text", "ascii-encoded", "hex", "bytes" }

---------------------------------------------------------------------------------------------------
-- Text

local ESCAPES <const> = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local MEANINGS <const> = { ["\\"] = "\\", ["/"] = "/", n = "\n", r = "\r", t = "\t" }

local function escape_byte(c)
  return ESCAPES[c] or ("\\x%02x"):format(c:byte())
end

local function escape_bytes(bytes)
  return (bytes:gsub("[^ -~]", escape_byte))
end

-- Text in UTF-8, in which some bytes may be none.
local function escape_utf8(bytes)
  local parts, at = {}, 1
  while at <= #bytes do
    local _, bad = utf8.len(bytes, at)
    local valid = bytes:sub(at, bad and bad - 1)
    parts[#parts + 1] = valid:gsub(utf8.charpattern, function(character)
      return not printable.is_printable(utf8.codepoint(character)) and escape_bytes(character)
        or nil
    end)
    if not bad then break end
    parts[#parts + 1] = escape_bytes(bytes:sub(bad, bad))
    at = bad + 1
  end
  return table.concat(parts)
end

local function encode_text(bytes, is_utf8)
  if bytes:find("[^!-~]") or bytes:find("\\", 1, true) then
    local is_ascii = not is_utf8 or not bytes:find("[\x80-\xff]")
    bytes = bytes:gsub("\\", "\\\\")
    bytes = is_ascii and escape_bytes(bytes) or escape_utf8(bytes)
    bytes = bytes:gsub("^ ", "\\x20"):gsub(" $", "\\x20")
  end
  return bytes
end

local function decode_text(text)
  if not text:find("\\", 1, true) then return text end
  local parts, at = {}, 1
  while true do
    local slash = text:find("\\", at, true)
    parts[#parts + 1] = text:sub(at, slash and slash - 1)
    if not slash then return table.concat(parts) end
    local digits = text:match("^x(%x%x)", slash + 1) or text:match("^%x%x", slash + 1)
    local meaning = MEANINGS[text:sub(slash + 1, slash + 1)]
    if meaning then
      at = slash + 2
    elseif digits then
      meaning = string.char(tonumber(digits, 16))
      at = slash + (text:sub(slash + 1, slash + 1) == "x" and 4 or 3)
    else
      errors.raise("input_invalid", "'%s' is no escape in '%s': there are \\\\ \\n \\r \\t \\/ and "
        .. "\\xHH", text:sub(slash, slash + 1), text)
    end
    parts[#parts + 1] = meaning
  end
end

---------------------------------------------------------------------------------------------------
-- Hexadecimal

local function encode_hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function decode_hex(text)
  local digits = text:gsub("%s+", "")
  local bad = digits:match("%X")
  if bad then errors.raise("input_invalid", "'%s' is no hexadecimal digit in '%s'", bad, text) end
  if #digits % 2 == 1 then
    errors.raise("input_invalid", "'%s' has an odd number of hexadecimal digits", text)
  end
  return (digits:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

---------------------------------------------------------------------------------------------------
-- The formats

local function as_is(bytes)
  return bytes
end

---@class jangada.cli.Format
---@field name string
---@field encode fun(bytes: string): string
---@field decode fun(text: string): string raises `input_invalid`

--- The format of a name.
---@param name string one of `format.names`
---@return jangada.cli.Format
function format.named(name)
  if name == "hex" then return { name = name, encode = encode_hex, decode = decode_hex } end
  if name == "bytes" then return { name = name, encode = as_is, decode = as_is } end
  local is_utf8 = name == "text" and printable.is_utf8()
  return {
    name = name,
    decode = decode_text,
    encode = function(bytes) return encode_text(bytes, is_utf8) end,
  }
end

--- Writes a key: an integer as its digits, whatever the format.
---@param form jangada.cli.Format
---@param key string|integer
---@return string
function format.encode_key(form, key)
  return math.type(key) == "integer" and tostring(key) or form.encode(key)
end

--- Reads a key.
---@param form jangada.cli.Format
---@param text string
---@param is_integer boolean of a bucket of integer keys
---@return string|integer
---Raises `input_invalid`.
function format.decode_key(form, text, is_integer)
  if not is_integer then return form.decode(text) end
  local key = text:find("^%d+$") and math.tointeger(tonumber(text))
  if not key then
    errors.raise("input_invalid", "the bucket's keys are integers from 0 to 2^63-1, which '%s' is "
      .. "not", text)
  end
  return key
end

--- Writes a path of names: always as text, which can tell every name.
---@param names string[]
---@param form? jangada.cli.Format ascii-encoded: in ASCII whatever the locale
---@return string
function format.encode_path(names, form)
  local encode = format.named(form and form.name == "ascii-encoded" and form.name or "text").encode
  local parts = {}
  for i, name in ipairs(names) do parts[i] = encode(name):gsub("/", "\\/") end
  return table.concat(parts, "/")
end

-- Splits at the slashes before which there is no backslash that escapes them.
local function split(text)
  local parts, start, at = {}, 1, 1
  while at <= #text do
    local c = text:sub(at, at)
    if c == "/" then
      parts[#parts + 1] = text:sub(start, at - 1)
      start = at + 1
    end
    at = at + (c == "\\" and 2 or 1)
  end
  parts[#parts + 1] = text:sub(start)
  return parts
end

--- Reads a path of names, which is text whatever the format.
---@param text string
---@return string[] names
---Raises `input_invalid`, also for a name of no bytes.
function format.decode_path(text)
  local names = split(text)
  for i, name in ipairs(names) do
    names[i] = decode_text(name)
    if names[i] == "" then
      errors.raise("input_invalid", "a name is empty in the path '%s': it is written a/b/c", text)
    end
  end
  return names
end

return format
