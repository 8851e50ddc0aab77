-- Runs a program of the crash proofs as a process of its own, under the recorder.
local prove = {}

local build = os.getenv("BUILD") or "build"

--- What a shell sets before a command that is to run under the recorder.
---@param cpath? string where the modules are looked for first
---@return string
function prove.environment(cpath)
  local preloaded = os.getenv("LD_PRELOAD") -- a sanitizer comes first
  return ("LD_PRELOAD='%s%s/spec/recorder.so' LUA_PATH='%s' LUA_CPATH='%s%s'"):format(
    preloaded and preloaded .. ":" or "", build, package.path, cpath and cpath .. ";" or "",
    package.cpath)
end

--- Runs orders, kills or faults.
---@param program string
---@param arguments string
---@param cpath? string where the modules are looked for first
---@return string output
---@return integer status; 128 and the signal's number when it died of one, also of hanging
function prove.run(program, arguments, cpath)
  local pipe <close> = assert(io.popen(("%s timeout -s KILL 600 lua5.4 spec/support/crash/%s.lua "
    .. "%s 2>&1"):format(prove.environment(cpath), program, arguments)))
  local output = pipe:read("a")
  local _, kind, status = pipe:close()
  return output, kind == "signal" and 128 + status or status
end

--- Runs a program that must find nothing, and shows what it tried.
function prove.holds(program, arguments)
  local output, status = prove.run(program, arguments)
  if status ~= 0 then
    error(("%s %s: %s (status %d)"):format(program, arguments, output, status), 0)
  end
  io.write("  ", output)
end

--- Runs a program that must find a mistake, and say it.
---@param program string
---@param arguments string
---@param cpath string of the store with the mistake
---@param verdict string a pattern
function prove.finds(program, arguments, cpath, verdict)
  local output, status = prove.run(program, arguments, cpath)
  local directory = output:match("the files are in (/[%w/.-]+)")
  if directory then os.execute(("rm -r '%s'"):format(directory)) end
  if status ~= 1 or not output:find("FAILED: [^\n]*" .. verdict) then
    error(("%s %s should find %q: %s (status %d)"):format(program, arguments, verdict, output,
      status), 0)
  end
end

return prove
