--- What a leader does with a client's commands (section 8).

local clients = require "jangada.raft.clients"
local command = require "jangada.raft.command"
local replication = require "jangada.raft.replication"
local sessions = require "jangada.raft.sessions"

local submit = {}

--- What is wrong with a request, or nil.
local function fault(body)
  local client, number, commands = body.client, body.number, body.commands
  if type(client) ~= "string" or client == "" or #client > command.CLIENT_MAX then
    return "client must be a string of 1 to " .. command.CLIENT_MAX .. " bytes"
  end
  if math.type(number) ~= "integer" or number < 1 then
    return "number must be an integer from 1 on"
  end
  if type(commands) ~= "table" or #commands == 0 or #commands > sessions.ANSWERS_MAX then
    return "commands must be an array of 1 to " .. sessions.ANSWERS_MAX .. " strings"
  end
  for i = 1, #commands do
    if type(commands[i]) ~= "string" then return "commands[" .. i .. "] must be a string" end
  end
  return nil
end

-- The entries of the commands that are new, and their bytes.
local function new_entries(raft, body, number_known)
  local client, first, commands = body.client, body.number, body.commands
  local is_new, term = raft.rules.is_new_command, raft.state.term
  local entries, n, bytes = {}, 0, 0
  for i = 1, #commands do
    local number = first + i - 1
    if is_new(number, number_known) then
      n = n + 1
      local data = command.encode(client, number, commands[i])
      entries[n] = { term = term, type = command.COMMAND, data = data }
      bytes = bytes + #data
    end
  end
  return entries, bytes
end

--- {type = "submit", client = "c1", number = 17, commands = {"...", ...}}: the commands 17, 18, ...
--- of a client. Logs those the log does not have yet, and answers when all of them are applied:
--- {type = "submit_ok", number = (of the last), results = {...}}. With the option `forward` another
--- server hands it on to the leader, and its answer back; what gets lost is submitted again.
---@param raft jangada.Raft
---@param message table
function submit.on_submit(raft, message)
  local body, state = message.body, raft.state
  local text = fault(body)
  if text then return clients.refuse(raft, message, 12, text) end
  if state.role ~= "leader" then
    if raft.options.forward and raft.rules.may_forward(state.leader, message.via) then
      return raft.node:send(state.leader,
        { type = "forward", request = { src = message.src, body = body } })
    end
    return clients.refuse(raft, message, 11, "not the leader")
  end
  local client, number = body.client, body.number
  local known, known_index = sessions.last_logged(raft.sessions, client)
  if number > known + 1 then
    return clients.refuse(raft, message, 22,
      ("command %d leaves a gap: the next one of %s is %d"):format(number, client, known + 1))
  end
  local entries, bytes = new_entries(raft, body, known)
  if #entries == 0 then
    raft.node:reached("duplicate_submit")
    if known_index <= raft.applied then return clients.answer(raft, message) end
    return clients.wait(raft, message, known_index)
  end
  if not raft.rules.admits(raft.uncommitted_bytes, bytes, raft.options.uncommitted_bytes_max) then
    raft.node:reached("submit_not_admitted")
    return clients.refuse(raft, message, 11, "too much is not committed yet")
  end
  raft.uncommitted_bytes = raft.uncommitted_bytes + bytes
  local last = state.last + #entries
  sessions.note_logged(raft.sessions, client, number + #body.commands - 1, last)
  clients.wait(raft, message, last)
  replication.append(raft, entries)
end

--- {type = "forward", request (of a client)} from a server that was asked to submit it.
---@param raft jangada.Raft
---@param message table
function submit.on_forward(raft, message)
  local request = message.body.request
  submit.on_submit(raft, { src = request.src, body = request.body, via = message.src })
end

--- What the leader says to it: {type = "forward_ok", request, answer}.
---@param raft jangada.Raft
---@param message table
function submit.on_forward_ok(raft, message)
  raft.node:reply(message.body.request, message.body.answer)
end

return submit
