--- Reads a node's log back from its file, through the store alone, and compares it with what was
--- submitted. Nothing of the node or of Raft is asked: what counts is what is on the disk.

local command = require "jangada.raft.command"
local errors = require "jangada.errors"
local format = require "jangada.log.format"
local store = require "jangada.store"

local replica = {}

---@class jangada.cli.Replica
---@field first integer|nil first index; nil of an empty log
---@field last integer|nil last index
---@field term integer of the last entry
---@field entries integer
---@field no_ops integer Raft's own entries, one a leader
---@field commands integer the others
---@field bytes integer of all commands
---@field digest integer CRC-32C over all commands in their order
---@field problem string|nil the first difference; nil when it is exactly the input

-- Compares one entry; returns what is wrong with it, if anything is.
local function compare(found, index, value, lines, client)
  local term, kind, data = format.decode(index, value)
  if index ~= found.last + 1 then return ("index %d follows %d"):format(index, found.last) end
  found.last, found.term, found.entries = index, term, found.entries + 1
  if kind == command.NO_OP then
    found.no_ops = found.no_ops + 1
    return data ~= "" and ("entry %d is a no-op with data"):format(index) or nil
  end
  local from, number, line = command.decode(data)
  local nth = found.commands + 1
  found.commands, found.bytes = nth, found.bytes + #line
  found.digest = store.crc32c(line, found.digest)
  if from ~= client then return ("entry %d is of client %q"):format(index, from) end
  if number ~= nth then return ("entry %d is command %d, not %d"):format(index, number, nth) end
  if lines[nth] == nil then return ("entry %d is a line more than the input has"):format(index) end
  if line ~= lines[nth] then return ("entry %d is not line %d"):format(index, nth) end
  return nil
end

local function walk(found, bucket, lines, client)
  for index, value in bucket:each() do
    found.first = found.first or index
    found.last = found.last or index - 1
    local ok, problem = pcall(compare, found, index, value, lines, client)
    if not ok then problem = errors.is(problem) and problem.message or tostring(problem) end
    found.problem = found.problem or problem
    if not ok then return end
  end
  if not found.problem and found.commands < #lines then
    found.problem = ("%d of %d lines"):format(found.commands, #lines)
  end
end

--- Reads a node's file and compares it with the input.
---@param path string of the store
---@param lines string[] what was submitted, in order
---@param client string who submitted it
---@return jangada.cli.Replica
---Raises what store.open returns.
function replica.read(path, lines, client)
  local db <close>, message, code = store.open(path, { read_only = true })
  if not db then errors.raise(code, "%s", message) end
  local found = { term = 0, entries = 0, no_ops = 0, commands = 0, bytes = 0, digest = 0 }
  db:view(function(tx)
    local bucket = tx:bucket("replog")
    if bucket then
      walk(found, bucket, lines, client)
    else
      found.problem = "there is no bucket replog"
    end
  end)
  return found
end

return replica
