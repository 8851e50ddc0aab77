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
---@field random fun(from: integer, to: integer): integer
---@field story string what led to it
---@field before crash.Disk the files as it begins
---@field origins string[]? more texts of worlds that may be there until it is acknowledged that the
---  files are open: after the death of a process alone
---@field events crash.Event[] what was recorded
---@field names string[] of the steps
---@field worlds table[] the world after each step; [0]: before all
---@field texts string[] of the worlds
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
  self.names[step], self.worlds[step] = name, world
  self.texts[step] = workload.write(world)
  recorder.mark("begin " .. step)
  return step
end

local function acknowledge(step)
  recorder.mark("ack " .. step)
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
  if self.session then self.session.db:close{ force = true } end
  local ok, session = pcall(workload.open, self.path, self.options) -- the fault may go on
  if ok then session.db:close() else check_failure(self, session) end
  self.calls = recorder.calls()
  recorder.fail()
  local doubt = #self.names
  local step = begin(self, "open again", world_now(self))
  self.session = workload.open(self.path, self.options)
  local text = workload.write(workload.read(self.session.db))
  local before = self.texts[doubt - 1]
  if before == life.NO_FILE then before = workload.write(workload.empty()) end
  if text ~= self.texts[doubt] and text ~= before then
    fail(self, "step %d, %s, was half done when it failed", doubt, self.names[doubt])
  end
  if text ~= self.texts[doubt] then
    self.texts[step], self.worlds[step] = text, self.worlds[doubt - 1] or workload.empty()
  end
  acknowledge(step)
end

-- A failed step was not done, if the store still answers; else its outcome is unknown.
local function settle(self, step, failure)
  if self.session.db:path() == "" then return open_again(self) end -- it was closed, and not opened
  local answers, found = pcall(workload.read, self.session.db)
  if not answers then
    check_failure(self, found)
    if failure.code ~= "poisoned" or found.code ~= "poisoned" then
      fail(self, "step %d, %s: nothing is answered any more, and it is called %s, then %s", step,
        self.names[step], failure.code, found.code)
    end
    return open_again(self)
  end
  if workload.write(found) ~= self.texts[step - 1] then
    fail(self, "step %d, %s, failed, and yet has changed something", step, self.names[step])
  end
  self.worlds[step], self.texts[step] = self.worlds[step - 1], self.texts[step - 1]
  acknowledge(step)
end

local function make_step(self)
  local name, new, run = workload.step(world_now(self), self.random)
  local step = begin(self, name, new)
  local ok, failure = pcall(run, self.session)
  if ok then return acknowledge(step) end
  check_failure(self, failure)
  settle(self, step, failure)
end

local function live(self, count)
  local step = begin(self, "open", world_now(self))
  local ok, session = pcall(workload.open, self.path, self.options)
  if ok then
    self.session = session
    acknowledge(step)
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
  self.session.db:close()
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

-- Where a flush failed that decides whether a commit is there, its outcome is unknown: that of
-- LMDB's meta page, or of a record of the journal.
local function check_doubts(self)
  local names, has_record = {}, {}
  for _, event in ipairs(self.events) do
    if event.kind == "o" then names[event.file] = event.data end
    if event.kind == "w" then -- one of 48 bytes has no operations
      has_record[event.file] = event.data:sub(1, 4) == "JgJ1" and #event.data > 48
    end
    local decides = event.kind == "d" and names[event.file] == "x.db"
      or event.kind == "S" and has_record[event.file]
    if decides and event.error ~= 0 and self.doubts == 0 then
      fail(self, "a flush that decides has failed, and the store goes on")
    end
  end
end

--- Records a life. Raises {crash=, story=} when something is wrong already then.
---@param fields {directory: string, options: table, random: function, before: crash.Disk,
---  story: string, world: table?, origins: string[]?, fault: table?} world: nil if there are no
---  files yet; fault: the arguments of recorder.fail after the directory
---@param count integer of steps
---@return crash.Life
function life.record(fields, count)
  local self = setmetatable(fields, Life)
  self.path = self.directory .. "/x.db"
  self.names, self.worlds, self.texts = {}, { [0] = self.world }, {}
  self.texts[0] = self.world and workload.write(self.world) or life.NO_FILE
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
