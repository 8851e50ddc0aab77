-- The text form of a scenario: a few lines that say in which world, then a step a line.
--
--     # A follower that was away catches up.
--     protocol jangada.raft.protocol
--     nodes 3
--     seed 7
--     options machine=list
--     network delay=1..10ms loss=0.02
--
--     within 1s leader
--     crash follower
--     submit a b c
--     restart *
--     within 1s log equal
--
-- The header ends with the first step. All wrong lines of a file are told at once, and before
-- anything is run.

local delays = require "jangada.lab.delays"
local errors = require "jangada.errors"
local grammar = require "jangada.lab.hand.grammar"
local hands = require "jangada.lab.hand"
local words = require "jangada.lab.hand.words"

local M = {}

local NODES <const> = 3

---@class jangada.lab.TextHeader
---@field options table of lab.new
---@field scenario string|nil the Lua scenario that says the rest

-- The lines of a header: each has `takes`, `does`, and sets what it read.
---@type table<string, {takes: string, does: string, set: fun(header: jangada.lab.TextHeader, ...)}>
local headers = {}
M.headers = headers

local function define(name, takes, does, set)
  headers[name] = {name = name, takes = takes, does = does,
    set = set or function(header, value) header.options[name] = value end}
end

define("scenario", "WORD", "a Lua file: its world, and what differs is said below",
  function(header, path) header.scenario = path end)
define("protocol", "WORD", "a module, or the path of a Lua file")
define("nodes", "COUNT", "how many (3)")
define("seed", "SEED", "of everything that is left to chance (1)")
define("options", "FIELDS", "of the protocol")
define("durability", "WORD", "none, commit or journal")
define("invariants", "WORDS", "names, or packs")
define("maybe_rate", "RATE", "how often node:maybe is true")
define("events_max", "COUNT", "how many events there may be")
define("hopeless", "SWITCH", "whether there may be what no protocol has to survive (off)",
  function(header, switch) header.options.hopeless = switch.is_on end)
define("queue_max", "COUNT", "how many messages and timers may wait")

define("faults", "TIME [WORDS]", "draws faults from the seed, in that time, of these kinds",
  function(header, duration_ms, kinds)
    header.options.faults = {duration_ms = duration_ms, kinds = kinds or nil}
  end)

-- A table of options, of which one is a law of delay: how it is called here, and there.
local function define_with_law(name, does, short, long)
  define(name, "FIELDS", does, function(header, fields)
    local options = {}
    for field, value in pairs(fields) do
      if field == short then
        local law = words.read_law(tostring(value))
        if not law or not pcall(delays.law, law, short) then
          return ("%s=%s is not what can stand there: %s"):format(short, tostring(value),
            grammar.types.LAW.what())
        end
        field, value = long, law
      end
      options[field] = value
    end
    header.options[name] = options
  end)
end

define_with_law("network", "delay=1..10ms loss=0.1 duplication=0.1 corruption=0.1 fifo=true",
  "delay", "delay_ms")
define_with_law("disk", "flush=1..5ms: how long a disk takes for a flush (no time)",
  "flush", "flush_ms")

-- Reads a line of the header. Gives what is wrong with it.
local function read_header(header, definition, list, scope)
  if header.seen[definition.name] then
    return ("there is another %s above"):format(definition.name)
  end
  header.seen[definition.name] = true
  local reading = grammar.reading(list, 2, scope)
  local args = grammar.read(definition.takes, reading)
  if not args or reading.i <= #list then
    return ("%s (%s %s)"):format(grammar.explain(reading), definition.name, definition.takes)
  end
  return definition.set(header, table.unpack(args))
end

-- What is wrong with a line that is neither of the header nor a step.
local function no_line(word)
  local nearest = words.nearest(word, headers) or words.nearest(word, hands.verbs)
  return ("there is no %s%s"):format(word, nearest and ("; is it %s?"):format(nearest) or "")
end

-- Reads the lines of a header; gives the line that ends it.
local function read_headers(header, lines, path, faults, scope)
  for number, line in ipairs(lines) do
    local list, why = words.split(line)
    local word = list and list[1]
    if word and headers[word] then
      why = read_header(header, headers[word], list, scope)
    elseif word and grammar.find(hands.verbs, list, 1) then
      return number
    elseif word then
      why = no_line(word)
    end
    if why then faults[#faults + 1] = ("%s:%d: %s"):format(path, number, why) end
  end
  return #lines + 1
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do lines[#lines + 1] = line end
  return lines
end

local function check(faults)
  if #faults == 0 then return end
  errors.raise("input_invalid", "%s%s", #faults > 1 and #faults .. " lines are wrong\n" or "",
    table.concat(faults, "\n"))
end

local function read_steps(lines, first, path, faults, scope)
  local steps = {}
  for number = first, #lines do
    local place = ("%s:%d"):format(path, number)
    local word = (words.split(lines[number]) or {})[1]
    local step, why = hands.read(lines[number], scope, place)
    if word and headers[word] then
      why = ("%s stands in the header, above the first step"):format(word)
    elseif step then
      steps[#steps + 1] = step
    end
    if why then faults[#faults + 1] = ("%s: %s"):format(place, why) end
  end
  return steps
end

---@class jangada.lab.Text
---@field header jangada.lab.TextHeader
---@field header_text string as it was written, with the comments
---@field steps fun(nodes: integer): jangada.lab.Step[] for a world of so many nodes; raises
---`input_invalid`

---Reads a text.
---@param text string
---@param path string for messages
---@return jangada.lab.Text
---Raises `input_invalid`, with all lines that are wrong.
function M.read(text, path)
  local lines, faults = lines_of(text), {}
  local header = {options = {}, scenario = nil, seen = {}}
  local first = read_headers(header, lines, path, faults, {nodes = NODES, names = {}})
  local options = header.options
  if not header.scenario and not options.protocol then
    faults[#faults + 1] = ("%s:1: the header needs a line protocol, or scenario"):format(path)
  elseif header.scenario and options.protocol then
    faults[#faults + 1] = ("%s:1: the header has a protocol and a scenario, which has one, too")
      :format(path)
  end
  local function steps(nodes)
    local wrong = table.move(faults, 1, #faults, 1, {})
    local list = read_steps(lines, first, path, wrong, {nodes = nodes, names = {}})
    check(wrong)
    return list
  end
  if not header.scenario then steps(options.nodes or NODES) else check(faults) end
  return {header = header, steps = steps,
    header_text = table.concat(lines, "\n", 1, first - 1):match("^(.-)%s*$")}
end

---Writes a text.
---@param header_text string
---@param steps jangada.lab.Step[]
---@return string
function M.write(header_text, steps)
  local lines = {header_text, ""}
  for _, step in ipairs(steps) do lines[#lines + 1] = step.text end
  return table.concat(lines, "\n") .. "\n"
end

return M
