-- Exploration: all that can happen in a small world, up to a bound, in every order.
--
--     local found = lab.explore(function() return {nodes = 3, protocol = "paxos.lua"} end,
--       {timeouts = 2, crashes = 1})
--     print(found.verdict, found.states, found.is_exhausted)
--
-- A search in depth over the actions of jangada.lab.explore.walk. Two things keep it from taking
-- all orders of all actions:
--
-- States are known by their digests: what was explored from one is not explored again.
--
-- Sleep sets (Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996,
-- 5.2): when a and b concern different nodes, ab and ba lead to one state. So when all behind a has
-- been explored, a sleeps behind b, until something happens that does not commute with it. No state
-- is missed by that, only second ways to it. A state that is met again is explored again for what
-- slept at the first time and does not now (Godefroid, 5.3), and when more steps are left than were
-- then.

local explore_bounds = require "jangada.lab.explore.bounds"
local paths = require "jangada.lab.explore.path"
local walks = require "jangada.lab.explore.walk"

local M = {}

---@class jangada.Exploration
---@field states integer how many different ones were met
---@field transitions integer actions taken, without those of walking back
---@field slept integer actions that were not taken since they slept
---@field known integer times that a state was met which had nothing new
---@field ends integer states at which nothing more could happen, or nothing was left to spend
---@field deepest integer the longest way
---@field cut integer states at which the depth was used up
---@field is_exhausted boolean all within the bounds was seen
---@field verdict jangada.Verdict|nil what was found
---@field path jangada.lab.Path|nil what has led to it

local Search = {}
Search.__index = Search

-- Two actions commute when the turns they are belong to different nodes or clients.
local function commute(a, b)
  return a.owner ~= nil and b.owner ~= nil and a.owner ~= b.owner
end

-- What sleeps behind an action: of those that slept and those that were taken, what commutes.
local function sleep_behind(sleep, action)
  local behind = {}
  for key, other in pairs(sleep) do
    if commute(action, other) then behind[key] = other end
  end
  return behind
end

local function has_all(set, other)
  for key in pairs(other) do
    if not set[key] then return false end
  end
  return true
end

-- What is to be done at a state: the actions of `only`, or all if it is nil; false for nothing.
-- What is noted is what has been done when the search comes back from it.
function Search:recall(digest, sleep, steps)
  local known = self.visited[digest]
  if not known then
    self.found.states = self.found.states + 1
    self.visited[digest] = {steps = steps, sleep = sleep}
    return nil
  end
  if steps > known.steps then
    known.steps, known.sleep = steps, sleep
    return nil
  end
  if has_all(sleep, known.sleep) then return false end
  local only, both = {}, {}
  for key, action in pairs(known.sleep) do
    if sleep[key] then both[key] = action else only[key] = true end
  end
  known.steps, known.sleep = steps, both
  return only, both
end

local function next_ways(asked)
  for place = #asked, 1, -1 do
    if asked[place].way + 1 < asked[place].n then
      local ways = {}
      for i = 1, place do ways[i] = asked[i].way end
      ways[place] = ways[place] + 1
      return ways
    end
  end
  return nil
end

local function has_failed(self)
  local world, found = self.walk.world, self.found
  if not world.verdict then return false end
  found.path, found.verdict = paths.shorten(self.walk,
    table.move(self.path, 1, #self.path, 1, {}))
  self.is_over = true
  return true
end

local function is_over(self)
  local found = self.found
  self.is_over = self.is_over or found.states >= self.bounds.states
    or self.watch ~= nil and self.watch(found) == false
  return self.is_over
end

-- Takes an action of the state at the end of the path, in each of its ways, and goes on from there.
function Search:follow(action, sleep, steps)
  local path, walk = self.path, self.walk
  local place, ways = #path + 1, {}
  while ways do
    if self.at ~= place - 1 then paths.go(walk, path) end
    path[place] = {action = action, ways = ways}
    self.at = place
    local asked = walk:perform(action, ways)
    self.found.transitions = self.found.transitions + 1
    for i, decision in ipairs(asked) do ways[i] = decision.way end
    if not has_failed(self) then self:visit(sleep, steps) end
    path[place] = nil
    if is_over(self) then return end
    ways = next_ways(asked)
  end
end

-- The path leads to where the world is.
function Search:visit(sleep, steps)
  local found = self.found
  local digest, actions = self.walk:state()
  if self.on_state then self.on_state(digest, self.walk.world) end
  found.deepest = math.max(found.deepest, #self.path - 1)
  local known = found.states
  local only, both = self:recall(digest, sleep, steps)
  if only == false then
    found.known = found.known + 1
    return
  end
  if #actions == 0 then
    found.ends = found.ends + found.states - known
    self.walk.world:finish()
    has_failed(self)
    return
  elseif steps == 0 then
    found.cut = found.cut + 1
    return
  end
  local asleep = {}
  for key, action in pairs(both or sleep) do asleep[key] = action end
  for _, action in ipairs(actions) do
    if is_over(self) then return end
    if asleep[action.key] then
      found.slept = found.slept + 1
    elseif not only or only[action.key] then
      self:follow(action, sleep_behind(asleep, action), steps - 1)
      if self.bounds.sleep then asleep[action.key] = action end
    end
  end
end

---Explores a world.
---@param make fun(): table gives the options of lab.new. It is called for each way that is walked,
---so what clients and invariants remember must be made afresh in it. Not heeded are the seed,
---faults, the network but for `fifo`, `durability` and `directory`.
---@param bounds? table see jangada.lab.explore.bounds
---@param watch? fun(found: jangada.Exploration): any is called again and again; false ends it
---@param on_state? fun(digest: integer, world: table) is called at each state, when it is met
---@return jangada.Exploration
---Raises `option_unknown`, `option_invalid`, and what lab.new raises.
function M.explore(make, bounds, watch, on_state)
  bounds = explore_bounds.read(bounds or {})
  local walk <close> = walks.new(make, bounds)
  local self = setmetatable({
    walk = walk, bounds = bounds, watch = watch, on_state = on_state,
    visited = {}, -- digest -> the steps that were left, and what slept
    path = {},    -- what has led to where the search is
    at = 0,       -- how much of the path has led to where the world is
    is_over = false,
    found = {states = 0, transitions = 0, slept = 0, known = 0, ends = 0, deepest = 0, cut = 0,
      is_exhausted = false},
  }, Search)
  local ways = {}
  repeat
    walk:begin(ways)
    local asked = walk.asked
    for i, decision in ipairs(asked) do ways[i] = decision.way end
    self.path, self.at = {{ways = ways}}, 1
    if not has_failed(self) then self:visit({}, bounds.depth) end
    ways = next_ways(asked)
  until not ways or is_over(self)
  self.found.is_exhausted = not self.is_over
  return self.found
end

return M
