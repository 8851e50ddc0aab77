-- A failing disk: random steps on a store, again and again, while the nth call on its files fails,
-- for every n and in every way; life.lua says what must hold. Then the machine crashes, too. A
-- program, to be run under the recorder:
--
--   faults.lua [--seconds N] [--seed S] [--steps N] [--durability commit|journal|none]
--
-- It goes from seed to seed until the seconds are over, prints how many faults it tried, and ends
-- with 1 and the story where one is not survived. A hang is ended by SIGALRM.
local arguments = require "spec.support.crash.arguments"
local data = require "spec.support.crash.data"
local disk = require "spec.support.crash.disk"
local life = require "spec.support.crash.life"
local player = require "spec.support.crash.player"
local process = require "spec.process"
local recorder = require "spec.recorder"

local options = arguments.read({ seconds = 0, seed = os.time() % 100000, steps = 10,
  durability = "commit" }, ...)
local directory = arguments.directory()
local tally = { faults = 0, failures = 0, doubts = 0, states = 0 }

local PLAYED_EVERY <const> = 20 -- one of so many faults is followed by crashes
local DOUBTS_EVERY <const> = 3 -- and of those that left the outcome of a step unknown
local SECONDS_MAX <const> = 30 -- of one run

local function run(seed, fault)
  local tried = player.new{
    directory = directory, random = data.random(seed),
    options = arguments.store_options(options.durability),
  }
  process.alarm(SECONDS_MAX)
  recorder.clear(directory)
  local lived = life.record({
    directory = directory, options = tried.options, random = data.random(seed), before = disk.new{},
    fault = fault, story = ("seed %d, call %d of kind %s: %s %s"):format(seed, fault[2], fault[1],
      fault[3], fault[4] and "from then on" or "once"),
  }, options.steps)
  tally.faults, tally.failures = tally.faults + 1, tally.failures + lived.failures
  tally.doubts = tally.doubts + lived.doubts
  local every = lived.doubts > 0 and DOUBTS_EVERY or PLAYED_EVERY
  if tally.faults % every == 0 and options.durability ~= "none" then
    tried:play(lived, { samples = 1, bounds = 1 })
  end
  tally.states = tally.states + tried.states
  return lived.calls
end

local KINDS <const> = { any = { "EIO", "ENOSPC", "EDQUOT", "short" }, read = { "EIO" },
  growth = { "ENOSPC", "short" } }

local function run_all(seed)
  for _, kind in ipairs{ "any", "growth", "read" } do
    for n = 1, run(seed, { kind, math.maxinteger, "EIO", false }) do -- counts them: none fails
      for _, how in ipairs(KINDS[kind]) do
        run(seed, { kind, n, how, false })
        run(seed, { kind, n, how, true })
      end
    end
  end
end

local started, seed = os.time(), options.seed
repeat
  local ok, failure = pcall(run_all, seed)
  if not ok then arguments.tell(failure, directory) end
  seed = seed + 1
until os.time() - started >= options.seconds
print(("%s: %d faults, %d errors, %d of them with an unknown outcome, %d states after a crash, "
  .. "seeds %d to %d"):format(options.durability, tally.faults, tally.failures, tally.doubts,
  tally.states, options.seed, seed - 1))
arguments.remove(directory)
