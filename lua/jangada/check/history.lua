--- Histories: what clients asked for and what they were told, as events, made into operations.
--
-- An event is a table {process=, type=, f=, key=, value=, time=, error=, order=}, as Jepsen has
-- them. A process invokes an operation (`invoke`) and is told that it was done (`ok`), that it did
-- not happen (`fail`), or it never learns (`info`): then the operation may take effect at any time
-- from there on, or never, and the process is never heard of again. The order of events is that of
-- the array. `time` is for people; `order` is where in its own order the system under test says it
-- applied the operation, and stands in any of its events.

local errors = require "jangada.errors"

local history = {}

-- Whom Jepsen lets write its own events among those of the clients.
local NEMESIS <const> = "nemesis"

local TYPES <const> = { invoke = true, ok = true, fail = true, info = true }

local function place(event, number)
  return event.line and ("line %s"):format(event.line) or ("event %d"):format(number)
end

local function fail(event, number, format, ...)
  errors.raise("history_invalid", "%s: %s", place(event, number), format:format(...))
end

local function check_event(event, number)
  if type(event) ~= "table" then
    errors.raise("history_invalid", "event %d is a %s, not a table", number, type(event))
  end
  if not TYPES[event.type] then
    fail(event, number, "type is invoke, ok, fail or info, not %s", tostring(event.type))
  end
  local kind = type(event.process)
  if kind ~= "string" and math.type(event.process) ~= "integer" then
    fail(event, number, "process is an integer or a name, not %s",
      kind == "nil" and "missing" or "a " .. kind)
  end
  if event.type == "invoke" and type(event.f) ~= "string" then
    fail(event, number, "f is the name of what is asked for, not %s", tostring(event.f))
  end
  if event.order ~= nil and not math.type(event.order) then
    fail(event, number, "order is a number, not a %s", type(event.order))
  end
end

local function invoke(self, event, number)
  local open = self.open[event.process]
  if open then
    fail(event, number, "process %s invokes %s while its %s of %s is open", event.process, event.f,
      open.f, place(open, open.invoked))
  end
  local gone = self.gone[event.process]
  if gone then
    fail(event, number, "process %s has an operation of unknown outcome (%s of %s) and cannot go "
      .. "on: what a client does after that is a new process", event.process, gone.f,
      place(gone, gone.invoked))
  end
  local operation = {
    index = #self.operations + 1, process = event.process, f = event.f, key = event.key,
    input = event.value, output = nil, known = false, failed = false, error = nil,
    invoked = number, returned = nil, order = event.order, time = event.time, time_returned = nil,
    line = event.line, line_returned = nil,
  }
  self.operations[operation.index] = operation
  self.open[event.process] = operation
end

local function complete(self, event, number)
  local operation = self.open[event.process]
  if not operation then
    fail(event, number, "process %s has no operation that could be %s", event.process, event.type)
  end
  if event.f ~= nil and event.f ~= operation.f then
    fail(event, number, "process %s completes %s, but invoked %s (%s)", event.process, event.f,
      operation.f, place(operation, operation.invoked))
  end
  self.open[event.process] = nil
  operation.error, operation.time_returned = event.error, event.time
  operation.line_returned = event.line
  operation.order = event.order or operation.order
  if event.type == "info" then
    self.gone[event.process] = operation
    return
  end
  operation.known, operation.failed = true, event.type == "fail"
  operation.returned, operation.output = number, event.value
end

-- In the order of their times; of those at one time invocations first, so that operations that
-- touch overlap.
local function sort_by_time(events)
  local sorted, positions = {}, {}
  for i, event in ipairs(events) do
    if not math.type(event.time) then fail(event, i, "there is no time to order it by") end
    sorted[i], positions[event] = event, i
  end
  table.sort(sorted, function(a, b)
    if a.time ~= b.time then return a.time < b.time end
    local first, second = a.type == "invoke", b.type == "invoke"
    if first ~= second then return first end
    return positions[a] < positions[b]
  end)
  return sorted
end

local function check_time(event, number, last)
  if last and math.type(event.time) and event.time < last.time then
    fail(event, number, "time %s is before the %s of the event above it: events stand in their "
      .. "order, or are to be ordered by time", event.time, last.time)
  end
  return math.type(event.time) and event or last
end

--- Makes operations of events.
---@param events table[] see above
---@param by_time? boolean order the events by `time` first
---@return jangada.check.Operation[] by invocation; those that failed are among them
---Raises `history_invalid`, naming the line of the event if it has one, else its number.
function history.operations(events, by_time)
  for number, event in ipairs(events) do check_event(event, number) end
  if by_time then events = sort_by_time(events) end
  local self = { operations = {}, open = {}, gone = {} }
  local last
  for number, event in ipairs(events) do
    if event.process ~= NEMESIS then
      last = check_time(event, number, last)
      if event.type == "invoke" then
        invoke(self, event, number)
      else
        complete(self, event, number)
      end
    end
  end
  return self.operations
end

return history
