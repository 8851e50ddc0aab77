-- Raft's log matching (5.3): two logs that have an entry of one index and term are the same up to
-- there. By induction over the index it is enough that all entries of one index and term have one
-- value, and one term before them. What stands before an entry is not known where a log begins
-- after a snapshot.

local LogMatching = {name = "log_matching"}
LogMatching.__index = LogMatching

local M = {}

---@param shared table what the invariants of a world share
---@return table invariant
function M.log_matching(shared)
  return setmetatable({
    logs = shared.logs(),
    terms = {}, -- term -> its entries in any log ever seen, by index: {contents = hashes, before =}
  }, LogMatching)
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

function LogMatching:turn(machine)
  local logs = self.logs
  if logs.n == 0 then return nil end
  local index_before = logs.index_before
  local term_before = index_before and logs.known[machine.id].terms[index_before] or 0
  index_before = index_before or 0 -- before entry 1 the term is 0
  for i = logs.n, 1, -1 do
    local index, term = logs.indices[i], logs.terms[i]
    local before = index == index_before + 1 and term_before or nil
    if not is_matching(entries_of(self, term), index, logs.contents[i], before) then
      return ("%s has another entry at index %d, term %d than a log before it, or another term "
        .. "before that entry"):format(machine.id, index, term)
    end
    index_before, term_before = index, term
  end
end

return M
