--- Client sessions (section 8): what makes a command take effect once, however often it is sent.
--
-- A client numbers its commands 1, 2, 3 and so on, and sends them in order. Two things are known of
-- each client:
--
--   * what was *applied* of it: the last number, and the answers to the last commands. This is a
--     part of the replicated state, the same on every server at the same index;
--   * what a leader has *logged* of it, committed or not: the last number and its index. A leader
--     never removes an entry, so it reads this out of its log once, when it is elected, and no
--     truncation has to be followed.

local command = require "jangada.raft.command"

local sessions = {}

--- How many answers are kept of a client; it may ask again for those. Also the most commands that
--- can be submitted together.
sessions.ANSWERS_MAX = 1024

local ANSWERS_MAX <const> = sessions.ANSWERS_MAX

---@class jangada.raft.Session
---@field applied integer the last number applied, 0 before the first
---@field answers table<integer, any> the last ANSWERS_MAX of them, by number % ANSWERS_MAX

---@class jangada.raft.Sessions
---@field applied table<string, jangada.raft.Session> by client
---@field logged table<string, {number: integer, index: integer}> by client, while leading

---@return jangada.raft.Sessions
function sessions.new()
  return { applied = {}, logged = {} }
end

--- Applies a command, unless it has been already.
---@param self jangada.raft.Sessions
---@param rules table
---@param machine table
---@param data string of the entry
function sessions.apply(self, rules, machine, data)
  local client, number, payload = command.decode(data)
  local session = self.applied[client]
  if not session then
    session = { applied = 0, answers = {} }
    self.applied[client] = session
  end
  if not rules.is_new_command(number, session.applied) then return end
  session.applied = number
  session.answers[number % ANSWERS_MAX] = machine:apply(payload)
end

--- Learns what the log holds of each client beyond what is applied: once, by a new leader.
---@param self jangada.raft.Sessions
---@param log jangada.Log
---@param applied integer the index of the last entry applied
---@return integer bytes of the commands beyond it
function sessions.read_log(self, log, applied)
  local bytes = 0
  self.logged = {}
  for index, entry in log:each(applied + 1) do
    if entry.type == command.COMMAND then
      local client, number = command.decode(entry.data)
      sessions.note_logged(self, client, number, index)
      bytes = bytes + #entry.data
    end
  end
  return bytes
end

---@param self jangada.raft.Sessions
---@param client string
---@param number integer the last one logged
---@param index integer where
function sessions.note_logged(self, client, number, index)
  local known = self.logged[client]
  if known then
    known.number, known.index = number, index
  else
    self.logged[client] = { number = number, index = index }
  end
end

--- The last number that a leader's log has of a client, and where; 0, 0 if none.
---@param self jangada.raft.Sessions
---@param client string
---@return integer number
---@return integer index 0 if it is known to be applied
function sessions.last_logged(self, client)
  local known = self.logged[client]
  if known then return known.number, known.index end
  local session = self.applied[client]
  return session and session.applied or 0, 0
end

--- The answers to a client's commands from one number to another, once all are applied.
---@param self jangada.raft.Sessions
---@param client string
---@param first integer
---@param last integer
---@return any[]|nil answers nil if some of them are no longer kept
function sessions.answers(self, client, first, last)
  local session = self.applied[client]
  if first <= session.applied - ANSWERS_MAX then return nil end
  local kept, answers = session.answers, {}
  for number = first, last do
    answers[#answers + 1] = kept[number % ANSWERS_MAX]
  end
  return answers
end

return sessions
