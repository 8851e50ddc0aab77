-- How it came to a verdict, in words: of all that happened in a run the steps that lead to it, the
-- last ones of them, a line each.
--
--     local story = stories.new()
--     local world <close> = lab.new{..., observe = function(event, world) story:observe(event) end}
--     world:run(5000)
--     print(table.concat(story:lines(30), "\n"))
--
-- A step is a turn of a node or client with all that it did. It leads to the verdict if it is in
-- the causal past: an earlier step of the same node, or one that sent what the node received. The
-- past begins at the node of the verdict, and at those that its message names. Of the turns in it
-- those are told that changed something, or sent something to one that did.

local M = {}

local LINES_MAX <const> = 30
local FIELDS_MAX <const>, TEXT_MAX <const> = 6, 40

local Story = {}
Story.__index = Story
Story.__name = "jangada.lab.Story"

---@class jangada.lab.Turn
---@field number integer in the order of all
---@field time_us integer
---@field node string which it is of; or "network"
---@field cause string what began it, in words
---@field message table|nil that it received
---@field previous jangada.lab.Turn|nil of the same node
---@field sends {message: table, dest: string, type: string, lost: string|nil}[]
---@field notes string[] what else it did
---@field is_fault boolean

---Makes a story: its method `observe` is to be called with each event.
---@return table story
function M.new()
  return setmetatable({
    turns = {},   -- in order
    last = {},    -- node -> its last turn
    senders = {}, -- message -> the turn that sent it
    arrived = {}, -- message -> true
    states = {},  -- node -> its last state
    open = nil,   -- the turn that what happens now belongs to
    verdict = nil,
  }, Story)
end

---------------------------------------------------------------------------------------------------
-- Words

local function is_scalar(value)
  return type(value) ~= "table"
end

local function word(value)
  if type(value) ~= "string" then return tostring(value) end
  value = value:gsub("%c", "?")
  return #value > TEXT_MAX and value:sub(1, TEXT_MAX) .. "..." or value
end

local function sorted_names(fields)
  local names = {}
  for name in pairs(fields) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- `term 3, index 7, entries 2`: of a list how long it is.
local function fields_in_words(fields, skipped)
  local words = {}
  for _, name in ipairs(sorted_names(fields)) do
    local value = fields[name]
    if not skipped[name] and #words < FIELDS_MAX then
      if is_scalar(value) then
        words[#words + 1] = name .. " " .. word(value)
      elseif #value > 0 then
        words[#words + 1] = ("%s of %d"):format(name, #value)
      end
    end
  end
  return table.concat(words, ", ")
end

local SKIPPED <const> = {type = true, msg_id = true, in_reply_to = true}

local function message_in_words(event)
  local fields = fields_in_words(event.body, SKIPPED)
  return ("gets %s from %s%s"):format(event.body.type, event.src,
    fields ~= "" and " (" .. fields .. ")" or "")
end

-- `role follower -> leader`: what a turn has changed.
local function changes_in_words(before, after)
  local words = {}
  if type(after) ~= "table" then return words end
  before = type(before) == "table" and before or {}
  local all = {}
  for name in pairs(before) do all[name] = true end
  for name in pairs(after) do all[name] = true end
  for _, name in ipairs(sorted_names(all)) do
    local old, new = before[name], after[name]
    if is_scalar(old) and is_scalar(new) and old ~= new then
      if old == nil then
        words[#words + 1] = ("%s %s"):format(name, word(new))
      else
        words[#words + 1] = ("%s %s -> %s"):format(name, word(old), new == nil and "none"
          or word(new))
      end
    end
  end
  return words
end

---------------------------------------------------------------------------------------------------
-- What happens

local function begin(self, event, node, cause, message)
  local turn = {number = #self.turns + 1, time_us = event.time_us, node = node, cause = cause,
    message = message, previous = self.last[node], sends = {}, notes = {}, is_fault = false}
  self.turns[turn.number], self.last[node], self.open = turn, turn, turn
  return turn
end

-- The turn that something a node does belongs to: of a timer it is told when the turn is over.
local function turn_of(self, event, node)
  local open = self.open
  if open and open.node == node and open.time_us == event.time_us then return open end
  return begin(self, event, node, "a timer")
end

local function fault(self, event, node, text)
  begin(self, event, node, text).is_fault = true
  self.open = nil
end

local takes = {}

function takes.boot(self, event)
  local is_first = self.last[event.node] == nil
  local turn = begin(self, event, event.node, is_first and "boots" or "BOOTS from its store")
  turn.is_fault = not is_first
  self.states[event.node] = nil
end

function takes.crash(self, event) fault(self, event, event.node, "CRASHES") end
function takes.pause(self, event) fault(self, event, event.node, "is PAUSED") end
function takes.resume(self, event) fault(self, event, event.node, "goes on") end

function takes.partition(self, event)
  local groups = {}
  for i, group in ipairs(event.groups) do groups[i] = table.concat(group, " ") end
  fault(self, event, "network", "PARTITION " .. table.concat(groups, " | ") .. " | the others")
end

function takes.heal(self, event) fault(self, event, "network", "HEALS") end

function takes.cut(self, event)
  fault(self, event, "network", ("CUT %s: %s"):format(event.shape,
    table.concat(event.links, " ")))
end

function takes.mend(self, event)
  fault(self, event, "network", ("MENDED %s"):format(event.shape or "links"))
end

function takes.deliver(self, event)
  begin(self, event, event.dest, message_in_words(event), event.message)
  self.arrived[event.message] = true
end

function takes.send(self, event)
  if event.copy then return end
  local turn = turn_of(self, event, event.src)
  table.insert(turn.sends, {message = event.message, dest = event.dest, type = event.body.type,
    lost = event.lost})
  self.senders[event.message] = turn
end

function takes.timer(self, event) turn_of(self, event, event.node) end

function takes.commit(self, event)
  table.insert(turn_of(self, event, event.node).notes, ("holds index %d committed, of term %d")
    :format(event.index, event.term))
end

function takes.trace(self, event)
  local fields = fields_in_words(event.fields or {}, {})
  table.insert(turn_of(self, event, event.node).notes, ("\"%s\"%s"):format(event.name,
    fields ~= "" and " (" .. fields .. ")" or ""))
end

function takes.state(self, event)
  local turn = turn_of(self, event, event.node)
  table.move(changes_in_words(self.states[event.node], event.state), 1, 100, #turn.notes + 1,
    turn.notes)
  self.states[event.node] = event.state
  self.open = nil
end

function takes.verdict(self, event) self.verdict = event.verdict end

---Takes an event of a world.
---@param event table
function Story:observe(event)
  local take = takes[event.kind]
  if take then take(self, event) end
end

---------------------------------------------------------------------------------------------------
-- What led to it

-- All turns in the causal past of the verdict.
local function past_of(self)
  local verdict, past, waiting = self.verdict, {}, {}
  local function add(turn)
    if turn and not past[turn] then
      past[turn] = true
      waiting[#waiting + 1] = turn
    end
  end
  add(verdict and self.last[verdict.node])
  for name in (verdict and verdict.message or ""):gmatch("%w+") do add(self.last[name]) end
  if #waiting == 0 then
    for _, turn in pairs(self.last) do add(turn) end
  end
  add(self.last.network)
  while #waiting > 0 do
    local turn = table.remove(waiting)
    add(turn.previous)
    add(turn.message and self.senders[turn.message])
  end
  return past
end

-- The messages of a turn by their type: `request_vote to n1 n2 (lost: n3)`.
local function sends_in_words(self, turn)
  local words, by_type = {}, {}
  for _, send in ipairs(turn.sends) do
    local entry = by_type[send.type]
    if not entry then
      entry = {type = send.type, there = {}, lost = {}}
      by_type[send.type], words[#words + 1] = entry, entry
    end
    table.insert(self.arrived[send.message] and entry.there or entry.lost, send.dest)
  end
  for i, entry in ipairs(words) do
    local lost = #entry.lost > 0 and ("to %s in vain"):format(table.concat(entry.lost, " "))
    local there = #entry.there > 0 and "to " .. table.concat(entry.there, " ")
    words[i] = ("sends %s %s"):format(entry.type, there and lost and there .. ", " .. lost or there
      or lost)
  end
  return words
end

local function sends_into(turn, received)
  for _, send in ipairs(turn.sends) do
    if received[send.message] then return true end
  end
  return false
end

local function line_of(self, turn)
  local parts = table.move(turn.notes, 1, #turn.notes, 1, {})
  table.move(sends_in_words(self, turn), 1, 100, #parts + 1, parts)
  local doing = #parts > 0 and ": " .. table.concat(parts, "; ") or ""
  return ("%10.3f ms  %-7s %s%s"):format(turn.time_us / 1000, turn.node, turn.cause, doing)
end

-- The turns that led to the verdict and did something: they changed something that can be seen, or
-- sent something to one that did.
local function told_turns(self)
  local past, received, told = past_of(self), {}, {}
  local final = self.verdict and self.last[self.verdict.node]
  for number = #self.turns, 1, -1 do
    local turn = self.turns[number]
    if past[turn] and (turn.is_fault or #turn.notes > 0 and turn.cause ~= "boots"
      or turn == final or sends_into(turn, received)) then
      told[#told + 1] = turn
      if turn.message then received[turn.message] = true end
    end
  end
  table.sort(told, function(a, b) return a.number < b.number end)
  return told
end

---The messages in the causal past of the verdict.
---@return table[] messages as events name them
function Story:messages()
  local past, messages = past_of(self), {}
  for _, turn in ipairs(self.turns) do
    if past[turn] then messages[#messages + 1] = turn.message end
  end
  return messages
end

---The last steps that led to the verdict, in words.
---@param lines_max? integer (30)
---@return string[] lines
---@return integer steps how many there are in all
function Story:lines(lines_max)
  lines_max = lines_max or LINES_MAX
  local told = told_turns(self)
  local first = math.max(1, #told - lines_max + 1)
  local lines = {}
  for i = first, #told do lines[#lines + 1] = line_of(self, told[i]) end
  if first > 1 then
    table.insert(lines, 1, ("%13s  ... %d steps before"):format("", first - 1))
  end
  return lines, #told
end

return M
