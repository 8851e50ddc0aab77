-- Runs the command as a user does: in a process of its own, from the repository.

local files = require "jangada.files"

local process = {}

process.quote = files.quote

--- Runs `jangada` with arguments.
---@param arguments string as a shell reads them
---@param input? string for its standard input
---@return integer exit code
---@return string output standard output and standard error
function process.jangada(arguments, input)
  local feed = input and ("printf '%%s' %s | "):format(process.quote(input)) or ""
  local build = os.getenv("BUILD") or "build"
  local pipe <close> = assert(io.popen(
    ("%sLUA_CPATH='%s/?.so;;' lua5.4 bin/jangada %s 2>&1; echo \"exit $?\""):format(feed, build,
    arguments)))
  local text = pipe:read("a")
  local output, code = text:match("^(.*)exit (%d+)\n$")
  return math.tointeger(tonumber(code)), output
end

--- A directory of its own, removed by `process.clean`.
local made = {}

function process.directory()
  local pipe <close> = assert(io.popen("mktemp -d"))
  local path = pipe:read("l")
  made[#made + 1] = path
  return path
end

function process.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

function process.clean()
  for i = #made, 1, -1 do
    os.execute("rm -r " .. process.quote(made[i]))
    made[i] = nil
  end
end

return process
