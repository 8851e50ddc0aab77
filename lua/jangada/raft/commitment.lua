--- When entries are committed, and what happens then (sections 5.3 and 5.4.2).

local clients = require "jangada.raft.clients"
local command = require "jangada.raft.command"
local sessions = require "jangada.raft.sessions"
local snapshots = require "jangada.raft.snapshots"

local commitment = {}

--- 5.3: the highest index up to which a majority of all members holds the leader's log.
---@param match table<string, integer> by peer
---@param peers string[]
---@param last integer the leader's own last index
---@param is_quorum fun(count: integer, members: integer): boolean
---@return integer index
function commitment.held_by_quorum(match, peers, last, is_quorum)
  local held, members = 0, #peers + 1
  for i = 0, #peers do
    local index = i == 0 and last or match[peers[i]]
    if index > held then -- else it can raise nothing
      local count = last >= index and 1 or 0
      for j = 1, #peers do
        if match[peers[j]] >= index then count = count + 1 end
      end
      if is_quorum(count, members) then held = index end
    end
  end
  return held
end

local function apply_entry(raft, index, term, kind, data)
  if kind == command.COMMAND then
    sessions.apply(raft.sessions, raft.rules, raft.machine, data)
    raft.uncommitted_bytes = raft.uncommitted_bytes - #data -- counted while leading
  end
  raft.applied, raft.applied_bytes = index, raft.applied_bytes + #data
  raft.node:committed(index, term, data)
  if raft.waiting[index] and raft.state.role == "leader" then
    clients.answer_waiting(raft, index)
  end
end

--- 5.3: applies what is committed, in order, and answers the clients that waited for it.
---@param raft jangada.Raft
function commitment.apply(raft)
  local commit = raft.state.commit
  if raft.applied >= commit then return end
  raft.log:visit(raft.applied + 1, commit, apply_entry, raft)
  if raft.reading[1] then clients.answer_reads(raft) end
  if raft.options.compaction then snapshots.consider(raft) end
end

--- 5.3: moves the commit index to a higher one, if it is higher.
---@param raft jangada.Raft
---@param commit integer
function commitment.commit_to(raft, commit)
  if commit > raft.state.commit then
    raft.state.commit = commit
    commitment.apply(raft)
  end
end

--- 5.3, 5.4.2: commits what the leader may, after its log or its knowledge of a peer has grown.
---@param raft jangada.Raft
function commitment.advance(raft)
  local state, rules = raft.state, raft.rules
  local held = commitment.held_by_quorum(raft.match, raft.peers, state.last, rules.is_quorum)
  commitment.commit_to(raft, rules.leader_commit(raft.log, state.term, state.commit, held))
end

return commitment
