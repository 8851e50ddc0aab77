--- What may be shown on a terminal: no character that steers it, hides, or turns the line around.

local printable = {}

-- Ranges of code points that are not shown: controls (C0, DEL, C1), format characters without a
-- shape of their own (soft hyphen, zero width, marks and overrides of direction, tags), line and
-- paragraph separators, private use, and what is no character.
local HIDDEN <const> = {
  { 0x0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x34f, 0x34f }, { 0x61c, 0x61c },
  { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f },
  { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xd800, 0xf8ff },
  { 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
  { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, math.maxinteger },
}

--- Whether a character can be shown as it is.
---@param code integer code point
---@return boolean
function printable.is_printable(code)
  if code >= 0x20 and code < 0x7f then return true end
  if code & 0xfffe == 0xfffe then return false end
  for _, range in ipairs(HIDDEN) do
    if code < range[1] then return true end
    if code <= range[2] then return false end
  end
  return true
end

--- Whether the locale says that the terminal shows UTF-8.
---@return boolean
function printable.is_utf8()
  for _, name in ipairs{ "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if value and value ~= "" then return value:lower():find("utf%-?8") ~= nil end
  end
  return false
end

return printable
