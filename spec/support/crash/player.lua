-- Plays a recorded trace to each of its crashes: rebuilds the files of each, opens them with the
-- real code, and judges what is there. The verdicts:
--
--   a state that lacks only what was not flushed opens, and check finds nothing in it
--   it holds the world after one of the steps: nothing is half there
--   of a step not before the last acknowledged one, and not after the last begun one
--
-- What was found in one state is remembered: equal files are opened once. Out of every few states a
-- second life begins: more steps are recorded on what the crash left, recovery included, and played
-- in turn. It begins after a crash of the machine, where lost is lost, or after the death of the
-- process alone, where the kernel still has what was not flushed, and may yet lose it.
local choices = require "spec.support.crash.choices"
local data = require "spec.support.crash.data"
local disk = require "spec.support.crash.disk"
local life = require "spec.support.crash.life"
local recorder = require "spec.recorder"
local workload = require "spec.support.crash.workload"

---@class crash.Player
---@field directory string
---@field path string
---@field options table of store.open
---@field random table see data.lua
---@field thoroughness {samples: integer, bounds: integer} of the first life, see choices.each
---@field lives integer how many second lives there were
---@field states integer how many different ones were opened
---@field judged integer how many were judged
local Player = {}
Player.__index = Player

local player = {}

local LIVES_AFTER_CRASH <const> = 0.5 -- percent of the states of a first life
local LIVES_AFTER_GAP <const> = 100 -- percent of those with a record behind a gap
local LIVES_AFTER_KILL <const> = 10 -- percent of the places in it

--- A player that works in a directory of its own.
---@param fields table directory, options, random, thoroughness
---@return crash.Player
function player.new(fields)
  local self = setmetatable(fields, Player)
  self.path = self.directory .. "/x.db"
  self.states, self.judged, self.lives, self.known, self.ids = 0, 0, 0, {}, {}
  return self
end

-- ---- states -----------------------------------------------------------------------------------

-- A number for each sector that there ever was, and from these one for the files.
function Player:key(image)
  local ids, names = self.ids, {}
  for name in pairs(image) do names[#names + 1] = name end
  table.sort(names)
  local key = 0
  for _, name in ipairs(names) do
    local file = image[name]
    key = (key ~ #name ~ name:byte(-1) << 8) * 0x9E3779B97F4A7C15 + file.size
    for _, sector in ipairs(file.sectors) do
      local id = ids[sector]
      if not id then
        id = self.random(0, math.maxinteger)
        ids[sector] = id
      end
      key = (key ~ id) * 0x9E3779B97F4A7C15
      key = key ~ key >> 32
    end
  end
  return key
end

function Player:write(image)
  local paths = {}
  recorder.clear(self.directory)
  for name, file in pairs(image) do
    local path = self.directory .. "/" .. name
    if paths[file] then
      recorder.link(paths[file], path)
    else
      local f <close> = assert(io.open(path, "wb"))
      f:write(disk.bytes(file))
      paths[file] = path
    end
  end
end

-- What the real code finds in the files: the text of a world, or nil and what is wrong.
function Player:open(image)
  self:write(image)
  local ok, text = pcall(function()
    local session = workload.open(self.path, self.options)
    local read, world = pcall(workload.read, session.db)
    session.db:close()
    if not read then error(world, 0) end
    return workload.write(world)
  end)
  if not ok then return nil, tostring(text) end
  if image["x.db"] then return text end
  if text == workload.write(workload.empty()) then return life.NO_FILE end
  return nil, "a new file is not empty"
end

function Player:find(image)
  local key = self:key(image)
  local known = self.known[key]
  if known then return known, false end
  local text, failure = self:open(image)
  self.states = self.states + 1
  self.known[key] = text or { failure = failure }
  return self.known[key], true
end

local function describe(changes, choice)
  local lines = {}
  for _, change in ipairs(changes) do
    local what = change.kind == "names" and "names " or ("%s %d+%d"):format(change.kind,
      change.offset, change.data and #change.data or 0)
    if change.names then
      for _, name in ipairs(change.names) do
        what = what .. (name[2] and "+" or "-") .. name[1] .. " "
      end
    end
    local way = choice[change]
    if type(way) == "table" then
      local parts = {}
      for key, value in pairs(way) do parts[#parts + 1] = key .. "=" .. tostring(value) end
      table.sort(parts)
      way = "torn {" .. table.concat(parts, " ") .. "}"
    end
    lines[#lines + 1] = ("  %s (%s): %s"):format(what, change.state, way or "lost")
  end
  return table.concat(lines, "\n")
end

-- Which step of the life the found world is the one after; nil if it is none that may be.
local function step_of(lived, found, acknowledged, begun)
  for step = begun, acknowledged, -1 do
    if lived.texts[step] == found then return step end
  end
  for _, text in ipairs(acknowledged == 0 and lived.origins or {}) do
    if text == found then return 0 end
  end
end

local function verdict(lived, found, acknowledged)
  if type(found) == "table" then return "it does not open: " .. found.failure end
  for step = acknowledged - 1, 0, -1 do
    if lived.texts[step] == found then
      return ("acknowledged steps are lost: it holds what step %d left"):format(step)
    end
  end
  if found == life.NO_FILE then return "acknowledged steps are lost: the file is gone" end
  return "it holds what no step left"
end

-- Where in a life a crash is tried: what is acknowledged there, what is not flushed.
---@class crash.Place
---@field event integer before which
---@field acknowledged integer step
---@field begun integer step
---@field now crash.Disk

function Player:judge(lived, place, changes, choice)
  local image = place.now:image(choice)
  local found, is_new = self:find(image)
  self.judged = self.judged + 1
  local step = step_of(lived, found, place.acknowledged, place.begun)
  if step then return is_new, step, image end
  self:write(image)
  error({
    crash = verdict(lived, found, place.acknowledged),
    story = ("%s\na crash before event %d of %d: step %d is acknowledged, step %d, %s, begun; "
      .. "not flushed:\n%s"):format(lived.story, place.event, #lived.events, place.acknowledged,
      place.begun, lived.names[place.begun] or "none", describe(changes, choice)),
  }, 0)
end

-- ---- playing ----------------------------------------------------------------------------------

-- Only of what begins a flush, ends one, or says what is acknowledged: a crash between two writes
-- leaves nothing that one after both of them cannot leave.
local PLACES <const> = { s = true, S = true, d = true, m = true }

--- Tries the crashes of a life; raises {crash=, story=} at the first that is not survived.
---@param lived crash.Life
---@param thoroughness? {samples: integer, bounds: integer} see choices.each
function Player:play(lived, thoroughness)
  local is_first = thoroughness == nil
  local place = { now = lived.before:copy(), acknowledged = 0, begun = 0 }
  local changed = true
  for i = 1, #lived.events + 1 do
    local event = lived.events[i]
    if changed and (not event or PLACES[event.kind]) then
      place.event, changed = i, false
      self:crash(lived, place, thoroughness or self.thoroughness, is_first)
    end
    if event then
      place.now:follow(event)
      changed = changed or event.kind ~= "s" and event.kind ~= "o"
      local what, step = event.data:match("^(%l+) (%d+)$")
      if event.kind == "m" then
        place[what == "ack" and "acknowledged" or "begun"] = math.tointeger(tonumber(step))
      end
    end
  end
end

-- Does a record of the journal stand behind a gap? After the recovery it must stay stale.
local function leaves_record(changes, choice)
  local misses = false
  for _, change in ipairs(changes) do
    if change.data and change.file.name:find("-journal$") then
      local way = choice[change]
      local from = way == true and misses and 1 or type(way) == "table" and way.from
      if from and change.data:find("JgJ1", from, true) then return true end
      misses = misses or way ~= true
    end
  end
  return false
end

function Player:crash(lived, place, thoroughness, is_first)
  local changes = place.now:unflushed()
  local function chance(percent) return is_first and self.random(1, 1000) <= percent * 10 end
  choices.each(changes, self.random, thoroughness, function(choice)
    local is_new, step, image = self:judge(lived, place, changes, choice)
    local repeats = is_new and leaves_record(changes, choice)
    if is_new and chance(repeats and LIVES_AFTER_GAP or LIVES_AFTER_CRASH) then
      self:live_again(lived, place, step, { before = disk.new(image), repeats = repeats })
    end
  end)
  if chance(place.acknowledged == 0 and 100 or LIVES_AFTER_KILL) then self:kill(lived, place) end
end

-- A second life after the death of the process alone: what it did not flush may still be lost, and
-- then it holds what the first life would have left.
function Player:kill(lived, place)
  local before, origins = place.now:copy(), {}
  before:restart()
  for step = place.acknowledged, place.begun do origins[#origins + 1] = lived.texts[step] end
  local found = self:find(before:whole())
  local step = step_of(lived, found, place.acknowledged, place.begun)
  self:live_again(lived, place, step, { before = before, origins = origins })
end

-- Some of them do again what the first one did next, but for the bytes: records of the same sizes.
function Player:live_again(lived, place, step, fields)
  self:write(fields.before:whole())
  self.lives = self.lives + 1
  fields.directory, fields.options, fields.world = self.directory, self.options, lived.worlds[step]
  fields.random = data.random(self.random(0, math.maxinteger))
  fields.random.salt = lived.random.salt + 1
  fields.again = (fields.repeats or self.random(1, 2) == 1) and lived.states[step] or nil
  fields.story = ("%s\na crash or death before event %d, after step %d; then a second life"):format(
    lived.story, place.event, step)
  self:play(life.record(fields, 3), { samples = 1, bounds = 1 })
end

return player
