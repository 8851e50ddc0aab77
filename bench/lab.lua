-- How fast the lab runs: five nodes of the reference Raft, each with a real store on the memory
-- file system (without flushes, or with a journal on a memory disk), and a client that streams
-- commands, with and without invariants.
--
-- An event is a message that arrives or a timer that fires. Each figure is the median of several
-- runs; the first simulated second, in which nodes boot and elect, is not counted.
--
-- usage: lua5.4 bench/lab.lua [SIMULATED_SECONDS] [RUNS] [DURABILITY]

local lab = require "jangada.lab"

local SECONDS <const> = tonumber(arg[1]) or 60
local RUNS <const> = math.tointeger(tonumber(arg[2])) or 5
local DURABILITY <const> = arg[3] or "none"

-- Loads: commands in a request; nil for no client at all.
local loads = {
  {name = "heartbeats alone"},
  {name = "a stream, 1 command a request", batch_max = 1},
  {name = "a stream, 16 commands a request", batch_max = 16},
}

local function endless()
  local n = 0
  return function()
    n = n + 1
    return "command number " .. n
  end
end

-- One run: events, commands and seconds of processor time.
local function run(load, invariants, seed)
  local stream = load.batch_max and lab.stream{commands = endless(), batch_max = load.batch_max}
  local world <close> = lab.new{
    seed = seed, nodes = 5, protocol = "jangada.raft.protocol", durability = DURABILITY,
    clients = stream and {stream} or {}, invariants = invariants,
  }
  world:run(1000)
  local events, commands = world.events, stream and stream.acknowledged or 0
  collectgarbage()
  local begin = os.clock()
  local verdict = world:run(SECONDS * 1000)
  local seconds = os.clock() - begin
  assert(not verdict, tostring(verdict))
  return {
    events = world.events - events, seconds = seconds,
    commands = (stream and stream.acknowledged or 0) - commands,
  }
end

local function median_run(load, invariants)
  local runs = {}
  for i = 1, RUNS do runs[i] = run(load, invariants, 1) end
  table.sort(runs, function(a, b) return a.seconds < b.seconds end)
  return runs[(RUNS + 1) // 2]
end

print(("five nodes of Raft, durability %s, %d simulated seconds, median of %d runs"):format(
  DURABILITY, SECONDS, RUNS))
print(("%-34s%-12s%10s%12s%14s%14s"):format("load", "invariants", "events", "events/s",
  "commands/s", "simulated s/s"))
for _, load in ipairs(loads) do
  for _, invariants in ipairs{false, true} do
    local result = median_run(load, not invariants and {} or nil)
    print(("%-34s%-12s%10d%12.0f%14.0f%14.1f"):format(load.name, invariants and "all" or "none",
      result.events, result.events / result.seconds, result.commands / result.seconds,
      SECONDS / result.seconds))
  end
end
