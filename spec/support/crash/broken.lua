-- Builds the C module from a copy of its source that is broken on purpose.
local broken = {}

local build = os.getenv("BUILD") or "build"

local function run(format, ...)
  local command = format:format(...)
  local pipe <close> = assert(io.popen("unset LD_PRELOAD MAKEFLAGS; (" .. command .. ") 2>&1"))
  local output = pipe:read("a")
  local ok = pipe:close()
  assert(ok, command .. ": " .. output)
end

local function replace(path, old, new)
  local source <close> = assert(io.open(path))
  local text = source:read("a")
  local from, to = text:find(old, 1, true)
  assert(from and not text:find(old, to, true), ("%s does not hold %q once"):format(path, old))
  local into <close> = assert(io.open(path, "w"))
  into:write(text:sub(1, from - 1), new, text:sub(to + 1))
end

--- A build of the module with some changes; what they do not touch is not compiled again.
---@param name string of its directory
---@param changes string[][] {file in csrc, what stands there once, what stands there then}
---@return string cpath the pattern that finds it
function broken.build(name, changes)
  local directory = build .. "/broken/" .. name
  run("make -s module BUILD='%s'", build)
  run("rm -rf '%s'; mkdir -p '%s/build'; cp -r csrc Makefile '%s'; cp -r '%s/obj' '%s/build'",
    directory, directory, directory, build, directory)
  run("find '%s' -exec touch -d '2 minutes ago' {} +; touch -d '1 minute ago' '%s'/build/obj/*",
    directory, directory)
  for _, change in ipairs(changes) do
    replace(directory .. "/csrc/" .. change[1], change[2], change[3])
  end
  run("make -s -C '%s' module BUILD=build", directory)
  return directory .. "/build/?.so"
end

return broken
