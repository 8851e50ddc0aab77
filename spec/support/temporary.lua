-- A directory for the files of this process, in memory where there is a file system for that. It
-- goes with the module that asked for it; what killed processes left goes when the next one asks.
local temporary = {}

local parent = os.rename("/dev/shm", "/dev/shm") and "/dev/shm" or os.getenv("TMPDIR") or "/tmp"

-- Names end in the process's id, for whom to look, and what makes them its alone.
local make = [[
  cd -- "$PARENT" || exit
  for directory in jangada-spec-*-??????; do
    id=${directory#jangada-spec-}
    [ -e "/proc/${id%-*}" ] || rm -rf -- "$directory"
  done
  echo "$PWD/$(mktemp -d "jangada-spec-$PPID-XXXXXX")"
]]

--- Makes an empty directory.
---@param inside? string the directory that it is made in
---@return string path
---@return table owner when it is collected, the directory is removed
function temporary.directory(inside)
  local pipe <close> = assert(io.popen(("PARENT='%s'\n%s"):format(inside or parent, make)))
  local path = assert(pipe:read("l"), "no directory could be made")
  return path, setmetatable({}, { __gc = function() os.execute("rm -rf '" .. path .. "'") end })
end

return temporary
