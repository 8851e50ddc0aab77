--- Files of `--trace`: a recording (jangada.lab.recording) as lines of JSON.

local arguments = require "jangada.cli.arguments"
local errors = require "jangada.errors"
local lines = require "jangada.cli.lab.lines"
local output = require "jangada.cli.output"
local recordings = require "jangada.lab.recording"

local traces = {}

---@class jangada.cli.TraceFile
---@field path string
---@field file file*
---@field recording jangada.Recording
---@field bytes integer written
---@field bytes_max integer a run that has written more is ended
local TraceFile = {}
TraceFile.__index = TraceFile

--- The options of a verb that writes one.
---@param parser table
function traces.options(parser)
  parser:option("--trace", "Write all that happens, a JSON object a line; - is standard output.")
    :argname("FILE")
  arguments.add_integer(parser, "--trace-max", "MiB that a trace may have: a run that makes more "
    .. "ends as trace_exceeded", { argname = "MIB", default = 1024, min = 1, max = 1 << 20 })
end

-- The first fields of a trace: what it is a run of.
local function about(scenario, case)
  return { "scenario", scenario.path, "code", scenario:digest(case),
    "duration_ms", case.duration_ms, "script", case.script ~= nil }
end

--- Makes a file. It is closed by `close`, or at the end of its scope.
---@param path string - is standard output
---@param scenario jangada.Scenario
---@param case jangada.Case
---@param args table `trace_max`
---@param about_path? any[] names and values that the first line has besides
---@return jangada.cli.TraceFile
---Raises `input_invalid`.
function traces.create(path, scenario, case, args, about_path)
  local file, message = io.stdout, nil
  if path ~= "-" then file, message = io.open(path, "wb") end
  if not file then errors.raise("input_invalid", "%s", message) end
  local trace = setmetatable({ path = path, file = file, bytes = 0,
    bytes_max = args.trace_max << 20 }, TraceFile)
  file:setvbuf("full", 1 << 16)
  local fields = about(scenario, case)
  table.move(about_path or {}, 1, #(about_path or {}), #fields + 1, fields)
  trace.recording = recordings.new(function(row) trace:write(lines.row(row)) end, fields)
  return trace
end

local function check(self, done, message, number)
  if self.path == "-" then return output.check(done, message, number) end
  if not done then errors.raise("io_error", "%s", message) end
end

function TraceFile:write(line)
  self.bytes = self.bytes + #line + 1
  check(self, self.file:write(line, "\n"))
end

--- Takes an event of a world.
---@param event table
---@param world table
function TraceFile:observe(event, world)
  self.recording:observe(event, world)
  if self.bytes > self.bytes_max and event.kind ~= "verdict" then
    world:fail{ kind = "trace_exceeded",
      message = ("the trace has more than %d MiB"):format(self.bytes_max >> 20) }
  end
end

--- Writes the last line.
---@param world table
function TraceFile:finish(world)
  self.recording:finish(world)
  check(self, self.file:flush())
end

function TraceFile:close()
  if self.path ~= "-" then self.file:close() end
end
TraceFile.__close = TraceFile.close

return traces
