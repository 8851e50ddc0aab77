-- The queue of the world: a binary heap of events in the total order (time, sequence).
--
-- Every event goes in and out of it, so it is written in C (csrc/queue.c, which tells how it
-- orders); what it holds is any Lua value. Its functions take the queue as first argument, so
-- they can be called as its methods too. `heap.size` is how many events wait.

local store = require "jangada.store"

local queue = store.queue

local M = {}

--- The last moment a world can reach, in microseconds.
M.time_max_us = (1 << 41) - 1

--- How many events may wait at once; one more raises `queue_full`.
M.size_max = 1 << 20

---Makes an empty heap.
---@return jangada.lab.Heap heap
M.new = queue.new

---Puts an event into the queue.
---@param heap jangada.lab.Heap
---@param time_us integer when it is due, 0..`time_max_us`
---@param value any what `pop` gives back
---@param size_max? integer
---@return boolean pushed false when `size_max` events wait already
---Raises `queue_full` when `size_max` events wait, `time_out_of_range`.
M.push = queue.push

---Takes the earliest event out.
---@param heap jangada.lab.Heap
---@param limit_us? integer leaves events that are due later where they are
---@return integer|nil time_us nil when nothing waits up to the limit
---@return any value
---@return integer key time and sequence in one: different for every event of a run
M.pop = queue.pop

---Says when the earliest event is due.
---@param heap jangada.lab.Heap
---@return integer|nil time_us nil when nothing waits
M.peek = queue.peek

---Lists what waits, in its order.
---@param heap jangada.lab.Heap
---@return integer[] times_us
---@return any[] values
---@return integer[] keys as `pop` gives them, until the next push
M.list = queue.list

---Takes an event out, wherever it stands.
---@param heap jangada.lab.Heap
---@param key integer of `list`
---@param value any of `list`
---@return integer|nil time_us nil, and nothing is done, when it does not wait
M.remove = queue.remove

return M
