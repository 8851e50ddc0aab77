-- All that a seed has decided in a run, so that it can be said by name: the fate of each message,
-- what each node has drawn, and who led when a fault struck the leader.

local plans = require "jangada.lab.shrink.plans"

local M = {}

---@class jangada.lab.Fate
---@field from string
---@field to string
---@field number integer of the link
---@field delays_us integer[] one, or two of a message that came twice; none when it did not arrive

---@class jangada.lab.Capture
---@field fates jangada.lab.Fate[] of all messages but those that a cut has stopped, in order
---@field draws {id: string, number: integer, way: integer}[] in order
---@field faults table<table, table> a fault of the plan -> the same, with a name for `leader`

local Capture = {}
Capture.__index = Capture

---Makes a capture: its method `observe` is to be called with each event and the world.
---@return jangada.lab.Capture
function M.new()
  return setmetatable({
    fates = {}, draws = {}, faults = {},
    counts = {},     -- link -> messages
    on_way = {},     -- message -> its fate, and when it left
    of_message = {}, -- message -> its fate
    original = nil,  -- the fate of the last message that was no copy
    is_begun = false,
  }, Capture)
end

-- The stream of a node's draws, which writes them down.
local function recorded(self, machine)
  local chance, draws, id, count = machine.chance, self.draws, machine.id, 0
  machine.chance = {choose = function(_, n)
    local way = chance:choose(n)
    count = count + 1
    draws[#draws + 1] = {id = id, number = count, way = way}
    return way
  end}
end

local function note_send(self, event)
  local fate = self.original
  if not event.copy then
    local link = event.src .. ">" .. event.dest
    local number = (self.counts[link] or 0) + 1
    self.counts[link] = number
    if event.src == event.dest or event.lost == "cut" then return end
    fate = {from = event.src, to = event.dest, number = number, delays_us = {}}
    self.fates[#self.fates + 1], self.original = fate, fate
  end
  self.of_message[event.message] = fate
  if not event.lost then self.on_way[event.message] = {fate = fate, sent_us = event.time_us} end
end

---Takes an event.
---@param event table
---@param world table
function Capture:observe(event, world)
  if not self.is_begun then -- the first node is about to boot
    self.is_begun = true
    for _, machine in ipairs(world.nodes) do recorded(self, machine) end
  end
  if event.kind == "send" then
    note_send(self, event)
  elseif event.kind == "deliver" or event.kind == "drop" then
    local sent = self.on_way[event.message]
    self.on_way[event.message] = nil
    if sent then table.insert(sent.fate.delays_us, event.time_us - sent.sent_us) end
  elseif event.kind == "fault" then
    self.faults[event.fault] = plans.named(event.fault, world)
  end
end

---The draws as an option of lab.new.
---@param list {id: string, number: integer, way: integer}[]
---@param usual? number
---@return table draws
function M.draws(list, usual)
  local draws = {usual = usual}
  for _, draw in ipairs(list) do
    draws[draw.id] = draws[draw.id] or {}
    draws[draw.id][draw.number] = draw.way
  end
  return draws
end

---The list that `draws` was made of, in order.
---@param draws table|nil
---@return {id: string, number: integer, way: integer}[]
function M.draw_list(draws)
  local list = {}
  for id, own in pairs(draws or {}) do
    for number, way in pairs(id ~= "usual" and own or {}) do
      list[#list + 1] = {id = id, number = number, way = way}
    end
  end
  table.sort(list, function(a, b)
    if a.number ~= b.number then return a.number < b.number end
    return a.id < b.id
  end)
  return list
end

---The list that fates were made of, in order.
---@param network table
---@return jangada.lab.Fate[]
function M.fate_list(network)
  local list = {}
  local function add(entry, number, delays_us)
    list[#list + 1] = {from = entry.from, to = entry.to, number = number, delays_us = delays_us}
  end
  for _, entry in ipairs(network.fates or {}) do
    for _, number in ipairs(entry.lost or {}) do add(entry, number, {}) end
    for _, number in ipairs(entry.arrive or {}) do
      add(entry, number, {math.floor(network.delay_ms[2] * 1000)})
    end
    for number, ms in pairs(entry.delay_ms or {}) do
      local delays_us = {}
      for i, delay in ipairs(type(ms) == "table" and ms or {ms}) do
        delays_us[i] = math.floor(delay * 1000 + 0.5)
      end
      add(entry, number, delays_us)
    end
  end
  table.sort(list, function(a, b)
    if a.number ~= b.number then return a.number < b.number end
    if a.from ~= b.from then return a.from < b.from end
    return a.to < b.to
  end)
  return list
end

-- Adds a fate to the entry of its link.
local function add_fate(entry, fate, calm_us)
  local delays = fate.delays_us
  local name = #delays == 0 and "lost" or #delays == 1 and delays[1] == calm_us and "arrive"
    or "delay_ms"
  entry[name] = entry[name] or {}
  if name ~= "delay_ms" then
    table.insert(entry[name], fate.number)
  else
    entry.delay_ms[fate.number] = delays[2] and {delays[1] / 1000, delays[2] / 1000}
      or delays[1] / 1000
  end
end

---A network in which all messages have one fate, but for some: they take so long, or they are lost.
---@param calm_ms number
---@param list jangada.lab.Fate[]
---@param is_lossy? boolean all others are lost
---@return table network
function M.network(calm_ms, list, is_lossy)
  local calm_us = math.floor(calm_ms * 1000)
  local entries, by_link = {}, {}
  for _, fate in ipairs(list) do
    local is_usual = is_lossy and #fate.delays_us == 0
      or not is_lossy and #fate.delays_us == 1 and fate.delays_us[1] == calm_us
    local link = fate.from .. ">" .. fate.to
    if not is_usual then
      if not by_link[link] then
        by_link[link] = {from = fate.from, to = fate.to}
        entries[#entries + 1] = by_link[link]
      end
      add_fate(by_link[link], fate, calm_us)
    end
  end
  table.sort(entries, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    return a.to < b.to
  end)
  return {delay_ms = {"constant", calm_ms}, loss = is_lossy and 1 or nil,
    fates = #entries > 0 and entries or nil}
end

return M
