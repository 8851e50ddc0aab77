-- kill -9: a process makes random steps on a store, and keeps a diary of what it is about to do and
-- what is durable; it is killed at a random moment, again and again, and the next one, or this one,
-- looks at what is there: the world after the last durable step, or after one that was begun since.
-- A program, to be run under the recorder (which is idle):
--
--   kills.lua [--seconds N] [--kills N] [--seed S] [--durability commit|journal|none]
--
local arguments = require "spec.support.crash.arguments"
local data = require "spec.support.crash.data"
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

-- ---- who is killed ----------------------------------------------------------------------------

-- Goes on with what it finds until it is killed. Its diary: "found DIGEST", "begun N DIGEST" before
-- a step, "durable N" once that step and all before it are.
local function write_for_ever(seed)
  local random, waiting, step = data.random(seed), {}, 0
  local notes = assert(io.open(diary, "w"))
  notes:setvbuf("no")
  process.alarm(SECONDS_MAX)
  local session = workload.open(path, store_options, random(0, 5))
  local world = workload.read(session.db)
  notes:write("found ", digest(world), "\n")
  while true do
    local _, new, run = workload.step(world, random)
    step = step + 1
    notes:write(("begun %d %s\n"):format(step, digest(new)))
    local outcome, found = run(session)
    world = found or new
    if found then notes:write("found ", digest(found), "\n") end
    if outcome == true then waiting = {} else waiting[#waiting + 1] = { step, outcome } end
    if outcome == true and not found then notes:write(("durable %d\n"):format(step)) end
    while waiting[1] and (not waiting[1][2] or waiting[1][2]:is_durable()) do
      notes:write(("durable %d\n"):format(table.remove(waiting, 1)[1]))
    end
  end
end

-- ---- who kills --------------------------------------------------------------------------------

local tally = { kills = 0, durable = 0 }

-- `known`: what may be in the file, {step, digest} from the last durable step on.
local function check_found(known, found, story)
  for _, step in ipairs(known) do
    if step[2] == found then return { { 0, found } } end
  end
  error({ crash = "it holds what no step left, or durable steps are lost", story = story }, 0)
end

local function read_diary(known, story)
  for line in io.lines(diary) do
    local found = line:match("^found (%x+%.%d+)$")
    local begun, text = line:match("^begun (%d+) (%x+%.%d+)$") -- the last line may be cut off
    local durable = line:match("^durable (%d+)$")
    if found then
      known = check_found(known, found, story)
    elseif begun then
      known[#known + 1] = { tonumber(begun), text }
    elseif durable then
      tally.durable = tally.durable + 1
      while known[1][1] < tonumber(durable) do table.remove(known, 1) end
    end
  end
  return known
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
  if notes then known = read_diary(known, story) end
  if random(1, 2) == 1 then return known end -- the next process looks
  local ok, found = pcall(function()
    local session = workload.open(path, store_options)
    local db <close> = session.db
    return digest(workload.read(db))
  end)
  if not ok then error({ crash = tostring(found), story = story }, 0) end
  return check_found(known, found, story)
end

local function run(seed)
  local random, known = data.random(seed), { { 0, digest(workload.empty()) } }
  recorder.clear(directory)
  for _ = 1, KILLS_PER_FILE do known = kill_one(seed, random, known) end
end

local started, seed = os.time(), options.seed
repeat
  local ok, failure = pcall(run, seed)
  if not ok then arguments.tell(failure, directory) end
  seed = seed + 1
until tally.kills >= options.kills and os.time() - started >= options.seconds
print(("%s: %d kills, %d durable steps, seeds %d to %d"):format(options.durability,
  tally.kills, tally.durable, options.seed, seed - 1))
arguments.remove(directory)
