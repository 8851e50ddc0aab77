--- Text files that are written anew, whole or not at all: under another name first.

local errors = require "jangada.errors"

local whole_file = {}

--- Raises `input_invalid` when a file cannot be written there: for who would know it only in the
--- end.
---@param path string
function whole_file.check(path)
  local temporary = path .. ".new"
  local file, message = io.open(temporary, "ab")
  if not file then errors.raise("input_invalid", "%s", message) end
  file:close()
  os.remove(temporary)
end

--- Writes a file; what had the name before is gone when the new one is whole.
---@param path string
---@param fn fun(write: fun(...: string)) writes it, piece by piece
---Raises `input_invalid` when it cannot be made there, `io_error`.
function whole_file.write(path, fn)
  local temporary = path .. ".new"
  local file, message = io.open(temporary, "wb")
  if not file then errors.raise("input_invalid", "%s", message) end
  local function check(done, why)
    if not done then errors.raise("io_error", "%s: %s", path, why) end
  end
  local ok, failure = pcall(function()
    fn(function(...) check(file:write(...)) end)
    check(file:close())
    check(os.rename(temporary, path))
  end)
  if ok then return end
  if io.type(file) == "file" then file:close() end
  os.remove(temporary)
  error(failure, 0)
end

return whole_file
