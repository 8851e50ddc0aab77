-- The lab: a protocol in a deterministic world, with faults, judged after every turn.
--
--     local lab = require "jangada.lab"
--     local world <close> = lab.new{seed = 42, nodes = 5, protocol = "jangada.raft.protocol"}
--     world:run(2000)                       -- two seconds of simulated time
--     world:crash("leader")
--     assert(not world:run(2000), world.verdict)
--     print(world:hash())                   -- the same in every process

local delays = require "jangada.lab.delays"
local disks = require "jangada.lab.disk"
local draws = require "jangada.lab.draws"
local faults = require "jangada.lab.faults"
local invariants = require "jangada.lab.invariants"
local kv = require "jangada.lab.kv"
local lives = require "jangada.lab.liveness"
local machines = require "jangada.lab.machine"
local networks = require "jangada.lab.network"
local node = require "jangada.node"
local options = require "jangada.lab.options"
local oracles = require "jangada.lab.oracle"
local plain = require "jangada.node.plain"
local streams = require "jangada.lab.stream"
local traces = require "jangada.lab.trace"
local worlds = require "jangada.lab.world"

local M = {}

local NODES_MAX <const> = 64

local function is_client(client)
  return type(client) == "function"
    or type(client) == "table" and type(client.start) == "function"
end

local memory = {text = "a number of MiB, over 0", is = function(value)
  return type(value) == "number" and value > 0
end}

-- The options of lab.new: the kind of each, and its default.
local RULES <const> = {
  seed = {options.integer(), 1}, nodes = {options.integer(1, NODES_MAX), 3},
  protocol = {options.any}, options = {options.table}, network = {options.table},
  durability = {options.one_of{"none", "commit", "journal"}}, directory = {options.path},
  disk = {options.table}, faults = {options.table},
  clients = {options.list(is_client, "a list of functions, and of objects with a function start",
    "shared")}, -- which is that of lab.kv_clients
  invariants = {options.table}, observe = {options.fn},
  events_max = {options.integer(1), 10000000}, queue_max = {options.integer(1), 200000},
  messages_max = {options.integer(1), 100000}, memory_max = {memory, 2048},
  requests_max = {options.integer(0), math.maxinteger},
  operations_max = {options.integer(0), math.maxinteger},
  maybe_rate = {options.rate, 0.05}, hopeless = {options.boolean, false},
  liveness = {options.table}, choose = {options.fn}, draws = {options.table},
}

local DISK <const> = {flush_ms = {options.any}}

local function read_options(given)
  local config = options.read("lab.new", given, RULES)
  config.durability = config.durability or config.directory and "none" or "journal"
  return config
end

-- The law of how long disks take for a flush, false for no time.
local function read_disk(given)
  given = options.read("disk", given, DISK)
  return given.flush_ms ~= nil and delays.law(given.flush_ms, "flush_ms of disk")
end

local function others(ids, id)
  local peers = {}
  for _, other in ipairs(ids) do
    if other ~= id then table.insert(peers, other) end
  end
  table.sort(peers)
  return peers
end

local function start_clients(world, list)
  for i, client in ipairs(list) do
    local endpoint = world:client("c" .. i)
    if type(client) == "function" then client(endpoint) else client:start(endpoint) end
  end
end

---Makes a world and boots its nodes, at time 0.
---
---  seed          integer: everything undetermined comes from it (1)
---  nodes         how many: n1, n2... (3)
---  protocol      path of a Lua file, name of a module, or {source = text, name = string}
---  options       plain data: the second argument of the protocol
---  network       {delay_ms = {least, most}, loss = 0..1, ...} ({1, 10}, 0; jangada.lab.network)
---  durability    "none", "commit" or "journal", of the stores ("journal"; in a directory "none")
---  directory     where the stores stay, as n1.db...; temporary ones without it
---  disk          {flush_ms = law}: how long flushes take (no time)
---  faults        a plan, or what to draw one by (jangada.lab.faults)
---  clients       functions of a client, or objects with start(client): c1, c2...
---  invariants    names of jangada.lab.invariants, or own ones; those of Raft without it
---  observe       is called with a table for each thing that happens, and the world
---  events_max    how many events the run may take (10^7)
---  queue_max     how many messages and timers may wait (200000)
---  messages_max  how many messages may be on their way (100000)
---  memory_max    how many MiB of memory Lua may have (2048)
---  requests_max  how many messages clients may send to nodes, all together; then they are silent
---                (without end)
---  operations_max how many commands each lab.stream submits, how many operations lab.kv_clients do
---  draws         what node:random gives, instead of what the seed says (jangada.lab.draws)
---  maybe_rate    how often node:maybe is true (0.05)
---  hopeless      whether there may be what no protocol has to survive, such as amnesia (false)
---  liveness      {bound_ms = 5000, after_ms =, progress = fn(world)}: asks for progress
---                (jangada.lab.liveness); nobody asks without it
---  choose        function(n, tag, random): decides instead of the seed (jangada.lab.oracle)
---
---@param given jangada.lab.Options
---@param kept? {disk: table, source: jangada.Source|nil} for worlds that are made again and again:
---where the stores are, and the protocol as it was read
---@return jangada.World world
---Raises `option_unknown`, `option_invalid`, `protocol_not_found`, `protocol_invalid`,
---`directory_invalid`, `not_plain`.
function M.new(given, kept)
  local config = read_options(given)
  local oracle = oracles.new(config.seed, config.choose)
  local ids = {}
  for i = 1, config.nodes do ids[i] = "n" .. i end
  local source = kept and kept.source
  if not source then node.refresh() end
  local world = worlds.new{
    config = config, seed = config.seed, oracle = oracle, ids = ids,
    source = source or node.source(config.protocol),
    options = plain.copy(config.options or {}, "options"),
    network = networks.new(oracle, config.network or {}), flush_law = read_disk(config.disk or {}),
    trace = traces.new(config.seed, config.observe),
    hopeless = config.hopeless, liveness = lives.read(config.liveness, config.clients or {}),
    plan = faults.plan(config.faults or {}, oracle, ids, {
      disks = config.durability == "journal" and not config.directory, hopeless = config.hopeless,
      nodes = config.nodes,
    }),
    events_max = config.events_max, queue_max = config.queue_max,
    requests_max = config.requests_max, operations_max = config.operations_max,
    maybe_rate = config.maybe_rate, draws = config.draws and draws.read(config.draws, ids),
    disk = kept and kept.disk or disks.new(config.directory, config.durability, ids),
  }
  if world.flush_law then world:check_simulated("a slow disk") end
  invariants.install(world, config.invariants)
  for i, id in ipairs(ids) do
    local machine = machines.new(world, id, i, others(ids, id))
    world.nodes[i], world.endpoints[id] = machine, machine
  end
  local clients = config.clients or {}
  for i = 1, #clients do world:client("c" .. i) end
  for _, machine in ipairs(world.nodes) do
    if not world.verdict then world:boot(machine) end
  end
  faults.schedule(world)
  start_clients(world, clients)
  if world.liveness and world.liveness.after_ms then
    world:push(math.floor(world.liveness.after_ms * 1000), {run = world.begin_liveness})
  end
  return world
end

---Explores a small world: all that can happen in it, in every order (jangada.lab.explore).
function M.explore(...)
  return require("jangada.lab.explore").explore(...)
end

M.enumeration = oracles.enumeration
M.faults = faults
M.invariants = invariants
M.recorder = oracles.recorder
M.replay = oracles.replay
M.stream = streams.new
M.kv_clients = kv.new

--- The rules of all options (jangada.lab.options), by whose they are.
M.options = {
  ["lab.new"] = RULES, network = networks.RULES, disk = DISK, faults = faults.RULES,
  liveness = lives.RULES, ["lab.stream"] = streams.RULES, ["lab.kv_clients"] = kv.RULES,
}

return M
