-- What a run may use: methods of jangada.World. A run that exceeds a budget is ended by a verdict
-- of its own, which says nothing of the protocol but that it is out of bounds.

local heaps = require "jangada.lab.heap"

local World = {}

---Ends the run: the queue has grown past its budget. For the host.
function World:fail_queue()
  self:fail{kind = "queue_exceeded",
    message = ("more than %d messages and timers wait"):format(self.queue_max)}
end

---Ends the run: it has taken more events than its budget.
function World:fail_events()
  self:fail{kind = "events_exceeded", message = ("the run has taken %d events"):format(self.events)}
end

-- The type and the source that most of the messages have, and how many these are.
local function most_of(messages)
  local counts, most = {}, nil
  for _, message in ipairs(messages) do
    local what = message.body and ("%s from %s"):format(message.body.type, message.src)
    if what then
      counts[what] = (counts[what] or 0) + 1
      if not most or counts[what] > counts[most] then most = what end
    end
  end
  return most, most and counts[most]
end

---Ends the run: more messages are on their way than its budget. For the host.
function World:fail_messages()
  if self.is_over then return end
  local _, waiting = heaps.list(self.heap)
  for _, layer in ipairs(self.network.layers) do
    for _, item in ipairs(layer.held or {}) do waiting[#waiting + 1] = item.message end
  end
  for _, machine in ipairs(self.nodes) do
    table.move(machine.held, 1, #machine.held, #waiting + 1, waiting)
  end
  local what, count = most_of(waiting)
  self:fail{kind = "message_storm", message = ("more than %d messages are on their way, %d of them "
    .. "%s"):format(self.messages_max, count or 0, what or "of no type")}
end

---Ends the run if Lua has more memory than its budget, garbage apart. For the loop.
function World:check_memory()
  local kib_max = self.memory_max * 1024
  if collectgarbage("count") <= kib_max then return end
  collectgarbage()
  if collectgarbage("count") <= kib_max then return end
  self:fail{kind = "memory_exceeded", message = ("the run has more than %g MiB of memory"):format(
    self.memory_max)}
end

return World
