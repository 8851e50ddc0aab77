--- Files of `--tla`: a run as the trace that etcd's TLA+ specification of Raft validates
-- (tla/Traceetcdraft.tla of etcd-io/raft): a JSON object a line for each of its actions, in the
-- shape of its state_trace.go.
--
-- A turn is taken apart in the order in which etcd's Raft does the same: a message is received by
-- the state before it; the role changes; a leader replicates to itself; entries are committed;
-- what is to be durable is (Ready); messages are sent. Pre-votes, reads and clients are no actions
-- there, and are left out; so are the pieces of a snapshot but the last one.

local errors = require "jangada.errors"

local tla = {}

-- By type of message: the name of the action, that of the message, and its fields.
local MESSAGES <const> = {
  request_vote = { "RequestVoteRequest", "MsgVote", function(body)
    return { log_term = body.last_term, index = body.last_index }
  end },
  request_vote_ok = { "RequestVoteResponse", "MsgVoteResp", function(body)
    return { reject = not body.granted }
  end },
  append_entries = { "AppendEntriesRequest", "MsgApp", function(body)
    return { entries = #body.entries, log_term = body.prev_term, index = body.prev_index,
      commit = body.commit }
  end },
  append_entries_ok = { "AppendEntriesResponse", "MsgAppResp", function(body)
    if body.success then return { index = body.match } end
    return { index = body.prev_index, reject = true, hint = body.hint_index,
      log_term = body.hint_term }
  end },
  install_snapshot = { "Snapshot", "MsgSnap", function(body)
    return body.done and { index = body.last_index, log_term = body.last_term }
  end },
}

local ROLES <const> = {
  follower = { "BecomeFollower", "StateFollower" }, pre_candidate = { nil, "StatePreCandidate" },
  candidate = { "BecomeCandidate", "StateCandidate" }, leader = { "BecomeLeader", "StateLeader" },
}

---@class jangada.cli.TlaFile
---@field path string
---@field file file*
---@field nodes table<string, table> by id: its state and the length of its log
---@field turn table|nil what is known of the turn under way
---@field configuration string
local TlaFile = {}
TlaFile.__index = TlaFile

--- Makes a file. It is closed by `close`, or at the end of its scope.
---@param path string
---@return jangada.cli.TlaFile
---Raises `input_invalid`.
function tla.create(path)
  local file, message = io.open(path, "wb")
  if not file then errors.raise("input_invalid", "%s", message) end
  return setmetatable({ path = path, file = file, nodes = {}, turn = nil }, TlaFile)
end

local function number_of(id)
  return (id or ""):match("^n(%d+)$") or id or ""
end

local function message_text(kind, src, dest, body, fields)
  return (',"msg":{"type":"%s","term":%d,"from":"%s","to":"%s","entries":%d,"logTerm":%d,'
    .. '"index":%d,"commit":%d,"vote":"","reject":%s,"rejectHint":%d}'):format(kind, body.term,
    number_of(src), number_of(dest), fields.entries or 0, fields.log_term or 0, fields.index or 0,
    fields.commit or 0, fields.reject and "true" or "false", fields.hint or 0)
end

local function write(self, id, name, state, message)
  local line = ('{"tag":"trace","event":{"name":"%s","nid":"%s","state":{"term":%d,"vote":"%s",'
    .. '"commit":%d},"role":"%s","log":%d,"conf":[[%s],[]]%s}}\n'):format(name, number_of(id),
    state.term, number_of(state.vote), state.commit, ROLES[state.role][2], state.last,
    self.configuration, message or "")
  local done, why = self.file:write(line)
  if not done then errors.raise("io_error", "%s: %s", self.path, why) end
end

local function write_message(self, id, verb, row, state)
  local known = MESSAGES[row.body.type]
  local fields = known and row.src:find("^n%d") and row.dest:find("^n%d") and known[3](row.body)
  if not fields then return end
  write(self, id, verb .. known[1], state,
    message_text(known[2], row.src, row.dest, row.body, fields))
end

-- What is known of a node's state when a turn is over.
local function read_state(id, given)
  if type(given) ~= "table" or not ROLES[given.role] or math.type(given.term) ~= "integer"
    or math.type(given.commit) ~= "integer" or math.type(given.last) ~= "integer" then
    errors.raise("input_invalid", "--tla is of protocols that keep role, term, vote, commit and "
      .. "last in node.state, as the reference Raft does; %s does not", id)
  end
  return { role = given.role, term = given.term, vote = given.vote, commit = given.commit,
    last = given.last }
end

-- What has changed between two states.
local function write_changes(self, id, before, after, wrote)
  local became = ROLES[after.role][1]
  if became and (after.role ~= before.role or after.term ~= before.term) then
    local state = { role = after.role, term = after.term, vote = after.vote,
      commit = before.commit, last = before.last }
    write(self, id, became, state)
  end
  if after.role == "leader" and after.last > before.last then
    write(self, id, "Replicate", { role = "leader", term = after.term, vote = after.vote,
      commit = before.commit, last = after.last })
  end
  if after.commit > before.commit then write(self, id, "Commit", after) end
  if wrote then write(self, id, "Ready", after) end
end

local function end_turn(self)
  local turn = self.turn
  self.turn = nil
  if not turn then return end
  local id = turn.node
  local before, after = self.nodes[id], turn.state or self.nodes[id]
  if not after then return end
  if before then
    if turn.received then write_message(self, id, "Receive", turn.received, before) end
    write_changes(self, id, before, after, turn.wrote)
  else
    write(self, id, "InitState", after)
  end
  self.nodes[id] = after
  for _, row in ipairs(turn.sent) do write_message(self, id, "Send", row, after) end
end

local function turn_of(self, id)
  if not self.turn or self.turn.node ~= id then
    end_turn(self)
    self.turn = { node = id, sent = {} }
  end
  return self.turn
end

-- A node that boots with the state in which it went down has no row of it.
local function ensure_known(self, machine)
  if self.nodes[machine.id] or not machine.state then return end
  self.nodes[machine.id] = read_state(machine.id, machine.state)
  write(self, machine.id, "InitState", self.nodes[machine.id])
end

--- Takes an event of a world.
---@param event table
---@param world table
function TlaFile:observe(event, world)
  if not self.configuration then
    local numbers = {}
    for i = 1, #world.nodes do numbers[i] = ('"%d"'):format(i) end
    self.configuration = table.concat(numbers, ",")
  end
  local kind, endpoints = event.kind, world.endpoints
  if kind == "deliver" and not endpoints[event.dest].is_client then
    end_turn(self)
    ensure_known(self, endpoints[event.dest])
    turn_of(self, event.dest).received = event
  elseif kind == "boot" then
    end_turn(self)
    self.nodes[event.node] = nil -- it begins anew
  elseif kind == "send" and not event.copy and self.nodes[event.src] then
    table.insert(turn_of(self, event.src).sent, event)
  elseif kind == "state" then
    local turn = turn_of(self, event.node)
    turn.state, turn.wrote = read_state(event.node, event.state), event.wrote
    end_turn(self) -- it is the last row of a turn
  end
end

--- Writes what is left.
function TlaFile:finish()
  end_turn(self)
  local done, why = self.file:flush()
  if not done then errors.raise("io_error", "%s: %s", self.path, why) end
end

function TlaFile:close()
  self.file:close()
end
TlaFile.__close = TlaFile.close

return tla
