-- The log against the disk under it: what a durable append costs beside a pwrite and an fdatasync
-- of the same bytes, and what else a Raft server waits for. Each row has a floor; a row below it is
-- marked, and nothing else happens.
--
-- usage: lua5.4 bench/log.lua DURABILITY DIRECTORY     (`make bench-log` builds what it needs)

local clock = require "clock"
local contest = dofile("bench/contest.lua")
local Log = require "jangada.log"
local screens = require "jangada.cli.screen"
local store = require "jangada.store"

local DURABILITY <const>, PARENT <const> = contest.arguments("bench/log.lua")
local SIZE <const>, RUNS <const> = 256, 3
local COUNT <const>, FEW <const>, TERMS <const>, COMPACTED <const> = 1000000, 10000, 100, 900000
local APPENDERS <const> = 64

local DATA <const> = ("x"):rep(SIZE)
local screen, rows, warnings = screens.new(), {}, {}
local directory <close> = contest.directory(PARENT)

---------------------------------------------------------------------------------------------------
-- The table

local function rate(n) return screens.thousands(n) .. "/s" end
local function micros(n) return ("%.0f us"):format(n) end
local function millis(seconds) return ("%.1f ms"):format(seconds * 1000) end

local function column(list, name)
  local values = {}
  for i, row in ipairs(list) do values[i] = row[name] end
  return values
end

-- A floor is {"at least"|"at most", number, text}; `value` is what is held against it.
local function add(what, ours, against, ratio, floor, value)
  local text = ""
  if floor then
    local holds
    if floor[1] == "at least" then holds = value >= floor[2] else holds = value <= floor[2] end
    text = ("%s%s %s"):format(holds and "" or "MISSED: ", floor[1],
      floor[3] or ("%.2f"):format(floor[2]))
  end
  rows[#rows + 1] = { what, ours, against or "", ratio and ("%.2f"):format(ratio) or "", text }
end

---------------------------------------------------------------------------------------------------
-- Durable appends, beside the raw loop

local raw, ours = contest.raw_and_ours(DURABILITY)

local function contend(load, show)
  local result = contest.run(directory.path, { raw, ours }, load, RUNS, function(share)
    show(share, ("durable appends, batches of %d"):format(load.batch))
  end)
  warnings[#warnings + 1] = result:warning()
  return result
end

local function measure_single(show)
  local result = contend({ size = SIZE, batch = 1, turns = 100, commits = 300 }, show)
  local slower = 1 / result:speed(ours.name, raw.name)
  add("one durable append", micros(result:seconds(ours.name) * 1e6),
    micros(result:seconds(raw.name) * 1e6), slower, { "at most", 1.1 }, slower)
  for _, what in ipairs{ { "p50" }, { "p99" }, { "p99.9", "p999" }, { "mean" }, { "max" } } do
    local figure = (what[2] or what[1]) .. "_us"
    add("one durable append: " .. what[1], micros(result:of(ours.name, figure)),
      micros(result:of(raw.name, figure)), result:ratio(ours.name, raw.name, figure))
  end
end

local function measure_batches(load, floor, show)
  local result = contend(load, show)
  local function entries(name) return rate(load.batch / result:seconds(name)) end
  local speed = result:speed(ours.name, raw.name)
  add(("durable appends, batches of %s"):format(screens.thousands(load.batch)),
    entries(ours.name), entries(raw.name), speed, { "at least", floor }, speed)
end

---------------------------------------------------------------------------------------------------
-- A long log: opening, reading, compaction

local function open(path, durability)
  local db = assert(store.open(path, { durability = durability }))
  return db, Log.open(db, "replog")
end

local function make_entries(count, term)
  local entries = {}
  for i = 1, count do entries[i] = { term = term, data = DATA } end
  return entries
end

local function fill(path, count)
  local db <close>, log = open(path, "none")
  for term = 1, TERMS do
    log:save{ term = term, entries = make_entries(count // TERMS, term) }
  end
  log:save{ commit = count }
  db:sync() -- else the first flush that is measured pays for it
end

local function time_open(path)
  do local _db <close> = open(path, DURABILITY) end -- which makes the journal, if there is one
  local started = clock.now()
  local _db <close> = open(path, DURABILITY)
  return clock.now() - started
end

local function time_read(log, read)
  collectgarbage()
  local started = clock.now()
  local bytes = read(log)
  local seconds = clock.now() - started
  assert(bytes == COUNT * SIZE, "it read something else")
  return seconds
end

local function read_each(log)
  local bytes = 0
  for _, entry in log:each() do bytes = bytes + #entry.data end
  return bytes
end

local function read_visit(log)
  local bytes = 0
  log:visit(1, COUNT, function(_, _, _, _, data) bytes = bytes + #data end)
  return bytes
end

-- Seconds of all, and of its longest transaction.
local function time_compaction(log)
  local total, longest = 0, 0
  local function time(fn, ...)
    local started = clock.now()
    local result = fn(...)
    local seconds = clock.now() - started
    total, longest = total + seconds, math.max(longest, seconds)
    return result
  end
  time(log.save, log, { snapshot = { index = COMPACTED, term = log:term(COMPACTED) },
    compact = COMPACTED })
  while time(log.sweep, log) > 0 do end
  assert(log:stats().entries == COUNT - COMPACTED, "it removed something else")
  return total, longest
end

-- What a crash leaves in the journal is replayed.
local function time_recovery(path)
  local db, log = open(path, DURABILITY)
  local entries = make_entries(100, TERMS)
  db:checkpoint()
  for _ = 1, 100 do log:save{ entries = entries } end
  db:abandon()
  local started = clock.now()
  local _db <close> = open(path, DURABILITY)
  return clock.now() - started
end

local function measure_run(files)
  local many, few, found = files .. "/many.db", files .. "/few.db", {}
  fill(many, COUNT)
  fill(few, FEW)
  found.open, found.open_few = time_open(many), time_open(few)
  do
    local _db <close>, log = open(many, DURABILITY)
    found.each, found.visit = time_read(log, read_each), time_read(log, read_visit)
    found.compaction, found.longest = time_compaction(log)
  end
  if DURABILITY == "journal" then found.recovery = time_recovery(few) end
  return found
end

local function measure_long_log(show)
  local found = {}
  for run = 1, RUNS do
    local files <close> = contest.directory(directory.path)
    show((run - 1) / RUNS, "a log of a million entries")
    found[run] = measure_run(files.path)
  end
  local function median(name) return contest.median(column(found, name)) end
  for _, way in ipairs{ "visit", "each" } do
    local entries = COUNT / median(way)
    add("reading in order with checksums, by " .. way, rate(entries), nil, nil,
      way == "visit" and { "at least", 2000000, "2,000,000/s" }, entries)
  end
  add("opening a log of 1,000,000 entries, beside 10,000", millis(median("open")),
    millis(median("open_few")), median("open") / median("open_few"),
    { "at most", 0.020, "20 ms" }, median("open"))
  if found[1].recovery then
    add("opening after a crash, 10,000 entries to replay", millis(median("recovery")))
  end
  add("compacting 900,000 of 1,000,000 entries", millis(median("compaction")), nil, nil,
    { "at most", 1, "1 s" }, median("compaction"))
  add("compacting: the longest transaction", millis(median("longest")), nil, nil,
    { "at most", 0.050, "50 ms" }, median("longest"))
end

---------------------------------------------------------------------------------------------------
-- Many appenders at a time, and what a checkpoint makes them wait

local ONE <const>, NO_WAIT <const> = { entries = make_entries(1, 1) }, { wait = false }

-- One appender, who waits for each commit.
local function append_alone(_, log, count)
  for _ = 1, count do log:save(ONE) end
end

local function commit_one(db, log)
  local tx <close> = db:begin("write")
  log:save(ONE)
  return tx:commit(NO_WAIT)
end

-- Each is a coroutine, which commits and lets the others go on until its ticket is durable.
local function append_with_tickets(db, log, count)
  local appenders, tickets = {}, {}
  for i = 1, APPENDERS do
    appenders[i] = coroutine.wrap(function()
      for _ = 1, count // APPENDERS do coroutine.yield(commit_one(db, log)) end
    end)
    tickets[i] = appenders[i]()
  end
  repeat
    for i, append in ipairs(appenders) do
      tickets[i]:wait()
      tickets[i] = append()
    end
  until #tickets == 0
end

-- Their saves are folded into one transaction.
local function append_folded(db, log, count)
  local function save_all()
    for _ = 1, APPENDERS do log:save(ONE) end
  end
  for _ = 1, count // APPENDERS do db:update(save_all) end
end

local ways = {
  { name = "alone", append = append_alone, count = 200 },
  { name = "tickets", append = append_with_tickets, count = 100 * APPENDERS },
  { name = "folded", append = append_folded, count = 100 * APPENDERS },
}

-- Entries a second in the median round, and how many times those of who appends alone that is.
local function race(db, log, rounds)
  local rates, speeds = {}, {}
  for _, way in ipairs(ways) do rates[way.name], speeds[way.name] = {}, {} end
  for round = 0, rounds do -- the first one warms up
    for _, way in ipairs(ways) do
      local started = clock.now()
      way.append(db, log, way.count)
      local entries = way.count / (clock.now() - started)
      rates[way.name][round] = entries
      speeds[way.name][round] = entries / (way == ways[1] and entries or rates.alone[round])
    end
  end
  for _, way in ipairs(ways) do
    rates[way.name] = contest.median(rates[way.name])
    speeds[way.name] = contest.median(speeds[way.name])
  end
  return rates, speeds
end

local function measure_appenders(show)
  local rates, speeds = {}, {}
  for run = 1, RUNS do
    show((run - 1) / RUNS, "64 appenders at a time")
    local files <close> = contest.directory(directory.path)
    local db <close>, log = open(files.path .. "/log.db", DURABILITY)
    log:save{ term = 1 }
    rates[run], speeds[run] = race(db, log, 20)
  end
  local function row(what, name, floor)
    local speed = contest.median(column(speeds, name))
    add(what, rate(contest.median(column(rates, name))),
      rate(contest.median(column(rates, "alone"))), speed, { "at least", floor }, speed)
  end
  row("64 appenders with tickets, beside one", "tickets", 15)
  row("64 appenders folded, beside one", "folded", 25)
end

-- The longest of the commits in which a checkpoint was made, and of the others.
local function longest_commits(db, log, count)
  local entries, stall, other = make_entries(64, 1), 0, 0
  local checkpoint = db:info().journal.checkpoint_lsn
  for _ = 1, count do
    local started = clock.now()
    log:save{ entries = entries }
    local seconds = clock.now() - started
    local latest = db:info().journal.checkpoint_lsn
    if latest == checkpoint then
      other = math.max(other, seconds)
    else
      stall, checkpoint = math.max(stall, seconds), latest
    end
  end
  return stall, other
end

local function measure_checkpoints(show)
  local stalls, others = {}, {}
  for run = 1, RUNS do
    show((run - 1) / RUNS, "checkpoints")
    local files <close> = contest.directory(directory.path)
    local db <close>, log = open(files.path .. "/log.db", DURABILITY)
    log:save{ term = 1 }
    stalls[run], others[run] = longest_commits(db, log, 6000)
  end
  local stall = contest.median(stalls)
  add("longest commit with a checkpoint, beside the others", millis(stall),
    millis(contest.median(others)), nil, { "at most", 0.015, "15 ms" }, stall)
end

local parts = {
  { 24, measure_single },
  { 4, function(show)
    measure_batches({ size = SIZE, batch = 64, turns = 15, commits = 500 }, 0.65, show)
  end },
  { 4, function(show)
    measure_batches({ size = SIZE, batch = 1000, turns = 20, commits = 30 }, 0.18, show)
  end },
  { 10, measure_long_log },
}
if DURABILITY == "journal" then
  parts[#parts + 1] = { 6, measure_appenders }
  parts[#parts + 1] = { 4, measure_checkpoints }
end

screen:print("the log on %s, entries of %d bytes; durability %s; medians of %d runs",
  directory.kind, SIZE, DURABILITY, RUNS)
local total, done = 0, 0
for _, part in ipairs(parts) do total = total + part[1] end
for _, part in ipairs(parts) do
  part[2](function(share, what) screen:progress(done + share * part[1], total, what) end)
  done = done + part[1]
end
screen:clear()
screen:table({ "what", "ours", "raw, or the other", "ratio", "floor" }, rows,
  { [2] = true, [3] = true, [4] = true })
for _, warning in ipairs(warnings) do screen:print("  %s", warning) end
