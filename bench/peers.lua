-- The log against bbolt, hashicorp's raft-boltdb, etcd's write-ahead log and tarantool, and against
-- about the least that a durable append can cost: a pwrite and an fdatasync of the same bytes.
--
-- usage: lua5.4 bench/peers.lua DURABILITY DIRECTORY     (`make bench-peers` builds what it runs)

local contest = dofile("bench/contest.lua")
local screens = require "jangada.cli.screen"

local DURABILITY <const>, PARENT <const> = contest.arguments("bench/peers.lua")
local SIZE <const>, RUNS <const> = 256, 3

local raw, ours = contest.raw_and_ours(DURABILITY)
local go = contest.BUILD .. "/bench/peers "
local contestants = {
  raw,
  ours,
  { name = "bbolt", command = go .. "bbolt %s %d %d" },
  { name = "raft-boltdb", command = go .. "raft-boltdb %s %d %d" },
  { name = "etcd-wal", command = go .. "etcd-wal %s %d %d" },
  { name = "tarantool", command = "tarantool bench/peers/tarantool.lua %s %d %d" },
}

-- Floors: how many times a peer's rate ours has to be. A turn is so long that most of ours have a
-- checkpoint in them; but for the single appends, where one comes every 30,000.
local loads = {
  { batch = 1, turns = 40, commits = 300, floors = { ["etcd-wal"] = 1 } },
  { batch = 64, turns = 10, commits = 500, floors = { ["raft-boltdb"] = 2.8 } },
  { batch = 1000, turns = 12, commits = 30, floors = { ["raft-boltdb"] = 2.8 } },
}

local function verdict(speed, floor)
  if not floor then return "" end
  return ("%s %.2f"):format(speed >= floor and "at least" or "BELOW", floor)
end

local function row(result, load, name)
  local function micros(figure) return ("%.0f"):format(result:of(name, figure)) end
  local rate, speed = 1 / result:seconds(name), result:speed(ours.name, name)
  return {
    load.batch, name, screens.thousands(rate * load.batch), screens.thousands(rate),
    micros("p50_us"), micros("p99_us"), micros("p999_us"), micros("max_us"),
    ("%.2f"):format(result:speed(name, raw.name)), ("%.2f"):format(speed),
    verdict(speed, load.floors[name]),
  }
end

local screen = screens.new()
local directory <close> = contest.directory(PARENT)
screen:print("durable appends of %d bytes on %s; durability %s; medians of %d runs", SIZE,
  directory.kind, DURABILITY, RUNS)
local rows, warnings = {}, {}
for i, load in ipairs(loads) do
  load.size = SIZE
  local result = contest.run(directory.path, contestants, load, RUNS, function(share)
    screen:progress(i - 1 + share, #loads, ("batches of %d"):format(load.batch))
  end)
  warnings[#warnings + 1] = result:warning()
  for _, contestant in ipairs(contestants) do
    rows[#rows + 1] = row(result, load, contestant.name)
  end
end
screen:clear()
screen:table({ "batch", "who", "entries/s", "commits/s", "p50 us", "p99 us", "p99.9 us", "max us",
  "to raw", "ours to it", "floor" }, rows, { [3] = true, [4] = true, [5] = true, [6] = true,
  [7] = true, [8] = true, [9] = true, [10] = true })
for _, warning in ipairs(warnings) do screen:print("  %s", warning) end
