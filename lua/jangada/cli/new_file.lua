--- Files that are made whole before they get their names: a name never leads to half a file.

local errors = require "jangada.errors"
local files = require "jangada.files"
local store = require "jangada.store"

local new_file = {}

--- Raises `file_exists` where there is a file, `input_invalid` for no name.
---@param path string
function new_file.check_free(path)
  if path == "" then errors.raise("input_invalid", "no destination is named") end
  local file <close> = io.open(path, "rb")
  if file then errors.raise("file_exists", "%s: it exists already", path) end
end

-- A file name beside the destination that nothing has.
local function temporary_name(destination)
  for _ = 1, 100 do
    local path = ("%s.new-%08x"):format(destination, math.random(0, 0xffffffff))
    local file <close> = io.open(path, "rb")
    if not file then return path end
  end
  errors.raise("file_exists", "%s: no name for a temporary file is free", destination)
end

--- The access rights of a file, for its copy.
---@param path string
---@return integer
function new_file.mode_of(path)
  local pipe <close> = assert(io.popen(("stat -c %%a -- %s 2>/dev/null"):format(files.quote(path))))
  local mode = pipe:read("l") or ""
  return mode:find("^[0-7]+$") and tonumber(mode, 8) & 511 or 384 -- 0777, 0600
end

-- Raises `corrupted` if the file that was made is damaged.
local function check_made(path)
  local is_clean, findings = store.check(path)
  if not is_clean then
    errors.raise("corrupted", "the copy is damaged: page %d: %s", findings[1].page,
      findings[1].message)
  end
end

-- Gives the whole file its name, unless something else has it by now.
local function publish(temporary, destination)
  local directory = destination:match("^(.*/)[^/]*$") or "."
  local link = ("ln -- %s %s 2>/dev/null"):format(files.quote(temporary), files.quote(destination))
  if os.execute(link) ~= true then
    new_file.check_free(destination)
    errors.raise("io_error", "%s: the copy cannot be linked there", destination)
  end
  os.execute(("sync -- %s 2>/dev/null"):format(files.quote(directory))) -- the name, too
end

--- Lets `fn(path)` make a file under a temporary name, flush and close it; then checks it and gives
--- it its name. Whatever fails leaves nothing behind.
---@param destination string
---@param fn fun(path: string): ...
---@return any ... what fn returns
function new_file.make(destination, fn)
  new_file.check_free(destination)
  local temporary = temporary_name(destination)
  local results = table.pack(pcall(function()
    local results = table.pack(fn(temporary))
    check_made(temporary)
    publish(temporary, destination)
    return table.unpack(results, 1, results.n)
  end))
  files.remove_store(temporary)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

return new_file
