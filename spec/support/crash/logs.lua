-- Logs of the crash proofs as plain tables, and the real ones read into the same:
--
--   log   {first, base_term, term, vote, commit, applied, entries = {{term, type, data}, ...},
--          snapshot = nil or {index, term, info, data}, stable = {}, samples = {numbers}}
--
-- base_term is the term of the entry before the first.
local Log = require "jangada.log"

local logs = {}

--- The names of stable values and of the series that the steps use.
logs.STABLE = { "current", "members", "other" }
logs.SERIES = "load"

function logs.new()
  return { first = 1, base_term = 0, term = 0, commit = 0, applied = 0, entries = {}, stable = {},
    samples = {} }
end

local function copy_list(list) return table.move(list, 1, #list, 1, {}) end

function logs.copy(log)
  local new = {}
  for name, value in pairs(log) do new[name] = value end
  new.entries, new.samples, new.stable = copy_list(log.entries), copy_list(log.samples), {}
  for key, value in pairs(log.stable) do new.stable[key] = value end
  return new -- snapshots are never changed
end

function logs.last(log) return log.first + #log.entries - 1 end

--- The term of an entry, or of the one before the first.
function logs.term(log, index)
  local entry = log.entries[index - log.first + 1]
  return entry and entry.term or log.base_term
end

--- All of a log, as lines.
---@param log table
---@param into string[]
function logs.write(log, into)
  local function add(...) into[#into + 1] = string.format(...) end
  add("log from %d after term %d, term %d, vote %s, commit %d, applied %d", log.first,
    log.base_term, log.term, log.vote or "-", log.commit, log.applied)
  for i, entry in ipairs(log.entries) do
    add("%d: %d %d %s", log.first + i - 1, entry.term, entry.type, entry.data)
  end
  local snapshot = log.snapshot
  if snapshot then
    add("snapshot %d %d %s %s", snapshot.index, snapshot.term, snapshot.info, snapshot.data)
  end
  for _, key in ipairs(logs.STABLE) do add("%s=%s", key, log.stable[key] or "") end
  into[#into + 1] = table.concat(log.samples, " ")
end

local function read_snapshot(real)
  local snapshot = real:snapshot()
  if not snapshot then return nil end
  local parts = {}
  for chunk in real:snapshot_reader():each() do parts[#parts + 1] = chunk end
  return { index = snapshot.index, term = snapshot.term, info = snapshot.info,
    data = table.concat(parts) }
end

local function check_counts(real, log)
  local stats, bytes = real:stats(), 0
  for _, entry in ipairs(log.entries) do bytes = bytes + #entry.data end
  if stats.entries ~= #log.entries or stats.bytes ~= bytes then
    error(("it counts %d entries of %d bytes, and has %d of %d"):format(stats.entries, stats.bytes,
      #log.entries, bytes), 0)
  end
end

--- Reads a log of a store; raises where verify finds something.
---@param db jangada.DB
---@param name string|string[]
---@return table log
function logs.read(db, name)
  local findings = Log.verify_in(db, name)
  if findings[1] then
    error(("verify finds %s: %s"):format(findings[1].code, findings[1].message), 0)
  end
  local real = Log.open(db, name)
  local log = logs.new()
  log.first, log.applied = real:first_index(), real:applied()
  log.term, log.vote, log.commit = real:hard_state()
  log.base_term = real:term(log.first - 1)
  for _, entry in real:each() do log.entries[#log.entries + 1] = entry end
  log.snapshot = read_snapshot(real)
  for _, key in ipairs(logs.STABLE) do log.stable[key] = real:stable(key) end
  for _, sample in ipairs(real:series(logs.SERIES)) do
    log.samples[#log.samples + 1] = ("%d@%d"):format(sample.value, sample.time)
  end
  check_counts(real, log)
  return log
end

return logs
