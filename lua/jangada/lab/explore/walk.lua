-- An explored world: one whose next event is chosen, whose states can be told apart, and that can
-- be gone back to by walking the same steps again.
--
-- Nothing in it has a time. A message arrives when it is chosen to; a timer fires when it is chosen
-- to, after those of its node that are due before it. Each node has a clock of its own, which goes
-- forward only when one of its own timers fires, to when that was due. So what a node does depends
-- on what has happened to it alone, and events of different nodes can change places.
--
-- An action is a table:
--
--     kind     deliver, drop, duplicate, timeout, crash, restart
--     key      what it is: the same action in another state has the same key
--     owner    the node or client whose turn it is; nil if it may touch anything
--     nth      of an event: its place in World:pending
--     text     for a person

local errors = require "jangada.errors"
local explore_bounds = require "jangada.lab.explore.bounds"
local lab = require "jangada.lab"
local memories = require "jangada.lab.explore.memory"
local plain = require "jangada.node.plain"
local stores = require "jangada.lab.explore.stores"

local mix, hash_string, try_digest = plain.mix, plain.hash_string, plain.try_digest

local Walk = {}
Walk.__index = Walk
Walk.__name = "jangada.lab.Walk"

local M = {}

-- What an action of a kind takes.
local COSTS <const> = {deliver = "messages", drop = "drops", duplicate = "duplicates",
  timeout = "timeouts", crash = "crashes"}
local BUDGETS <const>, UNBOUNDED <const> = explore_bounds.budgets, explore_bounds.UNBOUNDED

-- Decisions of so many ways are all taken; of others, such as a time from 150 to 300 ms, the first.
local function choose_by(self)
  return function(n, tag)
    if n > self.bounds.choices then return 0 end
    if tag:find("^maybe ") and self.left.maybes == 0 then return 0 end
    local asked = self.asked
    local place = #asked + 1
    local way = self.ways[place] or 0
    asked[place] = {n = n, way = way}
    if tag:find("^maybe ") then self.left.maybes = self.left.maybes - way end
    return way
  end
end

---Makes a walk; `begin` makes its world. It is to be closed.
---@param make fun(): table gives the options of lab.new, made afresh
---@param bounds table jangada.lab.explore.bounds
---@return table walk
function M.new(make, bounds)
  return setmetatable({
    make = make, bounds = bounds,
    observe = nil,   -- of the worlds to come
    world = nil, stores = nil, source = nil,
    shared = memories.leaves(),
    left = {},       -- budgets
    clocks = {},     -- id -> microseconds
    stored = {},     -- id -> digest of the store of a node that is down
    parts = {},      -- id -> digest of a node or client, unless something has happened to it
    ways = {},       -- the decisions of the action under way that are given
    asked = {},      -- those that were taken
    events = false,  -- World:pending, until something happens
  }, Walk)
end

---Ends the world; the next one uses its stores.
function Walk:leave()
  if not self.world then return end
  self.stores:keep(self.world)
  self.world:close()
  self.world = nil
end

function Walk:close()
  self:leave()
  if self.stores then self.stores:close() end
end
Walk.__close = Walk.close

---Makes the world anew, at its beginning.
---@param ways integer[] decisions that its boots take
function Walk:begin(ways)
  self:leave()
  local options = {}
  for name, value in pairs(self.make()) do options[name] = value end
  options.network = {delay_ms = {"constant", 0}, fifo = (options.network or {}).fifo}
  options.faults, options.disk, options.directory, options.durability = nil, nil, nil, "none"
  options.maybe_rate, options.choose = 0.5, choose_by(self)
  options.observe = self.observe
  local ids = {}
  for i = 1, options.nodes or 3 do ids[i] = "n" .. i end
  self.stores = self.stores or stores.new(ids)
  self.stores:begin(ids)
  self.clocks, self.parts, self.left, self.events = {}, {}, {}, false
  for _, name in ipairs(BUDGETS) do self.left[name] = self.bounds[name] end
  self.ways, self.asked = ways, {}
  local world = lab.new(options, {disk = self.stores, source = self.source})
  self.world, self.source = world, world.source
  self.leaves = setmetatable({}, {__index = self.shared})
  for id, endpoint in pairs(world.endpoints) do
    self.leaves[endpoint] = endpoint.index
    self.clocks[id] = 0
  end
end

---------------------------------------------------------------------------------------------------
-- What can happen

local function add(self, actions, action)
  local cost = COSTS[action.kind]
  if not cost or self.left[cost] > 0 then actions[#actions + 1] = action end
end

local function add_message(self, actions, pending, nth, digest)
  local text = ("%s>%s %s"):format(pending.src, pending.dest, pending.body.type)
  local function one(kind, salt)
    add(self, actions, {kind = kind, key = mix(digest, salt), owner = pending.dest, nth = nth,
      text = text})
  end
  one("deliver", 1)
  one("drop", 2)
  if self.left.messages > 0 then one("duplicate", 3) end
end

-- What waits, by whom it concerns: the first of each comes first.
local function add_timers(self, actions, pending, nth, lists)
  local owner = pending.node or pending.client or ""
  local list = lists[owner]
  if not list then
    list = {}
    lists[owner] = list
    add(self, actions, {kind = "timeout", key = "timeout " .. owner,
      owner = owner ~= "" and owner or nil, nth = nth, text = owner})
  end
  list[#list + 1] = pending.node and pending.value or pending
end

local function add_nodes(self, actions)
  for _, machine in ipairs(self.world.nodes) do
    local kind = machine.up and "crash" or "restart"
    add(self, actions, {kind = kind, key = kind .. " " .. machine.id, owner = machine.id,
      text = machine.id})
  end
end

-- The actions there are, the digest of the messages on their way, and who waits for what.
local function look(self)
  local actions, lists, seen, links, flying = {}, {}, {}, {}, 0
  self.events = self.events or self.world:pending()
  for nth, pending in ipairs(self.events) do
    if pending.kind == "message" then
      local digest = try_digest(pending.value)
      local link = pending.src .. ">" .. pending.dest
      local place = (links[link] or 0) + 1
      links[link] = place
      local is_fifo = self.world.network.fifo
      flying = flying + mix(digest, is_fifo and place or 0)
      if not seen[digest] and (place == 1 or not is_fifo) then
        add_message(self, actions, pending, nth, digest)
      end
      seen[digest] = true
    else
      add_timers(self, actions, pending, nth, lists)
    end
  end
  add_nodes(self, actions)
  return actions, flying, lists
end

---------------------------------------------------------------------------------------------------
-- Which state it is

local function node_part(self, machine, timers)
  if not machine.up then return mix(self.stored[machine.id], 0) end
  local memory = memories.new(self.leaves, self.clocks[machine.id])
  memory:fold(self.clocks[machine.id])
  memory:walk(machine.life.node)
  memory:walk(machine.life.handlers)
  memory:walk(timers)
  return mix(memory.value, stores.digest(machine.db))
end

local function client_part(self, client, steps)
  local memory = memories.new(self.leaves, self.clocks[client.id])
  memory:fold(client.requests)
  memory:walk(client.handlers)
  memory:walk(client.pending)
  for _, pending in ipairs(steps or {}) do
    memory:fold(pending.time_us - self.clocks[client.id])
    memory:walk(pending.value.id)
    memory:walk(pending.value.run)
  end
  return memory.value
end

local function judges_part(self)
  local memory = memories.new(self.leaves, 0)
  memory:walk(self.world.judges)
  return memory.value
end

---What the world is at.
---@return integer digest of the state: what nodes and clients hold in memory, what they have
---stored, what is on its way, what invariants remember, and what may still be spent
---@return table[] actions
function Walk:state()
  local actions, value, lists = look(self)
  value = mix(value, judges_part(self))
  for _, name in ipairs(BUDGETS) do
    if self.bounds[name] < UNBOUNDED then value = mix(value, self.left[name]) end
  end
  for _, machine in ipairs(self.world.nodes) do
    local id = machine.id
    self.parts[id] = self.parts[id] or node_part(self, machine, lists[id])
    value = mix(value, self.parts[id])
  end
  local others = 0
  for id, endpoint in pairs(self.world.endpoints) do
    if endpoint.is_client then
      self.parts[id] = self.parts[id] or client_part(self, endpoint, lists[id])
      others = others + mix(hash_string(id), self.parts[id])
    end
  end
  return mix(value, others + #(lists[""] or {})), actions
end

---------------------------------------------------------------------------------------------------
-- What happens

local perform = {}

function perform.deliver(self, pending)
  self.world:take(pending, self.clocks[pending.dest])
end

function perform.drop(self, pending)
  self.world:discard(pending)
end

function perform.duplicate(self, pending)
  self.world:push(pending.time_us, {src = pending.src, dest = pending.dest,
    body = plain.clone(pending.body)})
  perform.deliver(self, pending)
end

function perform.timeout(self, pending)
  local id = pending.node or pending.client or ""
  local clock_us = math.max(self.clocks[id] or 0, pending.time_us)
  self.clocks[id] = clock_us
  self.world:take(pending, clock_us)
end

function perform.crash(self, _, action)
  self.stored[action.owner] = stores.digest(self.world:node(action.owner).db)
  self.world:crash(action.owner)
end

function perform.restart(self, _, action)
  self.world.time_us = self.clocks[action.owner]
  self.world:restart(action.owner)
end

---Takes an action of the state that the world is at.
---@param action table
---@param ways integer[] decisions that it takes; the first way beyond them
---@return {n: integer, way: integer}[] asked all decisions that it has taken
---Raises `path_lost` when the action is of another world.
function Walk:perform(action, ways)
  local pending, cost = self:event(action), COSTS[action.kind]
  if action.nth and (not pending or (action.kind == "timeout") ~= (pending.body == nil)) then
    errors.raise("path_lost", "there is nothing to %s: %s", action.kind, action.text)
  end
  self.ways, self.asked, self.events = ways, {}, false
  if cost then self.left[cost] = self.left[cost] - 1 end
  if action.kind == "duplicate" then self.left.messages = self.left.messages - 1 end
  if action.owner then self.parts[action.owner] = nil else self.parts = {} end
  perform[action.kind](self, pending, action)
  return self.asked
end

---What can happen next.
---@return table[] actions
function Walk:actions()
  return (look(self))
end

---What an event of an action is.
---@param action table
---@return jangada.Pending|nil pending nil if it is no event
function Walk:event(action)
  self.events = self.events or self.world:pending()
  return self.events[action.nth]
end

return M
