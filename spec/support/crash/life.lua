-- A life of a store: steps from one crash to the next, recorded. With a fault in it, some steps
-- fail: then the store must say so in its own words, be as it was before the step, or be poisoned
-- and hold, opened again, the world before the step or after it.
local disk = require "spec.support.crash.disk"
local errors = require "jangada.errors"
local recorder = require "spec.recorder"
local trace = require "spec.support.crash.trace"
local workload = require "spec.support.crash.workload"

---@class crash.Life
---@field directory string
---@field options table of store.open
---@field random table see data.lua
---@field again integer? the state of `random` once the files are open
---@field story string what led to it
---@field before crash.Disk the files as it begins
---@field origins string[]? more texts of worlds that may be there until it is acknowledged that the
---  files are open: after the death of a process alone
---@field events crash.Event[] what was recorded
---@field names string[] of the steps
---@field worlds table[] the world after each step; [0]: before all
---@field texts string[] of the worlds
---@field states integer[] of `random` after each step was chosen
---@field acknowledged integer the last step that is
---@field waiting {step: integer, ticket: any}[] the steps after it that are done
---@field has_died boolean? a step was a death
---@field failures integer how many steps failed
---@field calls integer? of the kind of the fault, until it was over
---@field doubts integer of how many the outcome was unknown
local Life = {}
Life.__index = Life

local life = {}

life.NO_FILE = "no file"

local AFTER <const> = 2 -- steps, once a fault is over
local OF_A_DISK <const> = { io_error = true, no_space = true, poisoned = true }

local function fail(self, format, ...)
  error({ crash = format:format(...), story = self.story }, 0)
end

local function begin(self, name, world)
  local step = #self.names + 1
  self.names[step], self.worlds[step], self.states[step] = name, world, self.random.state
  self.texts[step] = workload.write(world)
  recorder.mark("begin " .. step)
  return step
end

local function mark_acknowledged(self, step)
  self.acknowledged = step
  recorder.mark("ack " .. step)
end

-- Of the steps that are done and may not be durable yet, those that are.
local function look_at_tickets(self)
  local waiting = self.waiting
  while waiting[1] and (not waiting[1].ticket or waiting[1].ticket:is_durable()) do
    mark_acknowledged(self, table.remove(waiting, 1).step)
  end
end

-- A step is done. `outcome` is what its function returned.
local function note_done(self, step, outcome)
  if outcome == true then
    look_at_tickets(self)
    if self.waiting[1] then
      fail(self, "step %d, %s, is durable, and step %d before it is not", step, self.names[step],
        self.waiting[1].step)
    end
    return mark_acknowledged(self, step)
  end
  table.insert(self.waiting, { step = step, ticket = outcome })
  look_at_tickets(self)
end

-- What the store holds after a death: one of the worlds since the last that was acknowledged.
local function find_world(self, step, text)
  for known = step, self.acknowledged, -1 do
    local there = self.texts[known]
    if there == life.NO_FILE then there = workload.write(workload.empty()) end
    if there == text then
      self.texts[step], self.worlds[step] = text, self.worlds[known] or workload.empty()
      self.waiting = {}
      return
    end
  end
  fail(self, "step %d, %s: it holds what no step left", step, self.names[step])
end

local function world_now(self)
  return self.worlds[#self.names] or workload.empty()
end

local function check_failure(self, failure)
  if not self.fault then error(failure, 0) end
  if not errors.is(failure) or not OF_A_DISK[failure.code] then
    fail(self, "step %d, %s: a failing disk gives %s", #self.names, self.names[#self.names],
      tostring(failure))
  end
  self.failures = self.failures + 1
end

-- Whatever the step in doubt did, the store opens, and holds the world before it or after it.
local function open_again(self)
  self.doubts = self.doubts + 1
  if self.session then pcall(self.session.db.close, self.session.db, { force = true }) end
  local ok, session = pcall(workload.open, self.path, self.options) -- the fault may go on
  if ok then pcall(session.db.close, session.db) else check_failure(self, session) end
  self.calls = recorder.calls()
  recorder.fail()
  local step = begin(self, "open again", world_now(self))
  self.session = workload.open(self.path, self.options)
  find_world(self, step, workload.write(workload.read(self.session.db)))
  mark_acknowledged(self, step)
end

local function done(self, step, outcome)
  local ok, failure = pcall(note_done, self, step, outcome)
  if ok then return end
  if failure.crash then error(failure, 0) end
  check_failure(self, failure) -- a ticket tells of a flush that failed
  open_again(self)
end

-- A failed step was not done, unless it is called poisoned: then its outcome is unknown.
local function settle(self, step, failure)
  local was_closed = self.session.db:path() == "" -- by the step, which could not open it again
  if failure.code ~= "poisoned" and not was_closed then
    self.worlds[step], self.texts[step] = self.worlds[step - 1], self.texts[step - 1]
  end
  if was_closed then return open_again(self) end
  local answers, found = pcall(workload.read, self.session.db, "unchecked")
  if not answers then
    check_failure(self, found)
    if found.code ~= "poisoned" then
      fail(self, "step %d, %s: nothing is answered any more, and it is called %s, then %s", step,
        self.names[step], failure.code, found.code)
    end
    return open_again(self)
  end
  if workload.write(found) ~= self.texts[step] then
    fail(self, "step %d, %s, failed with %s, and has changed something", step, self.names[step],
      failure.code)
  end
  done(self, step)
end

local function make_step(self)
  local name, new, run = workload.step(world_now(self), self.random)
  local step = begin(self, name, new)
  local ok, outcome, found = pcall(run, self.session)
  if not ok then
    check_failure(self, outcome)
    return settle(self, step, outcome)
  end
  if found then find_world(self, step, workload.write(found)) end
  self.has_died = self.has_died or found ~= nil -- which ends all doubts
  done(self, step, outcome)
end

local function live(self, count)
  local step = begin(self, "open", world_now(self))
  local ok, session = pcall(workload.open, self.path, self.options, self.random(0, 5))
  if ok then
    self.session = session
    mark_acknowledged(self, step)
    self.random.state = self.again or self.random.state
    self.states[step] = self.random.state
    for _ = 1, count do make_step(self) end
  else
    check_failure(self, session)
    open_again(self)
  end
  if self.fault then
    self.calls = self.calls or recorder.calls()
    recorder.fail()
    for _ = 1, AFTER do make_step(self) end
  end
  if self.session.reader then self.session.reader:rollback() end
  self.session.db:close()
  look_at_tickets(self)
  if self.waiting[1] then fail(self, "a step is not durable when the store is closed") end
end

-- The trace must explain the files, or something was done that the recorder does not see.
local function compare(self)
  local now = self.before:copy()
  for _, event in ipairs(self.events) do now:follow(event) end
  for name, file in pairs(now:whole()) do
    local f <close> = assert(io.open(self.directory .. "/" .. name, "rb"))
    if f:read("a") ~= disk.bytes(file) then
      fail(self, "the trace does not lead to what is in %s", name)
    end
  end
end

-- Is it a write to the journal of more than zeros, or of a record that has no operations? Each
-- write begins with a record.
local function holds_record(name, bytes)
  return name == "x.db-journal" and bytes:find("[^\0]") ~= nil
    and not (bytes:sub(1, 4) == "JgJ1" and string.unpack(">I4", bytes, 9) == 48)
end

-- Where a flush failed that decides whether a commit is there, its outcome is unknown: that of
-- LMDB's meta page, or of a record of the journal.
local function check_doubts(self)
  local names, has_record = {}, {}
  for _, event in ipairs(self.events) do
    if event.kind == "o" then names[event.file] = event.data end
    if event.kind == "w" then
      has_record[event.file] = holds_record(names[event.file], event.data)
    end
    local decides = event.kind == "d" and names[event.file] == "x.db"
      or event.kind == "S" and has_record[event.file]
    if decides and event.error ~= 0 and self.doubts == 0 and not self.has_died then
      fail(self, "a flush that decides has failed, and the store goes on")
    end
  end
end

--- Records a life. Raises {crash=, story=} when something is wrong already then.
---@param fields {directory: string, options: table, random: table, before: crash.Disk,
---  story: string, world: table?, origins: string[]?, again: integer?, fault: table?} world: nil if
---  there are no files yet; fault: the arguments of recorder.fail after the directory
---@param count integer of steps
---@return crash.Life
function life.record(fields, count)
  local self = setmetatable(fields, Life)
  self.path = self.directory .. "/x.db"
  self.names, self.worlds, self.texts = {}, { [0] = self.world }, {}
  self.texts[0] = self.world and workload.write(self.world) or life.NO_FILE
  self.states, self.waiting, self.acknowledged = { [0] = self.random.state }, {}, 0
  self.failures, self.doubts = 0, 0
  recorder.start(self.directory)
  if self.fault then recorder.fail(self.directory, table.unpack(self.fault)) end
  local ok, failure = pcall(live, self, count)
  recorder.fail()
  self.events = trace.read(recorder.stop())
  if not ok then
    if type(failure) == "table" and failure.crash then error(failure, 0) end
    fail(self, "step %d, %s: %s", #self.names, self.names[#self.names] or "", tostring(failure))
  end
  compare(self)
  check_doubts(self)
  self.session = nil
  return self
end

return life
