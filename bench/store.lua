-- The store against the same loops in C on liblmdb, and against py-lmdb where it is installed.
--
-- Each figure is the median of several runs, the runs of the peers taking turns with ours, so that
-- a slow phase of the machine is everybody's. What counts is the ratio.
--
-- usage: lua5.4 bench/store.lua [COUNT] [RUNS]

local screens = require "jangada.cli.screen"
local store = require "jangada.store"

local COUNT <const> = math.tointeger(tonumber(arg[1])) or 1000000
local RUNS <const> = math.tointeger(tonumber(arg[2])) or 3
local SIZE <const>, BATCH <const> = 256, 1000
local BUILD <const> = os.getenv("BUILD") or "build"

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read("a")
end

local clock = screens.wall_clock -- as the peers measure, who count what waits, too

local directory = capture("mktemp -d"):gsub("%s+$", "")
local file = directory .. "/bench.db"

local function remove(path)
  os.remove(path)
  os.remove(path .. "-lock")
end

local function peer(program, kind, path)
  local output = capture(("%s %s %s items %d %d %d"):format(program, kind, path, COUNT, SIZE,
    BATCH))
  return tonumber(output:match("^(%S+)")) or error("no figure from " .. program)
end

local function append(path, durability)
  local db <close> = assert(store.open(path, { durability = durability }))
  db:update(function(tx) tx:create_bucket("items", { keys = "integer" }) end)
  local data, values = ("x"):rep(SIZE), {}
  for i = 1, BATCH do values[i] = data end
  local started = clock()
  for first = 1, COUNT, BATCH do
    db:update(function(tx) tx:bucket("items"):append(first, values) end)
  end
  return clock() - started
end

local function read(path)
  local db <close> = assert(store.open(path))
  return db:view(function(tx)
    local bucket, at, total = tx:bucket("items"), 1, 0
    local started = clock()
    for _ = 1, COUNT do
      at = at * 6364136223846793005 + 1442695040888963407
      total = total + #bucket:get((at >> 33) % COUNT + 1)
    end
    return clock() - started
  end)
end

local function scan(path)
  local db <close> = assert(store.open(path))
  return db:view(function(tx)
    local total, started = 0, clock()
    for _, value in tx:bucket("items"):each() do total = total + #value end
    return clock() - started
  end)
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local C <const> = BUILD .. "/bench/lmdb_loop"
local PYTHON <const> = "/usr/bin/python3 bench/peers/lmdb_loop.py" -- Debian's, with Debian's lmdb
local has_python = os.execute("/usr/bin/python3 -c 'import lmdb' 2>/dev/null") == true

local loads = {
  { "point reads, one transaction", 0.65, 1.2,
    ours = function() return read(file) end,
    c = function() return peer(C, "read", file) end,
    python = function() return peer(PYTHON, "read", file) end },
  { "scan, key and value", 0.08, 1.0,
    ours = function() return scan(file) end,
    c = function() return peer(C, "scan", file) end,
    python = function() return peer(PYTHON, "scan", file) end },
  { "append, batches of 1,000, no flush", 0.8, nil,
    ours = function() remove(file .. ".a") return append(file .. ".a", "none") end,
    c = function() remove(file .. ".c") return peer(C, "append", file .. ".c") end },
  { "append, batches of 1,000, durable", 0.8, 1.3,
    ours = function() remove(file .. ".a") return append(file .. ".a", "commit") end,
    c = function()
      remove(file .. ".c")
      return peer(C, "append_durable", file .. ".c")
    end,
    python = function()
      remove(file .. ".p")
      return peer(PYTHON, "append_durable", file .. ".p")
    end },
}

local screen = screens.new()

local function measure(load)
  local seconds = { ours = {}, c = {}, python = {} }
  for run = 1, RUNS do
    screen:progress(run - 1, RUNS, load[1])
    for _, who in ipairs{ "ours", "c", "python" } do
      if load[who] and (who ~= "python" or has_python) then
        collectgarbage()
        table.insert(seconds[who], load[who]())
      end
    end
  end
  screen:clear()
  local rate = {}
  for who, list in pairs(seconds) do rate[who] = #list > 0 and COUNT / median(list) or nil end
  return rate
end

local function verdict(ratio, floor)
  if not ratio or not floor then return "-" end
  return ("%.2f %s %.2f"):format(ratio, ratio >= floor and ">=" or "BELOW", floor)
end

screen:print("%d entries of %d bytes, 8-byte keys; median of %d runs; items a second", COUNT, SIZE,
  RUNS)
append(file, "none")
local rows = {}
for i, load in ipairs(loads) do
  local rate = measure(load)
  rows[i] = { load[1], screens.thousands(rate.ours), screens.thousands(rate.c),
    rate.python and screens.thousands(rate.python) or "-",
    verdict(rate.ours / rate.c, load[2]),
      verdict(rate.python and rate.ours / rate.python, load[3]) }
end
screen:table({ "load", "jangada", "C loop", "py-lmdb", "to the C loop", "to py-lmdb" }, rows)
for _, suffix in ipairs{ "", ".a", ".c", ".p" } do remove(file .. suffix) end
os.remove(directory)
