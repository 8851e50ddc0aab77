--- `jangada lab shell`: a scenario's world by hand, step by step, with a way back.

local arguments = require "jangada.cli.arguments"
local commands = require "jangada.cli.lab.shell.commands"
local errors = require "jangada.errors"
local readers = require "jangada.cli.lab.shell.reader"
local screens = require "jangada.cli.screen"
local session = require "jangada.cli.lab.session"
local sessions = require "jangada.lab.hand.session"
local store = require "jangada.store"
local story = require "jangada.cli.lab.story"
local verdicts = require "jangada.lab.verdict"

local streams = store.streams

local shell = { name = "shell" }

function shell.define(parser)
  session.describe(parser, "Turn a scenario's world by hand.",
    "Reads commands, those of a text scenario: run, step, crash, partition, deliver, drop, expect, "
    .. "looks at nodes, logs and messages, takes steps back, and saves what was done as a "
    .. "scenario; `help` lists all. A text scenario's steps are done first. On a terminal with "
    .. "history and completion (Debian: lua-readline); else a line of standard input each, and one "
    .. "that is wrong ends it with exit code 2. Exit code 1: the run has gone wrong.",
    { "shell examples/raft_scenario.lua", "shell examples/by_hand/two_votes.scenario --seed 3",
      "shell raft.scenario < steps" })
  parser:argument("scenario", "A Lua file, or a text: NAME.scenario.")
  arguments.add_integer(parser, "--seed", "Instead of the scenario's own", { argname = "SEED" })
end

-- Ctrl-C ends a step. It is heeded between turns, where a world can be left.
local SIGINT <const> = 2
local INTERRUPTED <const> = {}
local BETWEEN_TURNS <const> = { deliver = true, timer = true }

-- What is printed of an event. A person has just typed the step.
local function observer(screen, reader)
  return function(event)
    if BETWEEN_TURNS[event.kind] and reader.is_terminal and streams.caught() then
      error(INTERRUPTED, 0)
    elseif event.kind == "verdict" then
      screen:print("VERDICT %s", tostring(event.verdict))
      if event.verdict.traceback then screen:print("%s", event.verdict.traceback) end
    elseif event.kind ~= "step" or event.place or not reader.is_terminal then
      story.event(screen, event)
    end
  end
end

-- Does what a line says. Gives true when it ends the shell.
local function obey(it, line)
  local command, args = commands.read(line, it.session.hand:scope())
  if not command then
    it.session:perform(line)
    return false
  end
  it.replaces = line:find("^%s*save%s+over%s") ~= nil
  return command.run(it, table.unpack(args)) == true
end

-- On a terminal what is wrong with a line is said, and there is another one.
local function explain(it, failure)
  if failure == INTERRUPTED then
    it.screen:print("interrupted: the step is taken back")
  elseif errors.is(failure, "input_invalid") then
    it.screen:print("%s", failure.message)
  else
    error(failure, 0)
  end
end

local function prompt_of(it)
  return ("%.3f s%s> "):format(it.session.world.time_us / 1e6,
    it.session.world.is_over and " over" or "")
end

-- The next line, or nil at the end. Ctrl-C gives another prompt.
local function read_line(it)
  while true do
    if it.reader.is_terminal then streams.catch(true) end
    local line = it.reader:read(prompt_of(it))
    if line or not it.reader.is_terminal or streams.caught() ~= SIGINT then return line end
    it.screen:print("")
  end
end

local function read_all(it)
  local number = 0
  for line in read_line, it do
    number = number + 1
    if it.reader.is_terminal then streams.catch() end
    local ok, result = pcall(obey, it, line)
    if ok and result then break end
    if not ok and it.reader.is_terminal then
      explain(it, result)
    elseif not ok then
      if not errors.is(result, "input_invalid") then error(result, 0) end
      errors.raise("input_invalid", "line %d: %s", number, result.message)
    end
  end
end

function shell.run(args, cli)
  local scenario = session.load(args.scenario)
  local it = { screen = screens.new(), session = nil, reader = nil, replaces = false }
  it.reader = readers.new(function(before)
    return commands.candidates(before, it.session.hand:scope())
  end)
  local _reader <close> = setmetatable({}, { __close = function() it.reader:close() end })
  local hand_session <close> = sessions.new(scenario, args.seed, observer(it.screen, it.reader))
  it.session = hand_session
  if it.reader.is_terminal then
    it.screen:print("%s: %d nodes of %s, seed %d. help says what there is, Ctrl-D ends.",
      args.scenario, #it.session.world.nodes, (it.session.world.source.name:gsub("^@", "")),
      it.session.seed)
    if it.reader.hint then it.screen:print("%s", it.reader.hint) end
  end
  read_all(it)
  return session.exit_code({ [verdicts.outcome(it.session.world.verdict)] = 1 }, cli)
end

return { shell }
