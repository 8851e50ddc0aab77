--- What clients are told, and who waits for what.
--
-- A request waits for the index of its last command. It is answered when that is applied, or
-- refused when the leader is deposed: its commands are then in a log, but whether they will be
-- committed is for the next leader to say, and the client sends them again.
--
-- Error codes are Maelstrom's: 11 not here, try another server; 12 malformed; 13 it may have
-- happened or not; 22 not in this state.

local sessions = require "jangada.raft.sessions"

local clients = {}

--- Answers a client, through the server that has forwarded its request if one has (`via`).
---@param raft jangada.Raft
---@param message table the request
---@param body table
function clients.tell(raft, message, body)
  if not message.via then return raft.node:reply(message, body) end
  raft.node:send(message.via, { type = "forward_ok", answer = body,
    request = { src = message.src, body = { msg_id = message.body.msg_id } } })
end

---@param raft jangada.Raft
---@param message table the request
---@param code integer
---@param text string
function clients.refuse(raft, message, code, text)
  clients.tell(raft, message, {
    type = "error", code = code, text = text, leader = raft.state.leader,
  })
end

--- Answers a request whose commands are all applied.
---@param raft jangada.Raft
---@param message table
function clients.answer(raft, message)
  local body = message.body
  local last = body.number + #body.commands - 1
  local results = sessions.answers(raft.sessions, body.client, body.number, last)
  if results then
    clients.tell(raft, message, { type = "submit_ok", number = last, results = results })
  else
    clients.refuse(raft, message, 22, "done, but too long ago for the answers to be kept")
  end
end

--- Lets a request wait until an index is applied.
---@param raft jangada.Raft
---@param message table
---@param index integer
function clients.wait(raft, message, index)
  local waiting = raft.waiting[index]
  if waiting then
    waiting[#waiting + 1] = message
  else
    raft.waiting[index] = { message }
  end
end

--- Answers the requests that waited for an index.
---@param raft jangada.Raft
---@param index integer applied just now
function clients.answer_waiting(raft, index)
  local waiting = raft.waiting[index]
  if not waiting then return end
  raft.waiting[index] = nil
  for _, message in ipairs(waiting) do clients.answer(raft, message) end
end

--- Answers the reads that have waited for what is applied now.
---@param raft jangada.Raft
function clients.answer_reads(raft)
  local reading, applied = raft.reading, raft.applied
  raft.reading = {}
  for _, read in ipairs(reading) do
    local request = read.request
    if read.index > applied then
      raft.reading[#raft.reading + 1] = read
    else
      local result = raft.machine:query(request.body.query)
      if result == nil then
        clients.refuse(raft, request, 12, "query is none of this machine")
      else
        raft.node:reply(request, { type = "read_ok", result = result, index = applied })
      end
    end
  end
end

--- Answers a server that asked for a read index.
---@param raft jangada.Raft
---@param message table
---@param index integer|nil nil: this server cannot say
function clients.tell_index(raft, message, index)
  raft.node:reply(message,
    { type = "read_index_ok", request = message.body.request, index = index })
end

--- Refuses all who wait: this server leads no more. A read has done nothing and may be asked again.
---@param raft jangada.Raft
function clients.refuse_waiting(raft)
  local waiting, reads = raft.waiting, raft.reads
  raft.waiting, raft.reads = {}, {}
  for _, read in ipairs(reads) do
    if read.message.body.type == "read" then
      clients.refuse(raft, read.message, 11, "deposed")
    else
      clients.tell_index(raft, read.message, nil)
    end
  end
  for index = raft.applied + 1, raft.log:last_index() do
    for _, message in ipairs(waiting[index] or {}) do
      clients.refuse(raft, message, 13, "deposed before the commands were committed")
    end
  end
end

return clients
