--- The worker processes of a campaign: starts them, hands them seeds a few at a time, gathers what
--- they tell, and copes with those that die.
--
-- A worker is this very program (jangada.cli.lab.worker). It is given some seeds, tells what each
-- came to and ends; so a seed's result depends on no other, and what a seed leaves behind in its
-- process is gone soon. When one dies, the seed it was at is to blame, and those behind it wait
-- again.

local errors = require "jangada.errors"
local files = require "jangada.files"
local seeds_of = require "jangada.lab.campaign.seeds"
local session = require "jangada.cli.lab.session"
local store = require "jangada.store"

local streams = store.streams

local Pool = {}
Pool.__index = Pool
Pool.__name = "jangada.cli.Pool"

local pool = {}

local READ_SIZE <const> = 1 << 16
local POLL_MS <const> = 100
local CHUNK_S <const> = 4      -- a worker's seeds should take about so long: a start costs, too
local CHUNK_MAX <const> = 512
local START_MS <const> = 1000  -- the first thing that a worker tells is there long before
local GRACE_S <const> = 2      -- how long seeds may go on when the campaign stops
local SIGALRM <const> = 14

---@class jangada.cli.Worker
---@field pipe file* what it tells
---@field pid integer|nil once it has told
---@field seeds integer[]
---@field at integer of the seed that it is at
---@field text string of a line that has not come to its end
---@field is_ready boolean it has read the scenario

--- Makes a pool.
---@param queue table jangada.lab.campaign.queue
---@param args table scenario, jobs, duration, seed_time
---@return table pool
function pool.new(queue, args)
  return setmetatable({
    queue = queue, args = args,
    workers = {},      -- that run
    results = 0,       -- so far
    started_s = streams.clock(),
    stopped_s = nil,   -- when no further seed was to begin
    on_result = nil,   -- is given each result
  }, Pool)
end

-- How many seeds a worker is given: fewer towards the end, so that all end at about the same time.
local function chunk_size(self)
  local jobs = self.args.jobs
  local rate = self.results / (streams.clock() - self.started_s + 0.001) / jobs
  local share = math.ceil(self.queue.left / (2 * jobs))
  local size = math.min(share, math.ceil(rate * CHUNK_S), CHUNK_MAX)
  return math.max(size, self.results == 0 and math.min(share, 4) or math.ceil(rate / 4), 1)
end

local function start(self)
  local list = self.queue:take(chunk_size(self))
  if #list == 0 then return false end
  local args = self.args
  local words = { "lab", "worker", args.scenario, "--seeds", seeds_of.format(list), "--seed-time",
    tostring(args.seed_time) }
  if args.duration then
    table.move({ "--duration", tostring(args.duration) }, 1, 2, #words + 1, words)
  end
  local pipe = assert(io.popen(("exec 3>&1 >/dev/null </dev/null; echo $$ >&3; exec %s"):format(
    session.command(table.unpack(words)))))
  table.insert(self.workers, { pipe = pipe, seeds = list, at = 1, text = "", is_ready = false })
  return true
end

-- What a worker that has ended was at is told as a result; what it has not begun waits again.
local function bury(self, worker)
  local _, kind, status = worker.pipe:close()
  local rest = table.move(worker.seeds, worker.at, #worker.seeds, 1, {})
  if not worker.is_ready and not self.stopped_s then
    errors.raise("worker_failed", "a worker could not begin: %s",
      kind == "signal" and "killed by signal " .. status or "exit code " .. status)
  end
  local has_died = kind == "signal" or status ~= 0 or worker.at == 1
  if #rest > 0 and has_died and not self.stopped_s then
    local seed = table.remove(rest, 1)
    local verdict = { kind = "worker_died", message = "the process ended: " .. (kind == "signal"
      and "killed by signal " .. status or "exit code " .. status) }
    if kind == "signal" and status == SIGALRM then
      verdict = { kind = "time_exceeded",
        message = ("the seed took more than %d s"):format(self.args.seed_time) }
    end
    self.results = self.results + 1
    self.on_result({ "seed", seed, "verdict", verdict })
  end
  if #rest > 0 then self.queue:give_back(rest) end
end

local function take_line(self, worker, line)
  if not worker.pid then
    worker.pid = line
  elseif not worker.is_ready then
    worker.is_ready = true
  else
    worker.at = worker.at + 1
    self.results = self.results + 1
    self.on_result(line)
  end
end

-- Reads what a worker tells. Gives whether it goes on.
local function listen(self, worker)
  local bytes = streams.read(worker.pipe, READ_SIZE, 0)
  if bytes == nil then return true end
  if bytes == "" then return false end
  local text = worker.text .. bytes
  local at = 1
  for line, stop in text:gmatch("([^\n]*)\n()") do
    at = stop
    take_line(self, worker, line)
  end
  worker.text = text:sub(at)
  return true
end

local function signal(self, name)
  for _, worker in ipairs(self.workers) do
    if not worker.pid and #streams.poll({ worker.pipe }, START_MS) > 0 then listen(self, worker) end
    if worker.pid then
      os.execute(("kill -%s %s 2>/dev/null"):format(name, files.quote(worker.pid)))
    end
  end
end

-- Ends the workers. Their pipes are not read to the end: a process that a worker has started may
-- hold them for long.
local function kill(self)
  signal(self, "KILL")
  for _, worker in ipairs(self.workers) do
    listen(self, worker)
    bury(self, worker)
  end
  self.workers = {}
end

--- Lets no further seed begin. Those that run are waited for a little.
function Pool:stop()
  if self.stopped_s then return end
  self.stopped_s = streams.clock()
  signal(self, "TERM")
end

--- Runs all seeds of the queue, or as many as come before `stop`.
---@param on_result fun(result: string|any[]) is given each result: a line of JSON, or a row of one
---@param tick fun() is called between, ten times a second or more
function Pool:run(on_result, tick)
  self.on_result = on_result
  while true do
    while not self.stopped_s and #self.workers < self.args.jobs and start(self) do end
    if #self.workers == 0 then return end
    local pipes = {}
    for i, worker in ipairs(self.workers) do pipes[i] = worker.pipe end
    local ready = streams.poll(pipes, POLL_MS)
    for k = #ready, 1, -1 do
      local worker = self.workers[ready[k]]
      if not listen(self, worker) then
        table.remove(self.workers, ready[k])
        bury(self, worker)
      end
    end
    tick()
    if self.stopped_s and streams.clock() > self.stopped_s + GRACE_S then
      return kill(self)
    end
  end
end

--- Ends what still runs.
function Pool:close()
  self.on_result = function() end
  signal(self, "KILL")
  for _, worker in ipairs(self.workers) do worker.pipe:close() end
  self.workers = {}
end
Pool.__close = Pool.close

return pool
