--- What is printed: lines as things happen, a progress line under them, tables.

local output = require "jangada.cli.output"

local screen = {}

-- A progress line that wraps cannot be drawn over: it stays within the narrowest usual terminal.
local COLUMNS <const> = 79
local BAR <const> = 24

---@class jangada.Screen
---@field is_terminal boolean
---@field progress_line string|nil what stands on the last line now
---@field stream table|nil instead of standard output: what has `write` and `flush`
local Screen = {}
Screen.__index = Screen

--- A screen on standard output. Only a terminal gets a progress line that is drawn over.
---@param stream? table instead of standard output: io.stderr, or what has `write` and `flush`
---@return jangada.Screen
function screen.new(stream)
  local number = stream == nil and 1 or stream == io.stderr and 2
  local is_terminal = number and os.execute("test -t " .. number) == true
  return setmetatable({ is_terminal = is_terminal, stream = stream }, Screen)
end

local function write(self, ...)
  if self.stream then self.stream:write(...) else io.write(...) end
end

local function flush(self)
  if self.stream then self.stream:flush() else output.check(io.stdout:flush()) end
end

local function erase(self)
  if self.progress_line then write(self, "\r\27[K") end
end

--- Prints a line, above the progress line.
---@param format string
---@param ... any
function Screen:print(format, ...)
  erase(self)
  write(self, format:format(...), "\n")
  if self.progress_line then write(self, self.progress_line) end
  flush(self)
end

--- Draws the progress line; where it cannot be drawn over, one in twenty percent is printed.
---@param done integer
---@param total integer
---@param text string
function Screen:progress(done, total, text)
  local share = total > 0 and done / total or 1
  local filled = math.floor(share * BAR)
  local line = ("  [%s%s] %3d%%  %s"):format(("#"):rep(filled), ("."):rep(BAR - filled),
    math.floor(share * 100), text)
  self:status(line, math.floor(share * 5))
end

--- Draws a line of one's own as the progress line; where it cannot be drawn over, it is printed
--- when `mark` is another than before.
---@param line string
---@param mark any
function Screen:status(line, mark)
  line = line:sub(1, COLUMNS)
  if self.is_terminal then
    if line == self.progress_line then return end
    erase(self)
    self.progress_line = line
    write(self, line)
    flush(self)
  elseif mark ~= self.last_mark then
    self.last_mark = mark
    self:print("%s", line)
  end
end

--- Takes the progress line away.
function Screen:clear()
  erase(self)
  self.progress_line = nil
  flush(self)
end

--- Prints a table: numbers to the right, all else to the left.
---@param header string[]
---@param rows any[][]
---@param right? table<integer, boolean> columns of text that go to the right too
function Screen:table(header, rows, right)
  local widths, texts = {}, { header }
  for _, row in ipairs(rows) do
    local text = {}
    for i = 1, #header do text[i] = tostring(row[i] == nil and "-" or row[i]) end
    texts[#texts + 1] = text
  end
  for i = 1, #header do
    widths[i] = 0
    for _, text in ipairs(texts) do
      widths[i] = math.max(widths[i], utf8.len(text[i]) or #text[i])
    end
  end
  for r, text in ipairs(texts) do
    local cells = {}
    for i = 1, #header do
      local pad = (" "):rep(widths[i] - (utf8.len(text[i]) or #text[i]))
      local is_number = right and right[i] or rows[1] and math.type(rows[1][i]) ~= nil
      cells[i] = is_number and pad .. text[i] or text[i] .. pad
    end
    self:print("  %s", (table.concat(cells, "  "):gsub("%s+$", "")))
    if r == 1 then
      local rule = {}
      for i = 1, #header do rule[i] = ("-"):rep(widths[i]) end
      self:print("  %s", table.concat(rule, "  "))
    end
  end
end

--- The time of day: for what waits for a disk, os.clock tells half.
---@return number seconds
function screen.wall_clock()
  local pipe <close> = assert(io.popen("date +%s.%N"))
  return tonumber(pipe:read("l"))
end

--- 12345678 -> "12,345,678".
---@param n integer|number
---@return string
function screen.thousands(n)
  local text = ("%d"):format(math.floor(n))
  local grouped = text:reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (grouped:gsub("^,", ""))
end

return screen
