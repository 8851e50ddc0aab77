--- Time series beside the log: numbers with their times, the last thousand of each name.
--
-- Samples are numbered; a new one goes behind the last, and the one that is a thousand older goes.
-- So a series is bounded whatever its times are, and two samples of one second are two.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local loading = require "jangada.log.loading"

local series = {}

--- Samples that are kept of each series.
series.SAMPLES_MAX = 1000

local NAME_MAX <const> = 255

local function check_name(name)
  if type(name) ~= "string" or name == "" or #name > NAME_MAX then
    errors.raise("log_bad_field", "the name of a series is a string of 1 to %d bytes, not %s",
      NAME_MAX, tostring(name))
  end
end

local function check_number(what, value)
  if type(value) ~= "number" or value ~= value or value == math.huge or value == -math.huge then
    errors.raise("log_bad_field", "%s of a sample is a number, not %s", what, tostring(value))
  end
end

local function last_number(meta, name)
  local number = 0
  for key in meta:each{ prefix = format.sample_key(name), reverse = true, limit = 1 } do
    number = select(2, format.sample_place(key))
  end
  return number
end

local function put_sample(tx, self, name, time, value)
  if not self.now or not self.now.is_made then tx:on_rollback(self.forget) end
  local meta = loading.ensure_meta(tx, self)
  local number = last_number(meta, name) + 1
  local key = format.sample_key(name, number)
  meta:put(key, format.seal(key, format.encode_sample(time, value)))
  local old = number - series.SAMPLES_MAX
  if old >= 1 then meta:delete(format.sample_key(name, old)) end
end

--- Adds a sample to a series.
---@param self jangada.Log
---@param name string
---@param value number
---@param time? number seconds; default os.time(), which a protocol does not have: it says
---  node:now() / 1000
function series.sample(self, name, value, time)
  check_name(name)
  check_number("the value", value)
  if time == nil then time = os.time() end
  check_number("the time", time)
  loading.write(self, put_sample, name, time, value)
end

local function read_series(tx, self, name, from, to)
  local samples = {}
  local _, meta = loading.find_buckets(tx, self)
  if not meta then return samples end
  for key, value in meta:each{ prefix = format.sample_key(name) } do
    local time, sample = format.decode_sample(format.unseal(key, value))
    if time >= from and time <= to then
      samples[#samples + 1] = { time = time, value = sample }
    end
  end
  return samples
end

--- The samples of a series with times from one to another, both inclusive, in the order in which
--- they were added.
---@param self jangada.Log
---@param name string
---@param from? number default: all before
---@param to? number default: all after
---@return {time: number, value: number}[]
function series.read(self, name, from, to)
  check_name(name)
  from, to = from or -math.huge, to or math.huge
  if type(from) ~= "number" or type(to) ~= "number" then
    errors.raise("log_bad_field", "series: times are numbers")
  end
  return loading.read(self, read_series, name, from, to)
end

local function read_names(tx, self)
  local names = {}
  local _, meta = loading.find_buckets(tx, self)
  if not meta then return names end
  local cursor <close> = meta:cursor()
  local key = cursor:seek("series/")
  while key and key:find("^series/") do
    local name = format.sample_place(key)
    names[#names + 1] = name
    key = cursor:seek(format.sample_key(name) .. ("\xff"):rep(9))
  end
  return names
end

--- The names of all series, shorter ones first.
---@param self jangada.Log
---@return string[]
function series.names(self)
  return loading.read(self, read_names)
end

return series
