-- What must hold after every turn of every node, whatever the faults.
--
--     election_safety        at most one leader in a term (Raft, 5.2)
--     log_matching           two logs that have an entry of one index and term are the same up to
--                            there (Raft, 5.3)
--     state_machine_safety   no two nodes hold different entries committed at one index, and each
--                            applies them in order (Raft, 5.4.3)
--
-- An invariant is a table {name=, turn=, committed=, booted=} of which only the name must be there:
--
--     turn(self, machine, wrote)     after a turn of that machine's node; `wrote`: it had a
--                                    transaction
--     committed(self, machine, index, term, data)
--                                    when the node calls node:committed
--     booted(self, machine)          before the node boots
--
-- `turn` and `committed` return nil when all is well, else a message. Each looks only at what the
-- turn touched: what was right before and was not touched is right still.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local plain = require "jangada.node.plain"

local mix, hash_string = plain.mix, plain.hash_string

local M = {}

local makers = {}

-- It reads node.state.role and node.state.term.
function makers.election_safety()
  local leaders = {} -- term -> id of the node that led in it
  return {
    name = "election_safety",
    turn = function(_, machine)
      local state = machine.state
      if type(state) ~= "table" or state.role ~= "leader" or state.term == nil then return nil end
      local leader = leaders[state.term]
      if leader == nil then
        leaders[state.term] = machine.id
      elseif leader ~= machine.id then
        return ("%s and %s both lead in term %s"):format(leader, machine.id, state.term)
      end
    end,
  }
end

-- It is told by node:committed. Only hashes are kept.
function makers.state_machine_safety()
  local chosen = {}         -- index -> hash of term and data
  local ids, terms = {}, {} -- index -> the node that said so first, and the term
  local applied = {}        -- id -> the last index in this boot
  return {
    name = "state_machine_safety",
    booted = function(_, machine) applied[machine.id] = nil end,
    committed = function(_, machine, index, term, data)
      local id = machine.id
      local last = applied[id]
      applied[id] = index
      if last and index ~= last + 1 then
        return ("%s applied index %d after index %d"):format(id, index, last)
      end
      local hash = mix(term, hash_string(data))
      local known = chosen[index]
      if known == nil then
        chosen[index], ids[index], terms[index] = hash, id, term
      elseif known ~= hash then
        return ("index %d is committed in term %d on %s, and differently in term %d on %s"):format(
          index, terms[index], ids[index], term, id)
      end
    end,
  }
end

local LogMatching = {name = "log_matching"}
LogMatching.__index = LogMatching

-- It reads the node's entry bucket `replog` behind the log's back. By induction over the index it
-- is enough that all entries of one index and term have one value, and one term before them. What
-- stands before an entry is not known where a log begins after a snapshot.
function makers.log_matching()
  return setmetatable({
    -- id -> a log as last seen: {last = index, hashes = {[index] = of the value}, terms =}
    known = {},
    terms = {}, -- term -> its entries in any log ever seen, by index: {contents = hashes, before =}
    fresh = {indices = {}, values = {}, hashes = {}}, -- scratch of a turn
  }, LogMatching)
end

-- Its log may be anything after a crash: all of it is looked at again.
function LogMatching:booted(machine)
  self.known[machine.id] = {last = 0, hashes = {}, terms = {}}
end

-- Reads the entries of the log backwards, until one that was seen before: the last index, how many
-- there are, and the index of the one that was seen, if one was.
local function read_fresh(tx, seen, fresh)
  local bucket = tx:bucket("replog")
  if not bucket then return 0, 0 end
  local indices, values, hashes = fresh.indices, fresh.values, fresh.hashes
  local cursor = bucket:cursor()
  local index, value = cursor:last()
  local last, n = index or 0, 0
  while index do
    local hash = hash_string(value)
    if seen.hashes[index] == hash then break end
    n = n + 1
    indices[n], values[n], hashes[n] = index, value, hash
    index, value = cursor:prev()
  end
  return last, n, index
end

local function entries_of(self, term)
  local entries = self.terms[term]
  if not entries then
    entries = {contents = {}, before = {}}
    self.terms[term] = entries
  end
  return entries
end

-- Whether an entry is the same as in every log before; `before`: the term before it, if it is
-- known.
local function is_matching(entries, index, content, before)
  local contents, befores = entries.contents, entries.before
  if contents[index] == nil then contents[index] = content end
  if befores[index] == nil then befores[index] = before end
  return contents[index] == content and (before == nil or befores[index] == before)
end

function LogMatching:turn(machine, wrote)
  if not wrote then return nil end
  local seen, fresh = self.known[machine.id], self.fresh
  local last, n, index_before = machine.db:view(read_fresh, seen, fresh)
  local hashes, terms = seen.hashes, seen.terms
  for index = last + 1, seen.last do hashes[index], terms[index] = nil, nil end
  seen.last = last
  local term_before = index_before and terms[index_before] or 0 -- before entry 1 it is 0
  index_before = index_before or 0
  for i = n, 1, -1 do
    local index, value = fresh.indices[i], fresh.values[i]
    local term, kind, data = format.decode(index, value)
    hashes[index], terms[index], fresh.values[i] = fresh.hashes[i], term, nil
    local content = mix(hash_string(data), kind) -- not the position: see docs/log.md
    local before = index == index_before + 1 and term_before or nil
    if not is_matching(entries_of(self, term), index, content, before) then
      return ("%s has another entry at index %d, term %d than a log before it, or another term "
        .. "before that entry"):format(machine.id, index, term)
    end
    index_before, term_before = index, term
  end
end

-- The function form: fn(world, machine) after each turn.
local function from_function(world, fn, number)
  return {
    name = "invariant " .. number,
    turn = function(_, machine) return fn(world, machine) end,
  }
end

---The names of the invariants there are.
M.names = {"election_safety", "log_matching", "state_machine_safety"}

---Makes the invariants of a world.
---@param world table
---@param list nil|(string|table|fun(world, machine): string|nil)[] names, tables as above, or
---functions that are called after each turn and return nil or a message; nil for all names
---@return table[] all
---@return table[]|false turn_judges those with `turn`, false when there are none
---@return table[]|false commit_judges those with `committed`, false when there are none
---Raises `option_invalid`.
function M.new(world, list)
  local all, turn_judges, commit_judges = {}, {}, {}
  for i, entry in ipairs(list or M.names) do
    local invariant
    if type(entry) == "string" then
      local maker = makers[entry]
        or errors.raise("option_invalid", "there is no invariant %s", entry)
      invariant = maker()
    elseif type(entry) == "function" then
      invariant = from_function(world, entry, i)
    elseif type(entry) == "table" and type(entry.name) == "string" then
      if not (entry.turn or entry.committed) then
        errors.raise("option_invalid", "the invariant %s looks at nothing: it has neither turn nor "
          .. "committed", entry.name)
      end
      invariant = entry
    else
      errors.raise("option_invalid", "invariant %d is neither a name, a table with a name nor a "
        .. "function", i)
    end
    all[#all + 1] = invariant
    if invariant.turn then turn_judges[#turn_judges + 1] = invariant end
    if invariant.committed then commit_judges[#commit_judges + 1] = invariant end
  end
  return all, turn_judges[1] and turn_judges or false, commit_judges[1] and commit_judges or false
end

return M
