--- Cuts a stream of bytes into records, as they come: lines, or lengths and as many bytes.

local errors = require "jangada.errors"

local records = {}

---@class jangada.cli.Records
---@field size_max integer bytes of one record
---@field parts string[] read, and not yet a whole record
---@field waiting integer bytes of them
---@field count integer records so far
---@field fault jangada.Error|nil what is wrong with what comes next
local Records = {}
Records.__index = Records

local function new(size_max, class)
  return setmetatable({ size_max = size_max, parts = {}, waiting = 0, count = 0, fault = nil },
    class)
end

local function take_all(self)
  local text = table.concat(self.parts)
  self.parts, self.waiting = {}, 0
  return text
end

local function keep(self, text)
  if text ~= "" then
    self.parts[#self.parts + 1] = text
    self.waiting = self.waiting + #text
  end
end

-- Whether a record is within the limit; after one that is not, there is nothing to be had.
local function is_allowed(self, size)
  if size <= self.size_max then return true end
  self.fault = errors.new("input_invalid", ("record %d of standard input has %d bytes or more, "
    .. "over the limit of %d (--size-max)"):format(self.count + 1, size, self.size_max))
  return false
end

---------------------------------------------------------------------------------------------------
-- Lines

local Lines = setmetatable({}, { __index = Records })
Lines.__index = Lines

--- Cuts at newlines, which are no part of a line.
---@param size_max integer
---@return jangada.cli.Records
function records.lines(size_max)
  return new(size_max, Lines)
end

--- The lines that are whole with these bytes.
---@param bytes string
---@return string[]
function Lines:feed(bytes)
  local lines, at = {}, 1
  local newline = bytes:find("\n", 1, true)
  while newline do
    local line = bytes:sub(at, newline - 1)
    if self.waiting > 0 then
      keep(self, line)
      line = take_all(self)
    end
    if not is_allowed(self, #line) then return lines end
    self.count = self.count + 1
    lines[#lines + 1] = line
    at = newline + 1
    newline = bytes:find("\n", at, true)
  end
  keep(self, bytes:sub(at))
  is_allowed(self, self.waiting)
  return lines
end

--- A last line without a newline is a line.
---@return string[]
function Lines:finish()
  return self.waiting > 0 and { take_all(self) } or {}
end

---------------------------------------------------------------------------------------------------
-- Lengths

local Lengths = setmetatable({}, { __index = Records })
Lengths.__index = Lengths

--- Cuts records that begin with their length: 4 bytes, big-endian.
---@param size_max integer
---@return jangada.cli.Records
function records.lengths(size_max)
  return new(size_max, Lengths)
end

--- The records that are whole with these bytes.
---@param bytes string
---@return string[]
function Lengths:feed(bytes)
  keep(self, bytes)
  local found = {}
  if self.waiting < (self.needed or 4) then return found end
  local text, at = take_all(self), 1
  self.needed = 4
  while #text - at + 1 >= 4 do
    local size = string.unpack(">I4", text, at)
    if not is_allowed(self, size) then return found end
    if #text - at + 1 < 4 + size then
      self.needed = 4 + size
      break
    end
    self.count = self.count + 1
    found[#found + 1] = text:sub(at + 4, at + 3 + size)
    at = at + 4 + size
  end
  keep(self, text:sub(at))
  return found
end

--- The input must not end within a record.
---@return string[]
function Lengths:finish()
  if self.waiting > 0 then
    self.fault = errors.new("input_invalid", ("standard input ends within record %d: %d of its %s "
      .. "bytes are there"):format(self.count + 1, self.waiting,
      self.waiting < 4 and "first 4" or self.needed))
  end
  return {}
end

return records
