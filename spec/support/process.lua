-- Runs the command as a user does: in a process of its own, from the repository.

local files = require "jangada.files"
local temporary = require "spec.support.temporary"

local process = {}

process.quote = files.quote

--- Runs `jangada` with arguments.
---@param arguments string as a shell reads them
---@param input? string for its standard input
---@param environment? string NAME=value
---@return integer exit code
---@return string output standard output and standard error
function process.jangada(arguments, input, environment)
  local feed = input and ("printf '%%s' %s | "):format(process.quote(input)) or ""
  local build = os.getenv("BUILD") or "build"
  local pipe <close> = assert(io.popen(
    ("%s%s LUA_CPATH='%s/?.so;;' lua5.4 bin/jangada %s 2>&1; echo \"exit $?\""):format(feed,
    environment or "", build, arguments)))
  local text = pipe:read("a")
  local output, code = text:match("^(.*)exit (%d+)\n$")
  return math.tointeger(tonumber(code)), output
end

-- Many empty directories are made at once, to start few processes.
local AT_ONCE <const> = 50
local root, made, taken

--- An empty directory of its own; all of them are removed with this module.
---@return string path
function process.directory()
  if not root then
    root, process.owner = temporary.directory()
    made, taken = 0, 0
  end
  if taken == made then
    local paths = {}
    for i = 1, AT_ONCE do paths[i] = ("%s/%d"):format(root, made + i) end
    assert(os.execute("mkdir " .. table.concat(paths, " ")))
    made = made + AT_ONCE
  end
  taken = taken + 1
  return ("%s/%d"):format(root, taken)
end

function process.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

return process
