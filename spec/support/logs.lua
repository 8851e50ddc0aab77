-- What the specs of the log share. Each behaviour is asked of a log in a file and of one in memory.
local Log = require "jangada.log"
local assert = require "luassert"
local errors = require "jangada.errors"
local memory = require "jangada.log.memory"
local scratch = require "spec.support.scratch"

local logs = {}

--- The kinds of logs: how one's DB is opened, and how it is opened again, after a restart as it
--- were.
logs.kinds = {
  { name = "in a file",
    open = function() return (scratch.open()) end,
    reopen = function(db)
      local path = db:path()
      db:close()
      return (scratch.open(path))
    end },
  { name = "in memory", open = memory.open, reopen = function(db) return db end },
}

--- Fails unless fn raises an error object of a code; gives its message.
function logs.raises(code, fn, ...)
  local ok, failure = pcall(fn, ...)
  assert.is_false(ok, code .. " was not raised")
  if not errors.is(failure) then error(failure, 0) end
  assert.equal(code, failure.code, failure.message)
  return failure.message
end

--- Entries of terms, with data of four bytes each.
function logs.entries_of(...)
  local entries = {}
  for i, term in ipairs{ ... } do entries[i] = { term = term, data = "t" .. term .. "#" .. i } end
  return entries
end

--- A log with terms 1 1 1 4 4 5 5 6 6, current term 7, committed up to 3.
function logs.example(db)
  local log = Log.open(db, "replog")
  log:save{ term = 7, vote = "n2", entries = logs.entries_of(1, 1, 1, 4, 4, 5, 5, 6, 6),
    commit = 3 }
  return log
end

--- Everything a log says, to compare.
function logs.account(log)
  local term, vote, commit = log:hard_state()
  local said = {
    term = term, vote = vote, commit = commit, applied = log:applied(),
    first = log:first_index(), last = log:last_index(), last_term = log:last_term(),
    entries = log:entries(log:first_index()), terms = {}, snapshot = log:snapshot(),
    stats = log:stats(),
  }
  for index = log:first_index() - 2, log:last_index() + 1 do said.terms[index] = log:term(index) end
  return said
end

--- The data of a log's snapshot.
function logs.data_of(log)
  local parts = {}
  for chunk in log:snapshot_reader():each() do parts[#parts + 1] = chunk end
  return table.concat(parts)
end

--- Writes a snapshot with data and saves it.
function logs.save_snapshot(log, meta, data, fields)
  local writer <close> = log:snapshot_writer(meta)
  writer:write(data)
  fields = fields or {}
  fields.snapshot = writer
  log:save(fields)
end

return logs
