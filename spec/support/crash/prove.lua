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

local function start(program, arguments, cpath)
  return assert(io.popen(("%s timeout -s KILL 900 lua5.4 spec/support/crash/%s.lua %s 2>&1"):format(
    prove.environment(cpath), program, arguments)))
end

local function finish(pipe)
  local output = pipe:read("a")
  local _, kind, status = pipe:close()
  return output, kind == "signal" and 128 + status or status
end

--- Runs a program (orders, faults, kills) once with each of some arguments, all at the same time.
--- It must find nothing; what it tried is shown.
---@param program string
---@param runs string[]
function prove.hold(program, runs)
  local pipes, failures = {}, {}
  for i, arguments in ipairs(runs) do pipes[i] = start(program, arguments) end
  for i, arguments in ipairs(runs) do
    local output, status = finish(pipes[i])
    if status == 0 then
      io.write("  ", output)
    else
      failures[#failures + 1] = ("%s %s: %s (status %d)"):format(program, arguments, output, status)
    end
  end
  if failures[1] then error(table.concat(failures, "\n"), 0) end
end

--- Runs a program that must find a mistake, and say it.
---@param program string
---@param arguments string
---@param cpath string of the store with the mistake
---@param verdict string a pattern
function prove.finds(program, arguments, cpath, verdict)
  local output, status = finish(start(program, arguments, cpath))
  local directory = output:match("the files are in (/[%w/.-]+)")
  if directory then os.execute(("rm -r '%s'"):format(directory)) end
  if status ~= 1 or not output:find("FAILED: [^\n]*" .. verdict) then
    error(("%s %s should find %q: %s (status %d)"):format(program, arguments, verdict, output,
      status), 0)
  end
end

return prove
