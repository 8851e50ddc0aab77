-- kill -9: a process makes random steps on a store, and writes down what it is about to do and what
-- is acknowledged; it is killed at a random moment, again and again, and the next one, or this one,
-- looks at what is there: the world after the last acknowledged step, or after the one that was
-- begun. A program, to be run under the recorder (which is idle):
--
--   kills.lua [--seconds N] [--kills N] [--seed S] [--durability commit|journal|none]
local arguments = require "spec.support.crash.arguments"
local ops = require "spec.support.fuzz_ops"
local process = require "spec.process"
local recorder = require "spec.recorder"
local workload = require "spec.support.crash.workload"

local options = arguments.read({ seconds = 0, kills = 200, seed = os.time() % 100000,
  durability = "commit" }, ...)
local directory = arguments.directory("on disk")
local path, diary = directory .. "/x.db", directory .. "/diary"
local store_options = arguments.store_options(options.durability)

local KILLS_PER_FILE <const> = 20
local SECONDS_MAX <const> = 30 -- of one process

local function digest(world)
  return (ops.digest(workload.write(world)))
end

-- Goes on with what it finds until it is killed.
local function write_for_ever(seed)
  local random = workload.random(seed)
  local notes = assert(io.open(diary, "w"))
  notes:setvbuf("no")
  process.alarm(SECONDS_MAX)
  local session = workload.open(path, store_options)
  local world = workload.read(session.db)
  notes:write("found ", digest(world), "\n")
  while true do
    local _, new, run = workload.step(world, random)
    notes:write("begun ", digest(new), "\n")
    run(session)
    notes:write("acknowledged ", digest(new), "\n")
    world = new
  end
end

local tally = { kills = 0, acknowledged = 0 }

-- Takes in what a killed process wrote down; `known` is what may be in the file.
local function read_diary(known, story)
  for line in io.lines(diary) do
    local what, text = line:match("^(%l+) (%x+%.%d+)$") -- the last line may be cut off
    if what == "found" and not (text == known.acknowledged or text == known.begun) then
      error({ crash = "the next process found what no step left", story = story }, 0)
    elseif what == "begun" then
      known.begun = text
    elseif what then
      known.acknowledged, known.begun = text, nil
      tally.acknowledged = tally.acknowledged + (what == "acknowledged" and 1 or 0)
    end
  end
end

local function kill_one(seed, random, known)
  local story = ("seed %d, kill %d"):format(seed, tally.kills + 1)
  os.remove(diary)
  local pid, fd = process.fork(write_for_ever, random(0, math.maxinteger))
  recorder.sleep(random(1, 4) == 1 and random(0, 5000) / 1e6 or random(5000, 40000) / 1e6)
  process.kill(pid, 9)
  local kind, status, text = process.wait(pid, fd)
  tally.kills = tally.kills + 1
  if kind ~= "signal" or status ~= 9 then
    error({ crash = ("it ended by %s %d: %s"):format(kind, status, text), story = story }, 0)
  end
  local notes <close> = io.open(diary)
  if notes then read_diary(known, story) end
  if random(1, 2) == 1 then return end -- the next process looks
  local ok, found = pcall(function()
    local session = workload.open(path, store_options)
    local db <close> = session.db
    return digest(workload.read(db))
  end)
  if not ok then error({ crash = tostring(found), story = story }, 0) end
  if found ~= known.acknowledged and found ~= known.begun then
    error({ crash = ("found %s; %s was acknowledged, %s begun"):format(found, known.acknowledged,
      known.begun), story = story }, 0)
  end
  known.acknowledged, known.begun = found, nil
end

local function run(seed)
  local random, known = workload.random(seed), { acknowledged = digest(workload.empty()) }
  recorder.clear(directory)
  for _ = 1, KILLS_PER_FILE do kill_one(seed, random, known) end
end

local started, seed = os.time(), options.seed
repeat
  local ok, failure = pcall(run, seed)
  if not ok then arguments.tell(failure, directory) end
  seed = seed + 1
until tally.kills >= options.kills and os.time() - started >= options.seconds
print(("%s: %d kills after %d acknowledged steps, seeds %d to %d"):format(options.durability,
  tally.kills, tally.acknowledged, options.seed, seed - 1))
arguments.remove(directory)
