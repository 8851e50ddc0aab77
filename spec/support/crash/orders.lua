-- Every order in which a disk may have written: records random steps on a store, and opens what
-- each crash would have left. A program, to be run under the recorder (spec/support/recorder.c):
--
--   orders.lua [--seconds N] [--states N] [--seed S] [--durability commit|journal]
--
-- It goes from seed to seed until both the seconds and the states are reached, prints how many
-- states it tried, and ends with 1 and the story where one is not survived, and leaves the files.
local arguments = require "spec.support.crash.arguments"
local data = require "spec.support.crash.data"
local disk = require "spec.support.crash.disk"
local life = require "spec.support.crash.life"
local player = require "spec.support.crash.player"
local recorder = require "spec.recorder"

local STEPS <const> = 40

local options = arguments.read({ seconds = 0, states = 20000, seed = os.time() % 100000,
  steps = STEPS, durability = "commit" }, ...)

local directory = arguments.directory()
local started, states, judged, lives, seed = os.time(), 0, 0, 0, options.seed
repeat
  local tried = player.new{
    directory = directory, random = data.random(seed),
    thoroughness = { samples = 10, bounds = 4 },
    options = arguments.store_options(options.durability),
  }
  local ok, failure = pcall(function()
    recorder.clear(directory)
    tried:play(life.record({ directory = directory, options = tried.options, before = disk.new{},
      random = data.random(seed), story = "seed " .. seed }, options.steps))
  end)
  states, judged, lives = states + tried.states, judged + tried.judged, lives + tried.lives
  if not ok then
    print(("%d states, judged %d times, and then:"):format(states, judged))
    arguments.tell(failure, directory)
  end
  seed = seed + 1
until states >= options.states and os.time() - started >= options.seconds
print(("%s: %d states, judged %d times, in %d lives and %d second ones, seeds %d to %d"):format(
  options.durability, states, judged, seed - options.seed, lives, options.seed, seed - 1))
arguments.remove(directory)
