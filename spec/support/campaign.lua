-- Runs one protocol under many seeds, each with its own cluster size, network, load and faults.
--
-- How hard a seed is varies from seed to seed, on logarithmic scales: that is what finds bugs. When
-- the faults are over, the cluster has to finish the client's work.

local lab = require "jangada.lab"
local oracles = require "jangada.lab.oracle"

local M = {}

local FAULTS_MS <const> = 2000  -- nothing strikes after this
local GRACE_MS <const> = 20000  -- time to finish when all is well again

---The scenario of a seed, the same at each call. Its client submits until the faults are over, and
---a few more commands after that.
---@param seed integer
---@param protocol string
---@return table options of lab.new
---@return table stream
function M.scenario(seed, protocol)
  local chance = oracles.new(seed):stream("campaign")
  local low_ms = chance:logarithmic(0.1, 10)
  local n, late, stream = 0, 0, nil
  stream = lab.stream{
    commands = function()
      if stream.client.world.time_us > FAULTS_MS * 1000 then late = late + 1 end
      n = n + 1
      return late < 10 and ("command %d"):format(n) or nil
    end,
    batch_max = chance:between(1, 4),
    timeout_ms = math.floor(chance:logarithmic(30, 500)),
    retry_ms = math.floor(chance:logarithmic(1, 100)),
  }
  return {
    seed = seed, protocol = protocol,
    nodes = chance:chance(0.6) and 3 or 5,
    network = {delay_ms = {low_ms, low_ms + chance:logarithmic(0.1, 40)},
      loss = chance:chance(0.5) and chance:logarithmic(0.001, 0.2) or 0},
    faults = {duration_ms = FAULTS_MS},
    clients = {stream},
    invariants = {"raft"},
    events_max = 500000,
    options = {pre_vote = chance:chance(0.3)}, -- elections are what most mistakes show in
  }, stream
end

---Runs a seed.
---@param seed integer
---@param protocol string
---@return string|nil failure what went wrong, with the seed and the plan
---@return table world closed
function M.run(seed, protocol)
  local options, stream = M.scenario(seed, protocol)
  local world <close> = lab.new(options)
  world:run(FAULTS_MS)
  world:run_until(function() return stream.done end, GRACE_MS)
  local what = world.verdict and (world.verdict.traceback or tostring(world.verdict))
  if not what and not stream.done then
    what = ("no progress: the client is not done %d ms after the last fault"):format(GRACE_MS)
  end
  if what then
    what = ("seed %d, %s: %s\nfaults = %s"):format(seed, world:hash(), what,
      lab.faults.format(world.plan))
  end
  return what, world
end

---The first of some seeds that fails.
---@param from integer
---@param to integer
---@param protocol string
---@return integer|nil seed
---@return table|nil verdict
function M.first_failure(from, to, protocol)
  for seed = from, to do
    local failure, world = M.run(seed, protocol)
    if failure then return seed, world.verdict, failure end
  end
end

return M
