-- The store against the same loops in C on liblmdb, and against py-lmdb where it is installed.
--
-- Each program runs several times, each time in a process of its own, in rounds in which everybody
-- has a turn, so that a slow phase of the machine is everybody's. Rates are those of the median
-- run, ratios those of the median round. What counts is the ratio.
--
-- usage: lua5.4 bench/store.lua [COUNT] [RUNS]

local screens = require "jangada.cli.screen"

local COUNT <const> = math.tointeger(tonumber(arg[1])) or 1000000
local RUNS <const> = math.tointeger(tonumber(arg[2])) or 5
local SIZE <const>, BATCH <const> = 256, 1000
local BUILD <const> = os.getenv("BUILD") or "build"

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read("a")
end

local directory = capture("mktemp -d"):gsub("%s+$", "")
local file = directory .. "/bench.db"

local function remove(path)
  os.remove(path)
  os.remove(path .. "-lock")
end

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

local PYTHON <const> = "/usr/bin/python3" -- Debian's, with Debian's lmdb
local has_python = os.execute(PYTHON .. " -c 'import lmdb' 2>/dev/null") == true
local programs = {
  ours = arg[-1] .. " bench/store_loop.lua",
  c = BUILD .. "/bench/lmdb_loop",
  python = has_python and PYTHON .. " bench/peers/lmdb_loop.py" or nil,
}

-- Runs a program's loop over a file; returns the seconds that it took.
local function run(who, kind, path)
  local output = capture(("%s %s %s items %d %d %d"):format(programs[who], kind, path, COUNT, SIZE,
    BATCH))
  return tonumber(output:match("^(%S+)")) or error("no figure from " .. programs[who])
end

local loads = { -- title, loop, floors: to the C loop, to py-lmdb
  { "point reads, one transaction", "read", 0.65, 1.2 },
  { "scan, key and value", "scan", 0.08, 1.0 },
  { "append, batches of 1,000, no flush", "append", 0.8, nil },
  { "append, batches of 1,000, durable", "append_durable", 0.8, 1.3 },
}

local screen = screens.new()

-- Items a second by program, and how many times as fast as each of the others ours is.
local function measure(title, kind, with_python)
  local seconds, rate, speed = {}, {}, {}
  for turn = 1, RUNS do
    screen:progress(turn - 1, RUNS, title)
    for who in pairs(programs) do
      if who ~= "python" or with_python then
        local path = kind:match("^append") and file .. "." .. who or file
        if path ~= file then remove(path) end
        seconds[who] = seconds[who] or {}
        table.insert(seconds[who], run(who, kind, path))
      end
    end
  end
  screen:clear()
  for who, list in pairs(seconds) do
    local ratios = {}
    for turn, its in ipairs(list) do ratios[turn] = its / seconds.ours[turn] end
    rate[who], speed[who] = COUNT / median(list), median(ratios)
  end
  return rate, speed
end

local function verdict(ratio, floor)
  if not ratio or not floor then return "-" end
  return ("%.2f %s %.2f"):format(ratio, ratio >= floor and ">=" or "BELOW", floor)
end

screen:print("%d entries of %d bytes, 8-byte keys; medians of %d rounds; items a second", COUNT,
  SIZE, RUNS)
run("ours", "append", file)
local rows = {}
for i, load in ipairs(loads) do
  local title, kind, to_c, to_python = table.unpack(load)
  local rate, speed = measure(title, kind, to_python)
  rows[i] = { title, screens.thousands(rate.ours), screens.thousands(rate.c),
    rate.python and screens.thousands(rate.python) or "-", verdict(speed.c, to_c),
    verdict(speed.python, to_python) }
end
screen:table({ "load", "jangada", "C loop", "py-lmdb", "to the C loop", "to py-lmdb" }, rows)
for _, suffix in ipairs{ "", ".ours", ".c", ".python" } do remove(file .. suffix) end
os.remove(directory)
