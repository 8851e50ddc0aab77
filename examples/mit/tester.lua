-- What the tests of MIT's labs are written with (their config.go), for a world of the lab: who is
-- connected, Start on one server, agreement of so many, how many requests there were.
--
--     local tester = require "examples.mit.tester"
--     return tester.scenario{nodes = 3, test = function(t) t:one("a", 3) end}

local Log = require "jangada.log"
local encoding = require "jangada.raft.command"

local M = {}

local ELECTION_MS <const> = 1000    -- within which the labs want a leader
local AGREE_MS <const> = 10000      -- within which `one` wants agreement
local ATTEMPT_MS <const> = 2000     -- how long it waits before it starts the value again
local POLL_MS <const> = 20

---@class mit.Tester
---@field world table
---@field chance table of the world: what a test draws
---@field count integer nodes
---@field connected table<integer, boolean>
---@field committed table<string, table<string, boolean>> id -> values it has committed
---@field indices table<string, integer> of values that are committed
---@field covered table<string, integer> id -> the last index in its snapshot
---@field requests integer that nodes have sent each other
---@field bytes integer in these, of entries
local Tester = {}
Tester.__index = Tester

M.ELECTION_MS = ELECTION_MS

---Ends the run: the test has failed.
---@param format string
function Tester:fail(format, ...)
  self.world:fail{ kind = "test_failed", message = format:format(...) }
end

-- A test is left where its world has a verdict: nothing would happen any more.
local OVER <const> = {}

---Lets time pass.
---@param ms number
function Tester:run(ms)
  self.world:run(ms)
  if self.world.verdict then error(OVER, 0) end
end

function Tester:check(holds, format, ...)
  if not holds then self:fail(format, ...) end
  if self.world.verdict then error(OVER, 0) end
end

---------------------------------------------------------------------------------------------------
-- Who reaches whom: each that is cut off is a group of its own. Clients reach all.

local function settle(self)
  local groups = {}
  for i = 1, self.count do
    if not self.connected[i] then groups[#groups + 1] = { i } end
  end
  if #groups > 0 then self.world:partition(groups) else self.world:rejoin() end
end

---@param ... integer nodes
function Tester:disconnect(...)
  for _, i in ipairs{ ... } do self.connected[i] = false end
  settle(self)
end

---@param ... integer nodes
function Tester:connect(...)
  for _, i in ipairs{ ... } do self.connected[i] = true end
  settle(self)
end

---The node so many places after another one.
function Tester:after(i, n) return (i - 1 + n) % self.count + 1 end

function Tester:is_up(i) return self.world.nodes[i].up end

function Tester:crash(i) self.world:crash(i) end

---Boots a node, which is connected then.
function Tester:restart(i)
  self.world:restart(i)
  self:connect(i)
end

---------------------------------------------------------------------------------------------------
-- Commands

local function leads(self, i)
  local state = self.world.nodes[i].state
  return state ~= nil and state.role == "leader"
end

-- A session of a client is one value: it is committed once, however often it is started.
local function new_session(self)
  self.sessions = self.sessions + 1
  return "x" .. self.sessions
end

-- Start: the command reaches the node at once, if it leads; nobody waits for the answer.
local function start(self, i, value, session)
  if not leads(self, i) then return false end
  local world = self.world
  while not world.verdict do -- until it is not lost on its way
    self.client:send("n" .. i, { type = "submit", client = session, number = 1,
      commands = { value } })
    for _, pending in ipairs(world:pending()) do
      if pending.src == self.client.id then
        world:take(pending, world.time_us)
        return true
      end
    end
  end
  return false
end

---Starts a value on a node.
---@return boolean started false when it does not lead
function Tester:start(i, value) return start(self, i, tostring(value), new_session(self)) end

---How many nodes have committed a value.
function Tester:committers(value)
  local count = 0
  for i = 1, self.count do
    local id, index = "n" .. i, self.indices[tostring(value)]
    if self.committed[id][tostring(value)] or index and index <= self.covered[id] then
      count = count + 1
    end
  end
  return count
end

---The bytes in the largest log.
function Tester:log_bytes()
  local most = 0
  for _, machine in ipairs(self.world.nodes) do
    if machine.up then most = math.max(most, Log.open(machine.db, "replog"):stats().bytes) end
  end
  return most
end

local function leader_of(self)
  local leader
  for i = 1, self.count do
    local state = self.world.nodes[i].state
    if self.connected[i] and leads(self, i)
      and (not leader or state.term > self.world.nodes[leader].state.term) then
      leader = i
    end
  end
  return leader
end

---A node that leads, among those that are connected; waits for one.
---@return integer
function Tester:leader()
  for _ = 1, 5 * ELECTION_MS, POLL_MS do
    local leader = leader_of(self)
    if leader then return leader end
    self:run(POLL_MS)
  end
  return self:check(false, "no leader among those that are connected")
end

---Begins an agreement: a value is started, again and again, until so many have committed it.
---@return {is_done: boolean}
function Tester:begin(value, expected)
  value = tostring(value)
  local agreement = { is_done = false, value = value, expected = expected,
    session = new_session(self), due_us = 0 }
  self.agreements[#self.agreements + 1] = agreement
  return agreement
end

local function poll(self, agreement)
  agreement.is_done = self:committers(agreement.value) >= agreement.expected
  local now_us = self.world.time_us
  if agreement.is_done or now_us < agreement.due_us then return end
  local leader = leader_of(self)
  if leader and start(self, leader, agreement.value, agreement.session) then
    agreement.due_us = now_us + ATTEMPT_MS * 1000
  end
end

---Waits for the agreements that were begun.
function Tester:agree()
  local limit_us = self.world.time_us + AGREE_MS * 1000
  while #self.agreements > 0 do
    local left = {}
    for _, agreement in ipairs(self.agreements) do
      poll(self, agreement)
      if not agreement.is_done then left[#left + 1] = agreement end
    end
    self.agreements = left
    self:check(#left == 0 or self.world.time_us < limit_us,
      "no agreement on %s by %d nodes in %d ms", left[1] and left[1].value,
      left[1] and left[1].expected, AGREE_MS)
    if #left > 0 then self:run(POLL_MS) end
  end
end

---Agrees on a value: so many nodes commit it.
---@param value any
---@param expected integer
function Tester:one(value, expected)
  self:begin(value, expected)
  self:agree()
end

---A value that nobody has used.
---@param length? integer
function Tester:value(length)
  self.values = self.values + 1
  return ("v%d"):format(self.values) .. ("x"):rep((length or 0) - 8)
end

---------------------------------------------------------------------------------------------------
-- Scenarios

local REQUESTS <const> = { request_pre_vote = true, request_vote = true, append_entries = true }

local function count_requests(t, event)
  if event.kind ~= "send" or not REQUESTS[event.body.type] then return end
  t.requests = t.requests + 1
  for _, entry in ipairs(event.body.entries or {}) do
    t.bytes = t.bytes + #(type(entry) == "table" and entry.data or entry)
  end
end

local function new_tester(world)
  local t = setmetatable({ world = world, chance = world.oracle:stream("test"),
    count = #world.nodes, connected = {}, committed = {}, indices = {}, covered = {},
    client = world:client("tester"),
    sessions = 0, values = 0, agreements = {}, requests = 0, bytes = 0 }, Tester)
  for i, machine in ipairs(world.nodes) do
    t.connected[i], t.committed[machine.id], t.covered[machine.id] = true, {}, 0
  end
  world:watch{ name = "tester",
    committed = function(_, machine, index, _, data)
      if data ~= "" then
        local _, _, value = encoding.decode(data)
        t.committed[machine.id][value], t.indices[value] = true, index
      end
    end,
    noted = function(_, machine, name, fields)
      if name == "snapshot" then t.covered[machine.id] = fields.index end
    end,
    booted = function(_, machine) t.committed[machine.id] = {} end }
  return t
end

--- How an unreliable network of the labs is: slow, and one in ten messages is lost.
M.UNRELIABLE = { delay_ms = { 0, 26 }, loss = 0.1 }

---Makes the network reliable again.
function Tester:become_reliable()
  self.world:set_loss(0)
  self.world:set_delay{ 1, 10 }
  self.world:set_reorder(nil)
end

---A scenario that runs a test.
---@param options {nodes: integer, unreliable: boolean|nil, observes: boolean|nil,
---compaction: table|nil, test: fun(t: mit.Tester)}
---@return table
function M.scenario(options)
  local t
  return {
    nodes = options.nodes,
    protocol = "jangada.raft.protocol",
    options = { machine = "list", compaction = options.compaction },
    network = options.unreliable and M.UNRELIABLE or { delay_ms = { 1, 10 } },
    invariants = { "raft" },
    observe = options.observes and function(event)
      if t then count_requests(t, event) end
    end or nil,
    script = function(world)
      t = new_tester(world)
      local ok, failure = pcall(options.test, t)
      if not ok and failure ~= OVER then error(failure, 0) end
    end,
  }
end

return M
