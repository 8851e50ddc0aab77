-- A recording: all that happens in a run, as rows of plain data that need nothing else to be
-- understood. What a row becomes, a line of JSON or a picture, is up to who takes it.
--
-- The first row (`run`) is the whole configuration with the plan of faults, the last one (`end`)
-- the hash and the verdict, and between them stands a row for each thing that happened, in order.
-- Two runs with the same rows were the same run. docs/campaign.md says what each holds.
--
-- A row is a list of names and values in turn: {"step", 1, "time_us", 0, "kind", "boot", ...};
-- where a value is nil, its length is `n`.

local format = require "jangada.log.format"
local store = require "jangada.store"

local Recording = {}
Recording.__index = Recording
Recording.__name = "jangada.lab.Recording"

local M = {}

--- The name and version of what the rows are.
M.FORMAT = "jangada.trace 1"

local FIRST <const> = {step = true, time_us = true, kind = true, node = true, message = true}

---@class jangada.Recording
---@field emit fun(row: any[])
---@field about table<string, any> further fields of the first row
---@field steps integer events so far

---Makes a recording. Its method `observe` is to be called with each event and the world, `finish`
---at the end.
---@param emit fun(row: any[]) is given each row
---@param about? any[] names and values that the first row has besides
---@return jangada.Recording
function M.new(emit, about)
  return setmetatable({
    emit = emit, about = about or {},
    steps = 0,
    is_begun = false,
    numbers = setmetatable({}, {__mode = "k"}), -- message -> its number
    messages = 0,
  }, Recording)
end

---------------------------------------------------------------------------------------------------
-- What was run

local function describe_client(client)
  if type(client) ~= "table" then return {kind = "function"} end
  local described = {kind = getmetatable(client) and getmetatable(client).__name or "table"}
  for name, value in pairs(client) do
    if type(value) == "number" then described[name] = value end
  end
  return described
end

local function names_of(list)
  local names = {}
  for i, invariant in ipairs(list) do names[i] = invariant.name end
  return names
end

local function begin(self, world)
  self.is_begun = true
  local config = world.config
  local network = config.network or {}
  local clients = {}
  for i, client in ipairs(config.clients or {}) do clients[i] = describe_client(client) end
  local row = {"kind", "run", "format", M.FORMAT, "jangada", store.version,
    "lmdb", store.lmdb_version, "lua", _VERSION}
  table.move(self.about, 1, #self.about, #row + 1, row)
  for _, field in ipairs{
    {"seed", config.seed}, {"nodes", world.ids}, {"protocol", world.source.name},
    {"options", config.options or {}},
    {"network", {delay_ms = network.delay_ms or {1, 10}, loss = network.loss or 0,
      duplication = network.duplication or 0, corruption = network.corruption or 0,
      fifo = network.fifo or false}},
    {"disk", config.disk or {}}, {"durability", config.durability}, {"faults", config.faults or {}},
    {"plan", world.plan},
    {"clients", clients}, {"invariants", names_of(world.invariants)},
    {"events_max", config.events_max}, {"queue_max", config.queue_max},
    {"messages_max", config.messages_max}, {"memory_max", config.memory_max},
    {"maybe_rate", config.maybe_rate},
  } do
    row[#row + 1], row[#row + 2] = field[1], field[2]
  end
  self.emit(row)
end

---------------------------------------------------------------------------------------------------
-- What happened

local function log_shape(tx)
  local bucket = tx:bucket("replog")
  local cursor = bucket and bucket:cursor()
  local first = cursor and cursor:first()
  if math.type(first) ~= "integer" then return nil end
  local last, value = cursor:last()
  local ok, term = pcall(format.decode, last, value)
  return {first = first, last = last, last_term = ok and term or nil}
end

-- The shape of the Raft log that a node has in its bucket `replog`, if it has one.
local function shape_of(world, id)
  local db = world:node(id).db
  return db and db:view(log_shape)
end

local function verdict_fields(verdict)
  if not verdict then return nil end
  local fields = {}
  for name, value in pairs(verdict) do fields[name] = value end
  return fields
end

local function number_of(self, message)
  local number = self.numbers[message]
  if not number then
    number = self.messages + 1
    self.messages, self.numbers[message] = number, number
  end
  return number
end

---Takes an event of a world: what is to be given to lab.new as `observe`.
---@param event table
---@param world table
function Recording:observe(event, world)
  if not self.is_begun then begin(self, world) end
  self.steps = self.steps + 1
  local row = {"step", self.steps, "time_us", event.time_us, "kind", event.kind}
  local function add(name, value)
    if value ~= nil then row[#row + 1], row[#row + 2] = name, value end
  end
  add("node", event.node)
  if event.message then add("message", number_of(self, event.message)) end
  local names = {}
  for name in pairs(event) do
    if not FIRST[name] then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    add(name, name == "verdict" and verdict_fields(event.verdict) or event[name])
  end
  if event.wrote then add("log", shape_of(world, event.node)) end
  add("hash", world:hash())
  self.emit(row)
end

---Ends the recording: the last row.
---@param world table
function Recording:finish(world)
  if not self.is_begun then begin(self, world) end
  local report = world:report()
  self.emit(table.pack("kind", "end", "time_us", world.time_us, "steps", self.steps,
    "hash", report.hash, "verdict", verdict_fields(report.verdict), "events", report.events,
    "sent", report.sent, "delivered", report.delivered, "lost", report.lost,
    "corrupted", report.corrupted, "duplicated", report.duplicated,
    "marks", report.marks, "nodes", report.nodes))
end

return M
