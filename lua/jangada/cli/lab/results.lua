--- The file of a campaign's results: a line of JSON for each seed that is finished, written when it
--- is. So nothing that was finished is lost, whatever ends the campaign; and the file is what the
--- next run begins from, and what `jangada lab merge` reads.
--
-- The first line says what was run: the scenario, the duration if one was asked for, the versions,
-- and a digest of all the code (jangada.lab.scenario). Lines behind it count as results of that
-- code only. `first` are seeds that failed with earlier code, and are to be run before all others.
-- Where a seed has several lines the last one counts.

local errors = require "jangada.errors"
local json = require "jangada.cli.json"
local json_reader = require "jangada.cli.json_reader"
local lines = require "jangada.cli.lab.lines"
local store = require "jangada.store"
local verdicts = require "jangada.lab.verdict"
local whole_file = require "jangada.cli.whole_file"

local results = {}

results.FORMAT = "jangada.campaign 1"

-- These say nothing of the code: another run may have more time, or luck.
local TRANSIENT <const> = { time_exceeded = true, worker_died = true }

---@class jangada.cli.Header
---@field scenario string path
---@field code string digest
---@field duration_ms integer|nil
---@field versions string
---@field first integer[]

--- What was run, for the first line.
---@param scenario string
---@param code string
---@param duration_ms? integer
---@return jangada.cli.Header
function results.header(scenario, code, duration_ms)
  return { scenario = scenario, code = code, duration_ms = duration_ms, first = {},
    versions = ("jangada %s, LMDB %s, %s"):format(store.version, store.lmdb_version, _VERSION) }
end

--- Whether two headers are of one campaign: a seed's result is the same in both.
---@param a jangada.cli.Header
---@param b jangada.cli.Header
---@return boolean
function results.are_one(a, b)
  return a.code == b.code and a.duration_ms == b.duration_ms
end

local function header_line(header)
  return lines.row(table.pack("kind", "campaign", "format", results.FORMAT, "scenario",
    header.scenario, "code", header.code, "duration_ms", header.duration_ms, "versions",
    header.versions, "first", #header.first > 0 and header.first or nil)) .. "\n"
end

--- The line of a result.
---@param result string|any[] as a worker told it, or a row
---@return string
function results.line(result)
  return type(result) == "string" and result or lines.row(result)
end

local function without_null(object)
  for name, value in pairs(object) do
    if value == json.null then object[name] = nil end
  end
  return object
end

--- Reads the line of a result.
---@param line string
---@param number integer for messages
---@return table result of jangada.lab.campaign.tally
---Raises `input_invalid`.
function results.decode(line, number)
  local result = json_reader.decode(line, number)
  if type(result) ~= "table" or math.type(result.seed) ~= "integer" then
    errors.raise("input_invalid", "line %d is not a seed's result", number)
  end
  without_null(result)
  local verdict = result.verdict
  if verdict and (type(verdict) ~= "table" or type(verdict.kind) ~= "string") then
    errors.raise("input_invalid", "line %d has a verdict without a kind", number)
  end
  if verdict then without_null(verdict) end
  return result
end

local function decode_header(line, path)
  local header = lines.read_header(line, path, "campaign", results.FORMAT,
    "that of a campaign's results")
  without_null(header)
  header.first = header.first or {}
  return header
end

--- Reads a file of results. A last line that was not written to its end is left out.
---@param path string
---@return jangada.cli.Header|nil header nil: there is no such file, or nothing in it
---@return table<integer, {line: string, result: table}> by_seed
---@return boolean is_whole lines can be added to it
---Raises `input_invalid`.
function results.read(path)
  local file <close> = io.open(path, "rb")
  if not file then return nil, {}, false end
  local first, message = file:read("L")
  if message then errors.raise("input_invalid", "%s: %s", path, message) end
  if not first then return nil, {}, false end
  local header, by_seed, number = decode_header(first, path), {}, 1
  local is_whole = first:sub(-1) == "\n"
  for line in file:lines("L") do
    number = number + 1
    is_whole = line:sub(-1) == "\n"
    if not is_whole then break end
    local ok, result = pcall(results.decode, line, number)
    if not ok then
      errors.raise("input_invalid", "%s: %s", path, errors.is(result) and result.message or result)
    end
    by_seed[result.seed] = { line = line:sub(1, -2), result = result }
  end
  return header, by_seed, is_whole
end

--- Which of the seeds read need not be run again, and which are to be run first.
---@param header jangada.cli.Header what is to be run
---@param before jangada.cli.Header|nil what was
---@param by_seed table<integer, {line: string, result: table}>
---@param is_again boolean run all of them again
---@return table<integer, {line: string, result: table}> kept
---@return integer[] first
function results.plan(header, before, by_seed, is_again)
  local kept, first, seen = {}, {}, {}
  if not before then return kept, first end
  local is_same = results.are_one(header, before) and not is_again
  local function add(seed)
    if not seen[seed] and not kept[seed] then table.insert(first, seed) end
    seen[seed] = true
  end
  for seed, entry in pairs(by_seed) do
    local verdict = entry.result.verdict
    if is_same and not (verdict and TRANSIENT[verdict.kind]) then
      kept[seed] = entry
    elseif verdicts.outcome(verdict) ~= "passed" then
      add(seed)
    end
  end
  for _, seed in ipairs(before.first) do
    if not (by_seed[seed] and verdicts.outcome(by_seed[seed].result.verdict) == "passed") then
      add(seed)
    end
  end
  table.sort(first)
  return kept, first
end

--- Writes a file anew.
---@param path string
---@param header jangada.cli.Header
---@param by_seed table<integer, {line: string}>
---Raises `input_invalid`, `io_error`.
function results.write(path, header, by_seed)
  local list = {}
  for seed in pairs(by_seed) do list[#list + 1] = seed end
  table.sort(list)
  whole_file.write(path, function(write)
    write(header_line(header))
    for _, seed in ipairs(list) do write(by_seed[seed].line, "\n") end
  end)
end

local Appender = {}
Appender.__index = Appender

--- Opens a file of results for more of them.
---@param path string
---@return table appender `add(line)`, `close()`
---Raises `io_error`.
function results.append(path)
  local file, message = io.open(path, "ab")
  if not file then errors.raise("io_error", "%s", message) end
  file:setvbuf("full", 1 << 18) -- a line is one write, so that two campaigns do not mix theirs
  return setmetatable({ file = file }, Appender)
end

function Appender:add(line)
  local done, message = self.file:write(line, "\n")
  if done then done, message = self.file:flush() end
  if not done then errors.raise("io_error", "%s", message) end
end

function Appender:close()
  self.file:close()
end
Appender.__close = Appender.close

return results
