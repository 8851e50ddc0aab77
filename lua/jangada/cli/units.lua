--- Numbers as people read them.

local screens = require "jangada.cli.screen"

local units = {}

local NAMES <const> = { "KiB", "MiB", "GiB", "TiB", "PiB" }

--- 1234567 -> "1.2 MiB"; below 1,024 bytes exactly.
---@param bytes integer
---@return string
function units.size(bytes)
  if bytes < 1024 then return ("%d byte%s"):format(bytes, bytes == 1 and "" or "s") end
  local n, at = bytes / 1024, 1
  while n >= 1023.95 and at < #NAMES do n, at = n / 1024, at + 1 end
  local digits = ("%.1f"):format(n):gsub("%.0$", "")
  return ("%s %s"):format(digits, NAMES[at])
end

--- (1, "page") -> "1 page"; (1200, "page") -> "1,200 pages".
---@param n integer
---@param one string
---@param many? string default: `one` with an s
---@return string
function units.count(n, one, many)
  return ("%s %s"):format(screens.thousands(n), n == 1 and one or many or one .. "s")
end

return units
