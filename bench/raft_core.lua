-- Our Raft in memory: three nodes, messages that arrive at once and in order, and a client with a
-- window of commands on their way. bench/peers/etcd_raft.go does the same with etcd's.
--
-- A node here is the least that the contract asks for (jangada.node): no world, no copies, no
-- digests; its log is in memory (jangada.log.memory), and no time goes by.
--
-- usage: lua5.4 bench/raft_core.lua each|all SIZE WINDOW    each: a command a request
--                                                           all: what the window has room for
--
-- A line of standard input is a turn: how many commands to commit. It is answered with the seconds
-- they took; the end of the input with a JSON object: who, commits, messages.

local clock = require "clock"
local memory = require "jangada.log.memory"
local raft = require "jangada.raft"

local IDS <const> = { "n1", "n2", "n3" }
local HOW <const>, SIZE <const> = arg[1], math.tointeger(tonumber(arg[2]))
local WINDOW <const> = math.tointeger(tonumber(arg[3]))
if #arg ~= 3 or HOW ~= "each" and HOW ~= "all" or not SIZE or not WINDOW then
  io.stderr:write("usage: lua5.4 bench/raft_core.lua each|all SIZE WINDOW\n")
  os.exit(2)
end

local nodes, queue = {}, { first = 1, last = 0 }
local now_ms, messages, answered = 0, 0, 0

local function push(message)
  local last = queue.last + 1
  queue[last], queue.last = message, last
end

local methods = {}
methods.__index = methods

function methods:on(kind, handler) self.handlers[kind] = handler end
function methods:send(dest, body) push{ src = self.id, dest = dest, body = body } end
function methods:reply(message, body) self:send(message.src, body) end

function methods:broadcast(body)
  for _, id in ipairs(IDS) do
    if id ~= self.id then self:send(id, body) end
  end
end

local timer = { cancel = function() end }

function methods:after(_, fn)
  self.alarm = fn
  return timer
end

function methods.every() return timer end
function methods.now() return now_ms end
function methods.random(_, least) return least end
function methods.maybe() return false end
function methods.trace() end
function methods.committed() end
function methods.reached() end

local function step()
  local first = queue.first
  local message = queue[first]
  if not message then return false end
  queue[first], queue.first = nil, first + 1
  if message.dest == "client" then
    local body = message.body
    if body.type ~= "submit_ok" then error("the client was refused: " .. tostring(body.text)) end
    answered = body.number
  else
    messages = messages + 1
    nodes[message.dest].handlers[message.body.type](message)
  end
  return true
end

for _, id in ipairs(IDS) do
  local node = setmetatable({ id = id, peers = IDS, db = memory.open(), handlers = {} }, methods)
  nodes[id] = node
  raft.protocol(node)
end
now_ms = 1000 -- the first node finds that it has heard of nobody for too long
nodes.n1.alarm()
while step() do end -- luacheck: ignore
assert(nodes.n1.state.role == "leader", "no leader was elected")

local command, submitted = ("x"):rep(SIZE), 0

-- Sends what the window has room for, up to a number.
local function submit(upto)
  local most = math.min(upto, answered + WINDOW)
  while submitted < most do
    local count = HOW == "each" and 1 or most - submitted
    local commands = {}
    for i = 1, count do commands[i] = command end
    nodes.n1.handlers.submit{ src = "client", dest = "n1",
      body = { type = "submit", client = "c", number = submitted + 1, commands = commands } }
    submitted = submitted + count
  end
end

local begin = messages
for line in io.lines() do
  local upto = submitted + tonumber(line)
  local started = clock.now()
  repeat submit(upto) until not step()
  print(("%.6f"):format(clock.now() - started))
  io.stdout:flush()
  if answered ~= upto then error(("%d of %d commands were committed"):format(answered, upto)) end
end
print(('{"who":"jangada","commits":%d,"messages":%d}'):format(answered, messages - begin))
