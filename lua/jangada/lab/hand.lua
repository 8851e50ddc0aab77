-- A world by hand: what a person, or a text, does to it step by step.
--
--     local hand = hands.new(world)
--     hand:perform(hands.read("crash leader", hand:scope()))
--
-- A step is a verb (jangada.lab.hand.verbs) with what it is given. The steps of a text
-- (jangada.lab.hand.file) and the commands of `jangada lab shell` are the same ones. What a step
-- does is told to whoever observes the world: a row `step` before it, and a row `told` with what is
-- to be said of it besides.

local errors = require "jangada.errors"
local grammar = require "jangada.lab.hand.grammar"
local log_format = require "jangada.log.format"
local verbs = require "jangada.lab.hand.verbs"
local words = require "jangada.lab.hand.words"

---@class jangada.lab.Step
---@field text string as it was written
---@field place string|nil where: FILE:LINE
---@field verb jangada.lab.Verb
---@field args any[]

---@class jangada.lab.Hand
---@field world table
---@field names table<string, string> given to nodes: name -> id
---@field layers {verb: string, layer: table}[] that `mend` ends, in the order of coming
---@field answer table|nil of the last request
---@field asked integer requests so far
---@field commits table<string, integer> id -> values that the node has committed since it booted
---@field step jangada.lab.Step|nil under way
---@field numbers table<table, integer> message -> its number, of those on their way
local Hand = {}
Hand.__index = Hand
Hand.__name = "jangada.lab.Hand"

local M = {}

---------------------------------------------------------------------------------------------------
-- Reading

---Reads a step.
---@param line string
---@param scope jangada.lab.Scope
---@param place? string where it stands
---@return jangada.lab.Step|nil step nil when there is nothing in the line, or something wrong
---@return string|nil why
function M.read(line, scope, place)
  local list, fault = words.split(line)
  if not list then return nil, fault end
  if #list == 0 then return nil end
  local verb, first = grammar.find(verbs, list, 1)
  if not verb then
    local nearest = words.nearest(list[1], verbs)
    return nil, ("there is no verb %s%s"):format(list[1],
      nearest and ("; is it %s?"):format(nearest) or "")
  end
  local reading = grammar.reading(list, first, scope)
  local args = grammar.read(verb.takes, reading)
  if not args or reading.i <= #list then
    return nil, ("%s (%s)"):format(grammar.explain(reading), M.usage(verb))
  end
  if verb.names then scope.names[args[1]] = true end
  return {text = line:match("^%s*(.-)%s*$"), place = place, verb = verb, args = args}
end

---How a verb is written.
---@param verb jangada.lab.Verb
---@return string
function M.usage(verb)
  return verb.takes == "" and verb.name or verb.name .. " " .. verb.takes
end

---------------------------------------------------------------------------------------------------
-- Who is meant

---What the words of a step can name now.
---@return jangada.lab.Scope
function Hand:scope()
  local names = {}
  for name in pairs(self.names) do names[name] = true end
  return {nodes = #self.world.nodes, names = names}
end

---The id of a node or client that a word names.
---@param word string
---@return string|nil id nil when nobody is a leader, or a follower
function Hand:id(word)
  local world = self.world
  if self.names[word] then return self.names[word] end
  local place = word:match("^follower(%d*)$")
  if place then
    local followers, leader = {}, world:node("leader")
    for _, machine in ipairs(world.nodes) do
      if machine.up and machine ~= leader then followers[#followers + 1] = machine.id end
    end
    return followers[math.tointeger(tonumber(place)) or 1]
  end
  local endpoint = world.endpoints[word]
  if endpoint then return endpoint.id end
  local machine = world:node(math.tointeger(tonumber(word)) or word)
  return machine and machine.id
end

---The ids that a list of words names.
---@param list string[]|{all: boolean, but: string[]|nil}|false false for none
---@return string[]|nil ids nil for all
function Hand:ids(list)
  if not list or list.all and not list.but then return nil end
  local ids = {}
  if list.but then
    local left_out = {}
    for _, id in ipairs(self:ids(list.but)) do left_out[id] = true end
    for _, id in ipairs(self.world.ids) do
      if not left_out[id] then ids[#ids + 1] = id end
    end
  end
  for _, word in ipairs(list) do ids[#ids + 1] = self:id(word) end
  return ids
end

---The machine of a node that a word names.
---@param word string
---@return jangada.Machine|nil
function Hand:machine(word)
  local id = self:id(word)
  return id and self.world:node(id)
end

---The machines of nodes that are named, of all for none.
---@param list string[]|{all: boolean}|false
---@return jangada.Machine[]
function Hand:machines(list)
  local ids = self:ids(list)
  if not ids then return self.world.nodes end
  local machines = {}
  for i, id in ipairs(ids) do machines[i] = self.world:node(id) end
  return machines
end

---Those of them that are up.
---@param list string[]|{all: boolean}|false
---@return jangada.Machine[]
function Hand:machines_up(list)
  local up = {}
  for _, machine in ipairs(self:machines(list)) do
    if machine.up then up[#up + 1] = machine end
  end
  return up
end

---The entries of the Raft log `replog` of a node that is up.
---@param machine jangada.Machine
---@return {index: integer, value: string, term: integer|nil, data: string|nil}[]
function Hand.log_of(machine)
  return machine.db:view(function(tx)
    local bucket, entries = tx:bucket("replog"), {}
    if not bucket then return entries end
    for index, value in bucket:each() do
      local entry = {index = index, value = value}
      if value and math.type(index) == "integer" then
        local ok, term, kind, data = pcall(log_format.decode, index, value)
        if ok then entry.term, entry.type, entry.data = term, kind, data end
      end
      entries[#entries + 1] = entry
    end
    return entries
  end)
end

-- Numbers what is on its way after a step: a number stays as long as its message is there, and when
-- none is there they begin at 1 again. So they depend on the steps alone.
local function number_messages(self)
  local numbers, last, new = {}, 0, {}
  for _, pending in ipairs(self.world:pending()) do
    if pending.kind == "message" then
      local number = self.numbers[pending.value]
      numbers[pending.value] = number
      if number then last = math.max(last, number) else new[#new + 1] = pending.value end
    end
  end
  for i, message in ipairs(new) do numbers[message] = last + i end
  self.numbers = numbers
end

---What is on its way, in the order of time.
---@return {number: integer, pending: jangada.Pending}[]
function Hand:messages()
  local list = {}
  for _, pending in ipairs(self.world:pending()) do
    if pending.kind == "message" then
      list[#list + 1] = {number = self.numbers[pending.value], pending = pending}
    end
  end
  return list
end

---The message that is meant.
---@param which {number: integer}|{src: string, dest: string, type: string|nil}
---@return jangada.Pending|nil
function Hand:message(which)
  local src, dest = which.src and self:id(which.src), which.dest and self:id(which.dest)
  for _, message in ipairs(self:messages()) do
    local pending = message.pending
    if which.number and message.number == which.number then return pending end
    if not which.number and pending.src == src and pending.dest == dest
      and (not which.type or pending.body.type == which.type) then
      return pending
    end
  end
  return nil
end

---The answer to the last request, in a line.
---@return string
function Hand:answer_text()
  if not self.answer then return "there is no answer" end
  local fields = {}
  for name, value in pairs(self.answer) do
    if name ~= "in_reply_to" then fields[name] = value end
  end
  return "answer: " .. words.write_fields(fields)
end

---------------------------------------------------------------------------------------------------
-- Doing

local function tell(self, kind, text, step)
  local trace = self.world.trace
  if trace.observe then trace:row{kind = kind, text = text, place = step.place} end
end

---Ends the run: something that was expected is not so.
---@param message string
function Hand:fail(message)
  local step = self.step
  self.world:fail{kind = "expectation_failed", message = ("%s%s: %s"):format(
    step.place and step.place .. ": " or "", step.text, message)}
end

---Takes the verdict for what was wanted: the run stays over, but nothing is wrong.
function Hand:accept_verdict()
  self.world.verdict = nil
end

---Performs a step.
---@param step jangada.lab.Step
---Raises `input_invalid` when it cannot be performed, and says where it stands.
function Hand:perform(step)
  self.step = step
  tell(self, "step", step.text, step)
  local function fail(why)
    errors.raise("input_invalid", "%s%s: %s", step.place and step.place .. ": " or "", step.text,
      why)
  end
  if self.world.is_over and not step.verb.looks then
    fail("the run has ended with a verdict; now things can only be looked at and expected")
  end
  local ok, told = pcall(step.verb.run, self, table.unpack(step.args))
  if not ok then
    if errors.is(told) then fail(told.message) end
    error(told, 0)
  end
  if told then tell(self, "told", told, step) end
  number_messages(self)
end

---Performs steps, up to one that comes after a verdict that nobody expects.
---@param steps jangada.lab.Step[]
function Hand:perform_all(steps)
  for _, step in ipairs(steps) do
    if self.world.verdict and not step.verb.expects then break end
    self:perform(step)
    if self.world.verdict and self.world.verdict.kind == "expectation_failed" then break end
  end
end

---Takes a world by the hand.
---@param world table
---@return jangada.lab.Hand
function M.new(world)
  local hand = setmetatable({world = world, names = {}, layers = {}, answer = nil, asked = 0,
    commits = {}, step = nil, numbers = {}}, Hand)
  number_messages(hand)
  world:watch{
    name = "by hand",
    booted = function(_, machine) hand.commits[machine.id] = 0 end,
    committed = function(_, machine, _, _, data)
      if data ~= "" then hand.commits[machine.id] = (hand.commits[machine.id] or 0) + 1 end
    end,
  }
  return hand
end

M.verbs = verbs

return M
