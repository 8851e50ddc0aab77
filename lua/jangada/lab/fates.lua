-- Fates of single messages, as data: what befalls the n-th message of a link, whatever the rest of
-- the network does to others.
--
--     network = {delay_ms = {"constant", 5}, fates = {
--       {from = "n1", to = "n2", lost = {3, 4}, delay_ms = {[7] = 35.2}},
--       {from = "n2", to = "n1", delay_ms = {[1] = {5, 80}}},      -- comes twice
--       {from = "n2", to = "n3", arrive = {2, 5}},                 -- as if nothing befell it
--     }}
--
-- Messages are numbered per link, from 1, in the order in which they leave; one that a cut stops
-- has a number, too, and stays stopped.

local errors = require "jangada.errors"
local options = require "jangada.lab.options"

local M = {}

local MS_MAX <const> = 1e9
local numbers = options.list(options.any.is, "a list of message numbers")
local FIELDS <const> = {from = true, to = true, lost = true, arrive = true, delay_ms = true}

local function invalid(i, what)
  errors.raise("option_invalid", "entry %d of fates: %s", i, what)
end

local function check_number(i, number)
  if math.type(number) ~= "integer" or number < 1 then
    invalid(i, ("messages of a link are numbered 1, 2, 3..., not %s"):format(tostring(number)))
  end
end

local function time_us(i, ms)
  if type(ms) ~= "number" or not (ms >= 0 and ms <= MS_MAX) then
    invalid(i, ("a delay is a time in ms, or two of them, not %s"):format(tostring(ms)))
  end
  return math.floor(ms * 1000 + 0.5)
end

-- The fates of a link: number -> false if it is lost, true if it takes the usual delay, else its
-- delay, or a list of two.
local function read_link(fates, i, entry)
  local function set(number, fate)
    check_number(i, number)
    if fates[number] ~= nil then invalid(i, ("message %d has two fates"):format(number)) end
    fates[number] = fate
  end
  for _, number in ipairs(entry.lost or {}) do set(number, false) end
  for _, number in ipairs(entry.arrive or {}) do set(number, true) end
  for number, delay in pairs(entry.delay_ms or {}) do
    if type(delay) == "table" and #delay == 2 then
      set(number, {time_us(i, delay[1]), time_us(i, delay[2])})
    else
      set(number, time_us(i, delay))
    end
  end
end

local function check_entry(i, entry)
  if type(entry) ~= "table" or type(entry.from) ~= "string" or type(entry.to) ~= "string" then
    invalid(i, "it has `from` and `to`, the names of a node or client each")
  end
  for name in pairs(entry) do
    if not FIELDS[name] then
      errors.raise("option_unknown", "entry %d of fates has no %s", i, tostring(name))
    end
  end
  for _, name in ipairs{"lost", "arrive"} do
    if entry[name] ~= nil and not numbers.is(entry[name]) then
      invalid(i, ("%s is %s"):format(name, numbers.text))
    end
  end
  if entry.delay_ms ~= nil and type(entry.delay_ms) ~= "table" then
    invalid(i, "delay_ms is a table of delays by message number")
  end
end

---Reads the fates of a network.
---@param given any a list as above
---@return table<string, table<string, table<integer, boolean|integer|integer[]>>>|false fates by
---source, destination and number: false if it is lost, true for the usual delay, else one delay in
---microseconds or two; false when there are none
---Raises `option_invalid`, `option_unknown`.
function M.read(given)
  options.check("network", "fates", given, options.list(options.any.is, "a list"))
  local fates = {}
  for i, entry in ipairs(given) do
    check_entry(i, entry)
    fates[entry.from] = fates[entry.from] or {}
    fates[entry.from][entry.to] = fates[entry.from][entry.to] or {}
    read_link(fates[entry.from][entry.to], i, entry)
  end
  return next(fates) ~= nil and fates
end

return M
