-- Raft's leader completeness (5.4): what is committed in a term is in the logs of the leaders of
-- all later terms.
--
-- A node that tells of an index in its term knows that it was committed in that term or before. A
-- leader is looked at when it begins to lead, and those that lead already when something more is
-- committed. As the logs match, the last entry stands for those before it. Of nodes without a log
-- in the bucket `replog` there is nothing to say.

local Completeness = {name = "leader_completeness"}
Completeness.__index = Completeness

local M = {}

---@param shared table what the invariants of a world share
---@return table invariant
function M.leader_completeness(shared)
  return setmetatable({
    logs = shared.logs(),
    ids = shared.ids,
    top = 0,          -- the last index that any node held committed
    fresh = nil,      -- its term, while the turn in which it was told is not judged yet
    commits = {},     -- term of a node -> {index =, term =}: the last entry that it told of first
    leaders = {},     -- id -> the term in which it led after its last turn
  }, Completeness)
end

function Completeness:booted(machine)
  self.leaders[machine.id] = nil
end

function Completeness:committed(_, index, term)
  if index > self.top then self.top, self.fresh = index, term end
end

local function judge(self, id, leader_term, commit, commit_term)
  if self.logs.known[id].is_there and not self.logs:has(id, commit.index, commit.term) then
    return ("%s leads in term %d without the entry at index %d, term %d, which was committed by "
      .. "term %d"):format(id, leader_term, commit.index, commit.term, commit_term)
  end
end

local function judge_leaders(self, commit, commit_term)
  for _, id in ipairs(self.ids) do
    local term = self.leaders[id]
    local message = term and term > commit_term and judge(self, id, term, commit, commit_term)
    if message then return message end
  end
end

local function judge_new_leader(self, id, term)
  local last, last_term
  for commit_term, commit in pairs(self.commits) do
    if commit_term < term and (not last or commit.index > last.index) then
      last, last_term = commit, commit_term
    end
  end
  return last and judge(self, id, term, last, last_term)
end

function Completeness:turn(machine)
  local state, id = machine.state, machine.id
  local term = type(state) == "table" and math.type(state.term) == "integer" and state.term or nil
  local message
  if self.fresh then
    if term then
      local commit = self.commits[term] or {}
      self.commits[term], commit.index, commit.term = commit, self.top, self.fresh
      message = judge_leaders(self, commit, term)
    end
    self.fresh = nil
  end
  if not term or state.role ~= "leader" then
    self.leaders[id] = nil
  elseif self.leaders[id] ~= term then
    self.leaders[id] = term
    message = message or judge_new_leader(self, id, term)
  end
  return message
end

return M
