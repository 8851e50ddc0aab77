-- The queue of the world: a binary heap of events in the total order (time, sequence).
--
-- Both halves of the order live in one integer, so that comparing two events is comparing two
-- integers:
--
--     63            22 21           0
--     | microseconds  |  sequence  |        41 bits are 25 days of simulated time
--
-- The sequence counts pushes, so events of one microsecond leave in the order they came. When its
-- 22 bits are used up, the events that wait are numbered anew, in order: a sorted array is a heap,
-- so nothing else changes. Keys and values stand in two parallel arrays; an event costs no table.

local errors = require "jangada.errors"

local Heap = {}
Heap.__index = Heap
Heap.__name = "jangada.lab.Heap"

local M = {}

local SEQUENCE_BITS <const> = 22
local SEQUENCE_MAX <const> = (1 << SEQUENCE_BITS) - 1

--- The last moment a world can reach, in microseconds.
M.time_max_us = (1 << (63 - SEQUENCE_BITS)) - 1

--- How many events may wait at once; one more raises `queue_full`.
M.size_max = 1 << 20

---Makes an empty heap.
---@return table heap
function M.new()
  return setmetatable({
    size = 0,      -- events that wait
    sequence = 0,  -- pushes since the last renumbering
    keys = {},     -- keys[i]: time and sequence of the i-th event of the heap
    values = {},   -- values[i]: what was pushed with it
  }, Heap)
end

-- Gives the waiting events the sequences 1..size, keeping their order.
local function renumber(self)
  local pairs_by_key = {}
  for i = 1, self.size do pairs_by_key[i] = {key = self.keys[i], value = self.values[i]} end
  table.sort(pairs_by_key, function(a, b) return a.key < b.key end)
  for i, pair in ipairs(pairs_by_key) do
    self.keys[i] = (pair.key & ~SEQUENCE_MAX) | i
    self.values[i] = pair.value
  end
  self.sequence = self.size
end

---Puts an event into the queue.
---@param time_us integer when it is due, 0..`time_max_us`
---@param value any what `pop` gives back
---Raises `queue_full` when `size_max` events wait, `time_out_of_range`.
function Heap:push(time_us, value)
  if time_us < 0 or time_us > M.time_max_us then
    errors.raise("time_out_of_range", "the lab's clock cannot reach %d us", time_us)
  end
  if self.sequence == SEQUENCE_MAX then renumber(self) end
  local sequence = self.sequence + 1
  local i = self.size + 1
  if i > M.size_max then
    errors.raise("queue_full", "more than %d events wait at %d us", M.size_max, time_us)
  end
  self.sequence, self.size = sequence, i
  local key = time_us << SEQUENCE_BITS | sequence
  local keys, values = self.keys, self.values
  while i > 1 do                            -- sift up: pull parents down into the hole
    local parent = i >> 1
    if keys[parent] < key then break end
    keys[i], values[i] = keys[parent], values[parent]
    i = parent
  end
  keys[i], values[i] = key, value
end

---Takes the earliest event out.
---@return integer|nil time_us nil when nothing waits
---@return any value
---@return integer key time and sequence in one: different for every event of a run
function Heap:pop()
  local size = self.size
  if size == 0 then return nil end
  local keys, values = self.keys, self.values
  local first_key, first_value = keys[1], values[1]
  local key, value = keys[size], values[size]
  keys[size], values[size] = nil, nil
  size = size - 1
  self.size = size
  if size > 0 then                          -- sift the last one down from the root
    local i, child = 1, 2
    while child <= size do
      local child_key = keys[child]
      if child < size then
        local right = keys[child + 1]
        if right < child_key then child, child_key = child + 1, right end
      end
      if key < child_key then break end
      keys[i], values[i] = child_key, values[child]
      i = child
      child = i << 1
    end
    keys[i], values[i] = key, value
  end
  return first_key >> SEQUENCE_BITS, first_value, first_key
end

---Says when the earliest event is due.
---@return integer|nil time_us nil when nothing waits
function Heap:peek()
  local key = self.keys[1]
  return key and key >> SEQUENCE_BITS
end

return M
