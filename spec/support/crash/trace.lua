-- Reads the trace that spec/support/recorder.c takes down.
local trace = {}

local HEADER <const> = "<c1xxxI4i4I4I8I8"

---@class crash.Event
---@field kind string one character, see recorder.c
---@field file integer the recorder's number; 0: the directory
---@field error integer 0: none
---@field token integer
---@field offset integer
---@field data string

--- The events in order.
---@param text string
---@return crash.Event[]
function trace.read(text)
  local events, at = {}, 1
  while at <= #text do
    local kind, file, failure, token, offset, size, data_at = HEADER:unpack(text, at)
    at = data_at + size
    events[#events + 1] = { kind = kind, file = file, error = failure, token = token,
      offset = offset, data = text:sub(data_at, at - 1) }
  end
  return events
end

return trace
