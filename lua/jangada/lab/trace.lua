-- What a run leaves behind: one 64-bit hash of everything that happened in it, and, for whoever
-- observes, a row for each event.
--
-- The hash folds time, kind, node, the digest of what was sent and the digest of each node's state
-- after each turn, in order. Two runs with one hash were the same run. Rows are tables, and tables
-- cost; so a row is built only while somebody observes:
--
--     if trace.observe then trace:row{kind = "crash", node = "n2"} end

local plain = require "jangada.node.plain"

local mix, hash_string = plain.mix, plain.hash_string

local Trace = {}
Trace.__index = Trace
Trace.__name = "jangada.lab.Trace"

local M = {}

---Makes the trace of a run.
---@param seed integer
---@param observe nil|fun(event: table, world: table) is called with each row
---@return table trace
function M.new(seed, observe)
  return setmetatable({
    value = mix(seed, 0x74726163),
    observe = observe or false,
    world = nil, -- set by the world: rows carry its time
  }, Trace)
end

---Folds two integers into the hash.
---@param a integer
---@param b integer
function Trace:fold(a, b)
  self.value = mix(self.value ~ a, b)
end

---Folds a name and an integer into the hash.
---@param name string
---@param digest integer
function Trace:fold_name(name, digest)
  self.value = mix(self.value ~ hash_string(name), digest)
end

---Hands a row to the observer.
---@param event table `kind` and what belongs to it; `time_us` is added
function Trace:row(event)
  event.time_us = self.world.time_us
  self.observe(event, self.world)
end

---The hash so far.
---@return string hexadecimal, 16 digits
function Trace:hash()
  return ("%016x"):format(self.value)
end

return M
