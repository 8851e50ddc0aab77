--- Standard output of a verb that may print millions of lines: buffered, and every failure seen.
--
-- A reader that has gone away (`| head`) is no failure: the verb ends there, quietly. Mostly the
-- system ends the process for us; where it ignores SIGPIPE, the write fails.

local errors = require "jangada.errors"

local output = {}

--- What is raised when nobody reads any more.
output.CLOSED = setmetatable({}, { __name = "jangada.cli.output.CLOSED" })

local BLOCK_SIZE <const> = 1 << 16
local EPIPE <const> = 32

---@class jangada.cli.Output
---@field parts string[] written, not yet handed to the system
---@field size integer of the parts
local Output = {}
Output.__index = Output

--- An output on standard output.
---@return jangada.cli.Output
function output.new()
  return setmetatable({ parts = {}, size = 0 }, Output)
end

--- Raises what a write to standard output or a flush of it failed with.
---@param done any the results of the write
---@param message? string
---@param number? integer
---Raises `io_error`, or `output.CLOSED`.
function output.check(done, message, number)
  if done then return end
  if number == EPIPE then error(output.CLOSED, 0) end
  errors.raise("io_error", "standard output: %s", message)
end

--- Writes strings.
---@param ... string
function Output:write(...)
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    self.parts[#self.parts + 1] = part
    self.size = self.size + #part
  end
  if self.size >= BLOCK_SIZE then self:finish() end
end

--- A screen calls this after each line; what is written goes out in blocks all the same.
function Output.flush() end

--- Hands all that was written to the system. Raises `io_error`, or `output.CLOSED`.
function Output:finish()
  local text = table.concat(self.parts)
  self.parts, self.size = {}, 0
  output.check(io.stdout:write(text))
  output.check(io.stdout:flush())
end

return output
