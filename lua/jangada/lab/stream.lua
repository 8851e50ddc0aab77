-- A client that submits a list of commands in order: one batch on its way at a time, again and
-- again until a leader has acknowledged it.
--
-- Commands are numbered 1, 2, 3... A batch that may or may not have been logged is submitted again
-- under the same numbers, so the cluster can tell what it has; that is how each command is logged
-- once, through crashes of the leader too. Who leads is learnt from answers; when there is none,
-- the next node is asked.
--
--     local stream = lab.stream{commands = {"a", "b", "c"}}
--     local world <close> = lab.new{protocol = "jangada.raft.protocol", clients = {stream}}
--     world:run_until(function() return stream.done end, 10000)

local errors = require "jangada.errors"
local encoding = require "jangada.raft.command"
local options = require "jangada.lab.options"

local Stream = {}
Stream.__index = Stream
Stream.__name = "jangada.lab.Stream"

local M = {}

local function is_text(value) return type(value) == "string" end

local texts = options.list(is_text, "a list of texts, or a function that returns the next one")

local RULES <const> = {
  commands = {{text = texts.text, is = function(value)
    return type(value) == "function" or texts.is(value)
  end}},
  batch_max = {options.integer(1), 64}, bytes_max = {options.integer(1), 65536},
  timeout_ms = {options.time_ms, 500}, retry_ms = {options.time_ms, 20},
}

local MALFORMED <const> = 12 -- Maelstrom's code for a request that no retry will mend

--- The rules of its options (jangada.lab.options).
M.RULES = RULES

---Makes a stream, to be named among a world's `clients`.
---
---  commands      string[], or a function that returns the next command, nil after the last
---  batch_max     commands in a request (64)
---  bytes_max     bytes in a request, but for one command that is longer (65536)
---  timeout_ms    how long to wait for an answer (500)
---  retry_ms      how long to wait before asking again (20)
---
---@param given jangada.lab.StreamOptions
---@return table stream `done`, `acknowledged` (commands known committed), `retries`, `results`
---(what the last batch came to)
---Raises `option_unknown`, `option_invalid`.
function M.new(given)
  local complete = options.read("lab.stream", given, RULES)
  local commands = complete.commands
  if not commands then
    errors.raise("option_invalid", "lab.stream needs commands: %s", texts.text)
  end
  if type(commands) == "table" then
    local list, i = commands, 0
    commands = function()
      i = i + 1
      return list[i]
    end
  end
  return setmetatable({
    next_command = commands,
    batch_max = complete.batch_max,
    bytes_max = complete.bytes_max,
    timeout_ms = complete.timeout_ms,
    retry_ms = complete.retry_ms,
    client = nil,         -- set by `start`
    spare = nil,          -- a command that was read but did not fit into the batch
    taken = 0,            -- how many commands there were so far
    batch = {},           -- the commands on their way
    target = 1,           -- index of the node that is asked
    acknowledged = 0,
    answered = 0, answered_us = nil, -- batches that were, and when the last one was
    retries = 0,
    results = nil,
    done = false,
  }, Stream)
end

local function fill_batch(self)
  local batch, n, bytes = {}, 0, 0
  while n < self.batch_max do
    local command = self.spare
    if not command and self.taken < self.client.world.operations_max then
      command = self.next_command()
      if command ~= nil then self.taken = self.taken + 1 end
      if command ~= nil and not is_text(command) then
        errors.raise("option_invalid", "commands of lab.stream are texts; command %d is %s",
          self.taken, options.show(command))
      end
    end
    self.spare = nil
    if command == nil then break end
    if n > 0 and bytes + #command > self.bytes_max then
      self.spare = command
      break
    end
    n, bytes = n + 1, bytes + #command
    batch[n] = command
  end
  self.batch = batch
  return n > 0
end

local function follow(self, leader)
  local endpoint = leader and self.client.world.endpoints[leader]
  if endpoint and not endpoint.is_client and endpoint.index ~= self.target then
    self.target = endpoint.index
  else
    self.target = self.target % #self.client.world.nodes + 1
  end
end

local function acknowledge(self)
  local client, first = self.client, self.acknowledged + 1
  for i, payload in ipairs(self.batch) do
    client:acknowledged(encoding.encode(client.id, first + i - 1, payload))
  end
end

local submit

local function on_answer(self, answer)
  if answer and answer.type == "submit_ok" then
    if self.client.world.judges.acknowledged then acknowledge(self) end
    self.acknowledged = self.acknowledged + #self.batch
    self.answered, self.answered_us = self.answered + 1, self.client.world.time_us
    self.results = answer.results
    if fill_batch(self) then submit(self) else self.done = true end
    return
  end
  if answer and answer.code == MALFORMED then
    errors.raise("command_refused", "command %d was refused: %s", self.acknowledged + 1,
      tostring(answer.text))
  end
  self.retries = self.retries + 1
  follow(self, answer and answer.leader)
  if answer then
    self.client:after(self.retry_ms, function() submit(self) end)
  else
    submit(self)
  end
end

function submit(self)
  local client = self.client
  client:request(client.world.ids[self.target], {
    type = "submit", client = client.id, number = self.acknowledged + 1, commands = self.batch,
  }, self.timeout_ms, self.on_answer)
end

---Begins to submit. The world does.
---@param client table
function Stream:start(client)
  self.client = client
  self.on_answer = function(answer) on_answer(self, answer) end
  if fill_batch(self) then submit(self) else self.done = true end
end

---Whether a client is a stream.
---@param client any
---@return boolean
function M.is_stream(client)
  return getmetatable(client) == Stream
end

return M
