-- What the programs of the crash proofs share: their arguments, and a directory to work in.
local recorder = require "spec.recorder"

local arguments = {}

--- Reads "--name value" pairs; a default that is a number asks for an integer.
---@param defaults table<string, any> every argument that there is
---@return table<string, any>
function arguments.read(defaults, ...)
  local options, list = {}, { ... }
  for name, value in pairs(defaults) do options[name] = value end
  for i = 1, #list, 2 do
    local name, value = list[i]:match("^%-%-(%l+)$"), list[i + 1]
    if defaults[name] == nil then error("unknown argument: " .. list[i], 0) end
    if type(defaults[name]) == "number" then value = math.tointeger(tonumber(value)) end
    options[name] = value or error(("--%s: not a number"):format(name), 0)
  end
  return options
end

--- A new directory, in memory where there is a file system for it.
---@param on_disk? any true: in no memory file system
---@return string path
function arguments.directory(on_disk)
  local in_memory = not on_disk and os.rename("/dev/shm", "/dev/shm") and "TMPDIR=/dev/shm " or ""
  local pipe <close> = assert(io.popen(in_memory .. "mktemp -d -t jangada-crash.XXXXXX"))
  return pipe:read("l")
end

--- Small in memory and in the lock file: a store is opened for each state.
function arguments.store_options(durability)
  local options = { durability = durability, size_max = 1 << 24, readers_max = 8, trees_max = 64 }
  if durability == "journal" then options.journal_size = 1 << 16 end
  return options
end

--- Tells what was not survived, and ends the process.
---@param failure any what was raised: {crash=, story=}, or an error of the proof itself
---@param directory string where the files are
function arguments.tell(failure, directory)
  if type(failure) ~= "table" or not failure.crash then error(failure, 0) end
  print(failure.story)
  print("FAILED: " .. failure.crash)
  print("the files are in " .. directory)
  os.exit(1, true)
end

function arguments.remove(directory)
  recorder.clear(directory)
  os.remove(directory)
end

return arguments
