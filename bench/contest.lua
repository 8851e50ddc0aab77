-- A contest: programs that do the same appends on the same file system, side by side. In a round
-- each has a short turn, in one order and then in the other, so that a slow phase of the machine is
-- everybody's; all of it is done in several runs on fresh files. Rates and their ratios are those
-- of the median round: what the disk does now and then for somebody else is not in them, but in the
-- percentiles of the latencies. bench/turns.lua says what a contestant reads and answers.

local cjson = require "cjson"

local contest = {}

local UNEVEN <const> = 2 -- a median turn so many times the fastest one is worth a warning

contest.BUILD = os.getenv("BUILD") or "build"

---@class bench.Contestant
---@field name string
---@field command string a shell command; %s is where the directory goes, %d and %d size and batch

---@class bench.Load
---@field size integer bytes of an entry
---@field batch integer entries a commit
---@field turns integer of each contestant in a run
---@field commits integer in a turn

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read("l")
end

--- The arguments of a benchmark; without them it ends here, and says what they are.
---@param program string
---@return string durability ours
---@return string directory
function contest.arguments(program)
  if #arg ~= 2 then
    io.stderr:write("usage: lua5.4 ", program, " DURABILITY DIRECTORY\n")
    os.exit(2)
  end
  return arg[1], arg[2]
end

---@param list number[]
---@return number
function contest.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

--- Makes a directory for files that are worth measuring; it and all in it goes when it is closed.
---@param parent string it is made if it is not there; raises where flushing costs nothing
---@return table directory its path is in `path`
function contest.directory(parent)
  assert(os.execute("mkdir -p " .. quote(parent)), "cannot make the directory " .. parent)
  local kind = capture("df --output=fstype " .. quote(parent) .. " | tail -n 1")
  if kind == "tmpfs" or kind == "ramfs" then
    error(("%s is on a %s, where a flush costs nothing: choose another with DIR=")
      :format(parent, kind), 0)
  end
  local path = assert(capture("mktemp -d " .. quote(parent .. "/XXXXXX")))
  return setmetatable({ path = path, kind = kind }, {
    __close = function() os.execute("rm -rf " .. quote(path)) end,
  })
end

-- A program with a FIFO to its input and a pipe from its output. We hold the FIFO's other end, too:
-- to write to a program that has died is then no signal that ends us.
local function start(contestant, directory, load)
  local path = directory .. "/" .. contestant.name
  local turns = path .. ".turns"
  assert(os.execute(("mkdir %s && mkfifo %s"):format(quote(path), quote(turns))))
  local command = contestant.command:format(quote(path), load.size, load.batch)
  return {
    name = contestant.name,
    output = assert(io.popen(("exec <%s %s"):format(quote(turns), command))), -- waits for a writer
    turns = assert(io.open(turns, "w")),
    reader = assert(io.open(turns, "r")),
  }
end

local function take_turn(program, commits)
  program.turns:write(commits, "\n")
  program.turns:flush()
  return tonumber(program.output:read("l")) or error(program.name .. " has stopped", 0)
end

-- Its input ends; its figures, or nil if it has failed.
local function finish(program)
  program.turns:close()
  program.reader:close()
  local line = program.output:read("l")
  return program.output:close() and line and cjson.decode(line) or nil
end

-- Each program has inherited its predecessors' FIFOs, so the last one has to end first.
local function finish_all(programs)
  local figures = {}
  while #programs > 0 do
    local program = table.remove(programs)
    figures[program.name] = finish(program) or error(program.name .. " has failed", 0)
  end
  return figures
end

local function abandon(programs)
  while #programs > 0 do finish(table.remove(programs)) end
end

-- One run: what each reports at its end, with the seconds of each of its turns.
local function play(directory, contestants, load, on_turn)
  local programs <close> = setmetatable({}, { __close = abandon })
  local seconds = {}
  for i, contestant in ipairs(contestants) do
    programs[i], seconds[i] = start(contestant, directory, load), {}
  end
  for turn = 0, load.turns do -- the first one warms up
    for n = 1, #programs do
      local i = turn % 2 == 0 and n or #programs + 1 - n
      seconds[i][turn] = take_turn(programs[i], load.commits)
      on_turn()
    end
  end
  local figures = finish_all(programs)
  for i, contestant in ipairs(contestants) do figures[contestant.name].seconds = seconds[i] end
  return figures
end

---@class bench.Result what each contestant reported, run by run
---@field load bench.Load
---@field runs table<string, table>[]
local Result = {}
Result.__index = Result

local function median_of(runs, value)
  local list = {}
  for i, run in ipairs(runs) do list[i] = value(run) end
  return contest.median(list)
end

--- The median over the runs of a figure.
---@param name string the contestant
---@param figure string as in bench/turns.lua
---@return number
function Result:of(name, figure)
  return median_of(self.runs, function(run) return run[name][figure] end)
end

--- The median over the runs of what a figure of one contestant is to another's.
---@param name string
---@param other string
---@param figure string
---@return number
function Result:ratio(name, other, figure)
  return median_of(self.runs, function(run) return run[name][figure] / run[other][figure] end)
end

--- Seconds of a commit: those of a run's median turn, and of these the median over the runs.
---@param name string
---@return number
function Result:seconds(name)
  return median_of(self.runs, function(run)
    return contest.median(run[name].seconds) / self.load.commits
  end)
end

--- How many times faster one contestant is than another: in each round both had a turn.
---@param name string
---@param other string
---@return number the median over a run's rounds, and of these the median over the runs
function Result:speed(name, other)
  return median_of(self.runs, function(run)
    local list = {}
    for i, seconds in ipairs(run[other].seconds) do list[i] = seconds / run[name].seconds[i] end
    return contest.median(list)
  end)
end

--- A line of warning where the raw loop's turns were uneven: the disk was busy with something else.
---@return string|nil
function Result:warning()
  local seconds = {}
  for _, run in ipairs(self.runs) do
    table.move(run.raw.seconds, 1, self.load.turns, #seconds + 1, seconds)
  end
  local ratio = contest.median(seconds) / math.min(table.unpack(seconds))
  if ratio < UNEVEN then return nil end
  return ("batches of %d: the disk was disturbed, the raw loop's median turn took %.1f times its "
    .. "fastest; measure again"):format(self.load.batch, ratio)
end

--- Lets programs contend, some runs long, each on fresh files.
---@param directory string
---@param contestants bench.Contestant[]
---@param load bench.Load
---@param runs integer
---@param progress fun(share: number)
---@return bench.Result
function contest.run(directory, contestants, load, runs, progress)
  local result, turns = setmetatable({ load = load, runs = {} }, Result), 0
  for r = 1, runs do
    local files <close> = contest.directory(directory)
    result.runs[r] = play(files.path, contestants, load, function()
      turns = turns + 1
      progress(turns / (runs * #contestants * (load.turns + 1)))
    end)
  end
  return result
end

--- The contestants that both benchmarks know.
---@param durability string ours
---@return bench.Contestant raw, bench.Contestant ours
function contest.raw_and_ours(durability)
  return { name = "raw", command = contest.BUILD .. "/bench/raw_append %s %d %d" },
    { name = "jangada", command = arg[-1] .. " bench/append.lua " .. durability .. " %s %d %d" }
end

return contest
