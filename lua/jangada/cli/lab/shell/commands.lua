--- The commands that only a shell has, beside the verbs of a scenario (jangada.lab.hand.verbs):
--- help, the way back, what was done, and its end.

local errors = require "jangada.errors"
local expectations = require "jangada.lab.hand.expectations"
local grammar = require "jangada.lab.hand.grammar"
local hands = require "jangada.lab.hand"
local units = require "jangada.cli.units"
local whole_file = require "jangada.cli.whole_file"
local words = require "jangada.lab.hand.words"

local commands = {}

local FAMILIES <const> = { { "time", "Time" }, { "look", "Looking" }, { "nodes", "Nodes" },
  { "machines", "Clocks and disks" },
  { "network", "The network" }, { "links", "Some links" }, { "clients", "Clients" },
  { "expect", "Expectations" }, { "shell", "The shell" } }
local WIDTH <const> = 26 -- of the column of names

---@class jangada.cli.ShellCommand
---@field name string
---@field takes string
---@field does string
---@field family "shell"
---@field run fun(shell: table, ...): boolean|nil true ends the shell

---@type table<string, jangada.cli.ShellCommand>
local own = {}
commands.own = own

local function define(name, takes, does, run)
  own[name] = { name = name, takes = takes, does = does, run = run, family = "shell" }
end

local function print_entries(screen, title, entries)
  if #entries == 0 then return end
  table.sort(entries, function(a, b) return a.name < b.name end)
  screen:print("%s", title)
  for _, entry in ipairs(entries) do
    local usage = entry.takes == "" and entry.name or entry.name .. " " .. entry.takes
    if #usage > WIDTH then
      screen:print("  %s\n  %s  %s", usage, (" "):rep(WIDTH), entry.does)
    else
      screen:print("  %s%s  %s", usage, (" "):rep(WIDTH - #usage), entry.does)
    end
  end
end

local function print_all(screen)
  for _, family in ipairs(FAMILIES) do
    local entries = {}
    for _, list in ipairs{ hands.verbs, own } do
      for _, entry in pairs(list) do
        if entry.family == family[1] then entries[#entries + 1] = entry end
      end
    end
    print_entries(screen, family[2], entries)
  end
  screen:print("help WORD says what WORD takes; help expect, what can be expected")
end

local function list_of(entries)
  local list = {}
  for name, entry in pairs(entries) do
    list[#list + 1] = { name = name, takes = entry.takes, does = entry.does }
  end
  return list
end

-- What the words in capitals of a pattern stand for.
local function print_types(screen, pattern, scope)
  local seen = {}
  for name in pattern:gmatch("[%u_]+") do
    if grammar.types[name] and name ~= "EXPECTATION" and not seen[name] then
      seen[name] = true
      screen:print("  %s  %s", name, grammar.types[name].what(scope))
    end
  end
end

define("help", "[WORD]", "says what there is, or what a word does", function(shell, name)
  if not name then return print_all(shell.screen) end
  local entry = hands.verbs[name] or own[name]
  if not entry then
    local nearest = words.nearest(name, hands.verbs) or words.nearest(name, own)
    errors.raise("input_invalid", "there is no %s%s", name,
      nearest and ("; is it %s?"):format(nearest) or "")
  end
  print_entries(shell.screen, entry.name, { entry })
  print_types(shell.screen, entry.takes, shell.session.hand:scope())
  if entry.family == "expect" then
    print_entries(shell.screen, "What is expected", list_of(expectations))
  end
end)

define("back", "[COUNT]", "takes the last step back, or so many", function(shell, count)
  shell.session:back(count or 1)
  shell.screen:print("%s, at %.3f s", units.count(#shell.session.steps, "step"),
    shell.session.world.time_us / 1e6)
end)

define("steps", "", "shows what has been done", function(shell)
  for i, step in ipairs(shell.session.steps) do shell.screen:print("%4d  %s", i, step.text) end
  if #shell.session.steps == 0 then shell.screen:print("nothing") end
end)

-- Writes the text of a session. What is there already is only replaced if that is said.
define("save", "[over] WORD", "writes what has been done as a scenario, over a file or a new one",
  function(shell, path)
    if not path:find("%.scenario$") then
      errors.raise("input_invalid", "the name of a scenario ends with .scenario, unlike %s", path)
    end
    local file <close> = io.open(path, "rb")
    if file and not shell.replaces then
      errors.raise("input_invalid", "%s is there; save over %s replaces it", path, path)
    end
    whole_file.write(path, function(write) write(shell.session:text()) end)
    shell.screen:print("%s: %s", path, units.count(#shell.session.steps, "step"))
  end)

define("quit", "", "ends, as Ctrl-D does", function() return true end)

--- The command of a line, and what it is given.
---@param line string
---@param scope jangada.lab.Scope
---@return jangada.cli.ShellCommand|nil command nil when it is a verb
---@return any[] args
---Raises `input_invalid`.
function commands.read(line, scope)
  local list = words.split(line)
  local command = list and own[list[1]]
  if not command then return nil, {} end
  local reading = grammar.reading(list, 2, scope)
  local args = grammar.read(command.takes, reading)
  if not args or reading.i <= #list then
    errors.raise("input_invalid", "%s (%s %s)", grammar.explain(reading), command.name,
      command.takes)
  end
  return command, args
end

--- What the next word of a line can be.
---@param before string the line up to it
---@param scope jangada.lab.Scope
---@return string[]
function commands.candidates(before, scope)
  local list = words.split(before) or {}
  local names = {}
  for _, entries in ipairs{ hands.verbs, own } do
    for name in pairs(entries) do names[#names + 1] = name end
  end
  table.sort(names)
  if #list == 0 or list[1] == "help" then return names end
  local entry, first = grammar.find(hands.verbs, list, 1)
  if not entry then entry, first = own[list[1]], 2 end
  if not entry then return {} end
  local reading = grammar.reading(list, first, scope)
  grammar.read(entry.takes, reading)
  return reading.farthest > #list and grammar.candidates(reading) or {}
end

return commands
