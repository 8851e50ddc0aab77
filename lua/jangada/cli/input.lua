--- Reads a file as commands: one a line, each with its newline, so that the commands one after
--- another are the file, byte for byte.

local errors = require "jangada.errors"

local input = {}

--- The largest file that is read, in bytes.
input.SIZE_MAX = 64 << 20

local BLOCK_SIZE <const> = 1 << 16

local function read_all(file, path)
  local _guard <close> = file
  local blocks, size = {}, 0
  while true do
    local block, message = file:read(BLOCK_SIZE)
    if not block then
      if message then errors.raise("input_invalid", "%s: %s", path, message) end
      return table.concat(blocks)
    end
    blocks[#blocks + 1] = block
    size = size + #block
    if size > input.SIZE_MAX then
      errors.raise("input_invalid", "%s: more than the %d MiB that are read", path,
        input.SIZE_MAX >> 20)
    end
  end
end

local function open(path)
  if path == "-" then return io.stdin end
  local file, message = io.open(path, "rb")
  if not file then errors.raise("input_invalid", "%s", message) end
  return file
end

--- The lines of a file. A last line without a newline is a line; bytes are bytes, NUL too.
---@param path string `-` is standard input
---@return string[] lines at least one
---@return integer size in bytes
---Raises `input_invalid`: it cannot be read, is empty, or larger than `SIZE_MAX`.
function input.lines(path)
  local text = read_all(open(path), path)
  if text == "" then
    errors.raise("input_invalid", "%s: the file is empty: there is no line to replicate", path)
  end
  local lines, at = {}, 1
  while at <= #text do
    local newline = text:find("\n", at, true) or #text
    lines[#lines + 1] = text:sub(at, newline)
    at = newline + 1
  end
  return lines, #text
end

return input
