--- What is printed: lines as things happen, a progress line under them, tables.

local screen = {}

---@class jangada.Screen
---@field is_terminal boolean
---@field progress_line string|nil what stands on the last line now
local Screen = {}
Screen.__index = Screen

--- A screen on standard output. Only a terminal gets a progress line that is drawn over.
---@return jangada.Screen
function screen.new()
  return setmetatable({ is_terminal = os.execute("test -t 1") == true }, Screen)
end

local function erase(self)
  if self.progress_line then io.write("\r\27[K") end
end

--- Prints a line, above the progress line.
---@param format string
---@param ... any
function Screen:print(format, ...)
  erase(self)
  io.write(format:format(...), "\n")
  if self.progress_line then io.write(self.progress_line) end
  io.flush()
end

--- Draws the progress line; where it cannot be drawn over, one in twenty percent is printed.
---@param done integer
---@param total integer
---@param text string
function Screen:progress(done, total, text)
  local share = total > 0 and done / total or 1
  local filled = math.floor(share * 30)
  local line = ("  [%s%s] %3d%%  %s"):format(("#"):rep(filled), ("."):rep(30 - filled),
    math.floor(share * 100), text)
  if self.is_terminal then
    if line == self.progress_line then return end
    erase(self)
    self.progress_line = line
    io.write(line)
    io.flush()
  else
    local fifth = math.floor(share * 5)
    if fifth == self.last_fifth then return end
    self.last_fifth = fifth
    self:print("%s", line)
  end
end

--- Takes the progress line away.
function Screen:clear()
  erase(self)
  self.progress_line = nil
  io.flush()
end

--- Prints a table: numbers to the right, all else to the left.
---@param header string[]
---@param rows any[][]
function Screen:table(header, rows)
  local widths, texts = {}, { header }
  for _, row in ipairs(rows) do
    local text = {}
    for i = 1, #header do text[i] = tostring(row[i] == nil and "-" or row[i]) end
    texts[#texts + 1] = text
  end
  for i = 1, #header do
    widths[i] = 0
    for _, text in ipairs(texts) do widths[i] = math.max(widths[i], utf8.len(text[i]) or #text[i]) end
  end
  for r, text in ipairs(texts) do
    local cells = {}
    for i = 1, #header do
      local pad = (" "):rep(widths[i] - (utf8.len(text[i]) or #text[i]))
      local is_number = rows[1] and math.type(rows[1][i]) ~= nil
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

--- 12345678 -> "12,345,678".
---@param n integer|number
---@return string
function screen.thousands(n)
  local text = ("%d"):format(math.floor(n))
  local grouped = text:reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (grouped:gsub("^,", ""))
end

return screen
