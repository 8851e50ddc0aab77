-- Steps on a log: each changes the log of a world (logs.lua) and returns the fields of the save
-- that does the same to the real one, or a function of that; nil where there is nothing to do.
local data = require "spec.support.crash.data"
local logs = require "spec.support.crash.logs"

local ENTRIES_MAX <const> = 60

local steps = {}

-- Replaces what there is from `first` on.
local function add_entries(log, random, first, count)
  local entries, term = {}, logs.term(log, first - 1)
  for i = #log.entries, first - log.first + 1, -1 do log.entries[i] = nil end
  for i = 1, count do
    term = random(math.max(term, log.term - 1, 1), log.term)
    entries[i] = { term = term, type = random(0, 3), data = data.some(random) }
    log.entries[#log.entries + 1] = entries[i]
  end
  return { first = first, entries = entries }
end

function steps.append(log, random)
  if log.term == 0 or #log.entries > ENTRIES_MAX then return nil end
  return add_entries(log, random, logs.last(log) + 1, random(1, 3) == 1 and random(2, 20) or 1)
end

function steps.conflict(log, random)
  local first = math.max(log.first, log.commit + 1)
  if first > logs.last(log) then return nil end
  return add_entries(log, random, random(first, logs.last(log)), random(0, 6))
end

function steps.commit(log, random)
  if log.commit >= logs.last(log) then return nil end
  log.commit = random(log.commit + 1, logs.last(log))
  return { commit = log.commit }
end

function steps.vote(log, random)
  log.term = log.term + random(1, 2)
  log.vote = random(1, 3) > 1 and "n" .. random(1, 5) or nil
  return { term = log.term, vote = log.vote }
end

--- As a follower does when a new leader writes over its tail.
function steps.everything(log, random)
  local fields = steps.vote(log, random)
  local more = steps.conflict(log, random) or steps.append(log, random) or {}
  fields.first, fields.entries = more.first, more.entries
  local moved = steps.commit(log, random)
  fields.commit = moved and moved.commit
  return fields
end

function steps.apply(log, random)
  if log.applied >= log.commit then return nil end
  log.applied = random(log.applied + 1, log.commit)
  return { applied = log.applied }
end

function steps.stable(log, random)
  local stable = {}
  for _ = 1, random(1, 2) do
    local key = logs.STABLE[random(1, #logs.STABLE)]
    stable[key] = random(1, 4) > 1 and data.some(random) or false
    log.stable[key] = stable[key] or nil
  end
  return { stable = stable }
end

function steps.sample(log, random)
  local value, time = random(0, 999), random(0, 999)
  log.samples[#log.samples + 1] = ("%d@%d"):format(value, time)
  return function(real) real:sample(logs.SERIES, value, time) end
end

-- ---- snapshots and compaction -----------------------------------------------------------------

-- The data of some go into the log, in several transactions when they are many (small_chunks.lua),
-- those of others are elsewhere.
local function take_snapshot(log, random, index, term, fields)
  local parts, info = {}, data.some(random)
  for i = 1, random(0, 1) * random(1, 30) do parts[i] = data.some(random) end
  log.snapshot = { index = index, term = term, info = info, data = table.concat(parts) }
  return function(real)
    if not parts[1] then
      fields.snapshot = { index = index, term = term, info = info }
      return real:save(fields)
    end
    local writer <close> = real:snapshot_writer{ index = index, term = term, info = info }
    for _, part in ipairs(parts) do writer:write(part) end
    fields.snapshot = writer
    real:save(fields)
  end
end

--- A snapshot, and what it covers removed as far as the step goes.
function steps.compact(log, random)
  local from = math.max(log.first, log.snapshot and log.snapshot.index or 0)
  if log.commit < from then return nil end
  local index = random(from, log.commit)
  local upto, term = random(log.first, index), logs.term(log, index)
  log.base_term = logs.term(log, upto)
  log.entries = table.move(log.entries, upto - log.first + 2, #log.entries, 1, {})
  log.first = upto + 1
  return take_snapshot(log, random, index, term, { compact = upto })
end

--- As a follower does with a snapshot that covers more than it has.
function steps.install(log, random)
  if log.term == 0 then return nil end
  local index = logs.last(log) + random(1, 5)
  log.entries, log.first, log.commit, log.base_term = {}, index + 1, index, log.term
  return take_snapshot(log, random, index, log.term, { first = index + 1, commit = index })
end

--- Removes what compaction has left: nothing that shows.
function steps.sweep()
  return function(real) real:sweep(64) end
end

return steps
