--- Looks for an order of operations that a model allows and that respects who finished before whom:
-- Wing and Gong's search with Lowe's cache (WGL), without recursion, in slices.
--
-- The calls and returns of completed operations stand in a list, by time. Whatever is called before
-- the first return in the list can be placed next; placing it takes its call and its return out.
-- When no return is left, an order is found. Where nothing can be placed, the last that was placed
-- goes back, and the next candidate is tried.
--
-- Four things are added to that, none of which loses an order:
-- - A candidate that reads (that changes no state ever) and is legal is placed at once, and nothing
--   else tried instead: any order that places it later stays one when it comes now.
-- - An unknown operation has no return and need not be placed. Of several that do the same only the
--   first invoked is a candidate, and none that changes nothing, or nothing that is ever seen.
-- - A configuration that has used more unknown operations than a vain one, and is else the same, is
--   vain too (visited.lua).
-- - What can no longer explain what will be read is not searched (outlook.lua).
--
-- An operation that is `optional` has been completed, but may also not have happened: when nothing
-- else can be done, its return is passed over. (core.lua asks with it what a contradiction needs.)

local entries = require "jangada.check.entries"
local outlook = require "jangada.check.outlook"
local states = require "jangada.check.states"
local visited = require "jangada.check.visited"

local search = {}

-- How many states are kept in which the first operation that cannot be placed was tried.
local ENDINGS_MAX <const> = 8

---@class jangada.check.Search
---@field steps integer steps of the model that were asked for
---@field verdict boolean|nil true: there is an order, false: there is none, nil: not known yet
---@field blocked jangada.check.Operation|nil the first that no order reached so far can place
---@field has_pruned boolean whether the outlook has spared it something: then what stands behind
--- `blocked` was not reached because of what is read later, and that may be what cannot be placed
---@field endings table[] {state=, order=}: ways to place all that returned before `blocked` did,
--- one for each state; `more` is true if there are others
local Search = {}
Search.__index = Search

---------------------------------------------------------------------------------------------------
-- What there is to place

-- Gives each group a row for its transitions: operation i's is rows[i].
local function make_rows(operations, model)
  local rows, by_kind = {}, {}
  for i, operation in ipairs(operations) do
    local kind = states.kind(model, operation)
    by_kind[kind] = by_kind[kind] or {}
    rows[i] = by_kind[kind]
  end
  return rows
end

local function find_reads(operations, model)
  local reads = {}
  for i, operation in ipairs(operations) do
    reads[i] = model.reads ~= nil and model.reads(operation) == true
  end
  return reads
end

-- Groups of unknown operations that do the same, each by invocation. Their operations are numbered
-- group after group.
local function make_kinds(unknown, model)
  local kinds, by_kind = {}, {}
  for _, operation in ipairs(unknown) do
    local name = states.kind(model, operation)
    local kind = by_kind[name]
    if not kind then
      kind = { row = {}, used = 0 }
      by_kind[name], kinds[#kinds + 1] = kind, kind
    end
    kind[#kind + 1] = operation
  end
  local offset = 0
  for _, kind in ipairs(kinds) do
    kind.offset = offset
    offset = offset + #kind
  end
  return kinds
end

--- A search over the operations of one partition.
---@param operations jangada.check.Operation[] by invocation, none that failed by not happening
---@param model jangada.check.Model as models.get gives it
---@param initial any for its init
---@param last? jangada.check.Operation one that the outlook is to leave out: what cannot explain it
--- is searched all the same
---@return jangada.check.Search
function search.new(operations, model, initial, last)
  local completed, unknown = {}, {}
  for _, operation in ipairs(operations) do
    local list = operation.returned and completed or unknown
    list[#list + 1] = operation
  end
  local list, kinds = entries.new(completed), make_kinds(unknown, model)
  local is_seen = model.seen and model.seen(operations)
  local space, step = states.new(model, initial, is_seen)
  return setmetatable({
    steps = 0, verdict = nil, blocked = nil, endings = {},
    completed = completed, count = #completed, entries = list,
    rows = make_rows(completed, model), reads = find_reads(completed, model), kinds = kinds,
    space = space, step = step, visited = visited.new(#completed, #unknown),
    outlook = is_seen and outlook.new(model, list, completed, unknown, last),
    -- What is placed: an operation's number; that plus `count` if nothing else was to be tried
    -- instead; that plus twice `count` if it is passed over; or, less than 0, the kind of an
    -- unknown one. And the state before it.
    placed = {}, before = {}, depth = 0, state = 1,
    cursor = 0, kind_cursor = 0, -- behind which `branch` goes on
    farthest = -1,               -- the event of the return of `blocked`
    has_pruned = false, go_on = Search.enter,
  }, Search)
end

---------------------------------------------------------------------------------------------------
-- Placing, and taking back

local function push(self, choice, after)
  local depth = self.depth + 1
  self.depth = depth
  self.placed[depth], self.before[depth] = choice, self.state
  self.state = after
end

local function place(self, i, choice, after)
  push(self, choice, after)
  self.entries:lift(i)
  self.visited.put(i)
end

local function place_unknown(self, k, after)
  local kind = self.kinds[k]
  kind.used = kind.used + 1
  self.visited.use(kind.offset + kind.used)
  push(self, -k, after)
end

-- Takes the last one back; gives what it was.
local function take_back(self)
  local depth = self.depth
  local choice = self.placed[depth]
  self.state, self.depth = self.before[depth], depth - 1
  if choice < 0 then
    local kind = self.kinds[-choice]
    self.visited.unuse(kind.offset + kind.used)
    kind.used = kind.used - 1
  else
    local i = (choice - 1) % self.count + 1
    self.entries:put_back(i)
    self.visited.take(i)
  end
  return choice
end

--- What is placed, in that order.
---@return jangada.check.Operation[]
function Search:order()
  local sequence, taken, count = {}, {}, self.count
  for d = 1, self.depth do
    local choice = self.placed[d]
    if choice < 0 then
      taken[choice] = (taken[choice] or 0) + 1
      sequence[#sequence + 1] = self.kinds[-choice][taken[choice]]
    elseif choice <= 2 * count then
      sequence[#sequence + 1] = self.completed[(choice - 1) % count + 1]
    end
  end
  return sequence
end

---------------------------------------------------------------------------------------------------
-- The search. Each of enter, branch and retreat gives what is to be done next, nil at the end.

-- Places what reads.
local function settle(self)
  local list, rows, state, count = self.entries, self.rows, self.state, self.count
  local reads = self.reads
  local following, what = list.following, list.what
  local e = following[0]
  local i = what[e]
  local steps = 0
  while i > 0 do
    if reads[i] then
      local row = rows[i]
      local after = row[state]
      if after == nil then after = self.step(row, self.completed[i], state) end
      steps = steps + 1
      if after == state then
        place(self, i, i + count, state)
        e = 0
      end
    end
    e = following[e]
    i = what[e]
  end
  self.steps = self.steps + steps
end

-- A configuration that was just reached.
function Search.enter(self)
  settle(self)
  if self.entries.remaining == 0 then
    self.verdict = true
    return nil
  elseif self.visited.been(self.state) then
    return Search.retreat
  end
  if self.state == self.space.junk
    and self.outlook:is_dead(self.entries, self.kinds, self.completed) then
    self.has_pruned = true
    return Search.retreat
  end
  self.cursor, self.kind_cursor = self.entries.following[0], 0
  return Search.branch
end

-- Whether an operation that need not be placed is worth it: it changes something that may be seen.
local function is_worth(self, after)
  return after and after ~= self.state
    and (after ~= self.space.junk or self.outlook.has_mismatch)
end

-- Notes what stands here, if no configuration has come farther: the first return that is left.
local function keep_ending(self, e)
  local at = self.entries.at[e]
  if at > self.farthest then
    self.farthest, self.endings = at, {}
    self.blocked = self.completed[-self.entries.what[e]]
  end
  if at < self.farthest then return end
  for _, ending in ipairs(self.endings) do
    if ending.number == self.state then return end
  end
  if self.state == self.space.junk or #self.endings == ENDINGS_MAX then
    self.endings.more = true -- junk is many states
    if #self.endings == ENDINGS_MAX then return end
  end
  table.insert(self.endings, { number = self.state, state = self.space.values[self.state],
    order = self:order() })
end

local function branch_unknown(self, first_return)
  local at, state = self.entries.at[first_return], self.state
  for k = self.kind_cursor + 1, #self.kinds do
    local kind = self.kinds[k]
    local operation = kind[kind.used + 1]
    if operation and operation.invoked < at then
      local after = kind.row[state]
      if after == nil then after = self.step(kind.row, operation, state) end
      self.steps = self.steps + 1
      if is_worth(self, after) then
        place_unknown(self, k, after)
        return Search.enter
      end
    end
  end
  local i = -self.entries.what[first_return]
  if self.completed[i].optional then
    place(self, i, i + 2 * self.count, state)
    return Search.enter
  end
  keep_ending(self, first_return)
  return Search.retreat
end

-- Places the next candidate: a completed operation, or else an unknown one.
function Search.branch(self)
  local list, rows, state = self.entries, self.rows, self.state
  local following, what = list.following, list.what
  local e = self.cursor
  local i = what[e]
  while i > 0 do
    local row = rows[i]
    local after = row[state]
    if after == nil then after = self.step(row, self.completed[i], state) end
    self.steps = self.steps + 1
    if after and (not self.completed[i].optional or is_worth(self, after)) then
      place(self, i, i, after)
      return Search.enter
    end
    e = following[e]
    i = what[e]
  end
  return branch_unknown(self, e)
end

-- Takes back what was placed last, up to where there is something else to try.
function Search.retreat(self)
  local choice
  repeat
    if self.depth == 0 then
      self.verdict = false
      return nil
    end
    choice = take_back(self)
  until choice <= self.count
  if choice > 0 then
    self.cursor, self.kind_cursor = self.entries.following[self.entries.call[choice]], 0
  else
    self.cursor, self.kind_cursor = self.entries:first_return(), -choice
  end
  return Search.branch
end

--- Searches on.
---@param steps integer for how many steps, about
---@return boolean|nil verdict
function Search:run(steps)
  local limit = self.steps + steps
  local go_on = self.go_on
  while go_on and self.steps < limit do go_on = go_on(self) end
  self.go_on = go_on
  return self.verdict
end

--- Bytes in use, about.
---@return integer
function Search:size()
  return self.visited.size + self.space.size
end

---------------------------------------------------------------------------------------------------
-- A given order

-- What is placed by now, as a set.
local function placed_so_far(self, done, from)
  for d = from, self.depth do
    local choice = self.placed[d]
    if choice > 0 then done[self.completed[(choice - 1) % self.count + 1]] = true end
  end
  return self.depth + 1
end

local function follow_one(self, numbers, operation)
  local at = self.entries.at[self.entries:first_return()]
  if operation.invoked > at then return false end
  local number = numbers[operation]
  local row = number > 0 and self.rows[number] or self.kinds[-number].row
  local after = row[self.state]
  if after == nil then after = self.step(row, operation, self.state) end
  self.steps = self.steps + 1
  if not after then return false end
  if number > 0 then
    place(self, number, number, after)
  else
    place_unknown(self, -number, after)
  end
  return true
end

--- Tries one order, before `run`. What reads need not be in it.
---@param sequence jangada.check.Operation[] of the operations of the search
---@return boolean found if not, the search is as before
function Search:follow(sequence)
  local numbers = {}
  for i, operation in ipairs(self.completed) do numbers[operation] = i end
  for k, kind in ipairs(self.kinds) do
    for _, operation in ipairs(kind) do numbers[operation] = -k end
  end
  local done, from = {}, 1
  for _, operation in ipairs(sequence) do
    settle(self)
    from = placed_so_far(self, done, from)
    if self.entries.remaining == 0 then break end
    if not done[operation] and not follow_one(self, numbers, operation) then break end
  end
  settle(self)
  if self.entries.remaining == 0 then
    self.verdict, self.go_on = true, nil
    return true
  end
  while self.depth > 0 do take_back(self) end
  return false
end

return search
