--- Draws operations as a picture of text: a row for each process, time to the right.
--
--     process 0  ├─ write 1 ─┤
--     process 1                 ├─ write 2 ─┤
--     process 2         ├─ write 3 ──────────────
--     process 3   ├╌ write 4 ╌┤
--
-- What stands above something else ran while it did. Only the order of calls and returns is to
-- scale, not the time between them; a line without an end is an operation of unknown outcome, a
-- broken line one that is shown beside the others.

local timeline = {}

-- Room between two events, and the least line on both sides of a text.
local GAP <const> = 2

local function width(text)
  return utf8.len(text) or #text
end

-- The event at which each operation begins, and that at which it is over, by time.
local function events_of(operations)
  local events = {}
  for _, operation in ipairs(operations) do
    events[#events + 1] = { at = operation.invoked, operation = operation, is_call = true }
    if operation.returned then
      events[#events + 1] = { at = operation.returned, operation = operation }
    end
  end
  table.sort(events, function(a, b) return a.at < b.at end)
  return events
end

-- The columns of calls and returns: as far left as the order and the texts allow.
local function lay_out(operations, texts, marked)
  local from, to, at, last = {}, {}, 1, {}
  for _, event in ipairs(events_of(operations)) do
    local operation = event.operation
    if event.is_call then
      at = math.max(at, last[operation.process] or 0)
      from[operation] = at
    else
      at = math.max(at, from[operation] + width(texts[operation]) + 5)
      to[operation] = at
      last[operation.process] = at + GAP + (operation == marked and 2 or 0)
    end
    at = at + GAP
  end
  for _, operation in ipairs(operations) do
    if not to[operation] then
      at = math.max(at, from[operation] + width(texts[operation]) + 5)
    end
  end
  return from, to, at
end

local function bar(text, length, has_end, line)
  local room = length - width(text) - 5
  return ("├%s %s %s%s%s"):format(line, text, line, line:rep(room), has_end and "┤" or line)
end

local function by_process(operations)
  local rows, order = {}, {}
  for _, operation in ipairs(operations) do
    local name = tostring(operation.process)
    if not rows[name] then
      rows[name] = {}
      order[#order + 1] = name
    end
    table.insert(rows[name], operation)
  end
  return rows, order
end

--- The lines of the picture.
---@param operations jangada.check.Operation[] by invocation
---@param describe fun(operation: jangada.check.Operation): string
---@param marked jangada.check.Operation gets a cross behind it
---@param beside table<jangada.check.Operation, boolean> get a broken line
---@return string[]
function timeline.draw(operations, describe, marked, beside)
  local texts, lines = {}, {}
  for _, operation in ipairs(operations) do texts[operation] = describe(operation) end
  local from, to, right = lay_out(operations, texts, marked)
  local rows, order = by_process(operations)
  local names_width = 0
  for _, name in ipairs(order) do names_width = math.max(names_width, width(name)) end
  for _, name in ipairs(order) do
    local parts, column = {}, 1
    for _, operation in ipairs(rows[name]) do
      local stop = to[operation] or right
      parts[#parts + 1] = (" "):rep(from[operation] - column)
      parts[#parts + 1] = bar(texts[operation], stop - from[operation] + 1, to[operation],
        beside[operation] and "╌" or "─")
      if operation == marked then parts[#parts + 1] = " ✗" end
      column = stop + (operation == marked and 3 or 1)
    end
    lines[#lines + 1] = ("process %s%s  %s"):format(name, (" "):rep(names_width - width(name)),
      table.concat(parts))
  end
  return lines
end

return timeline
