-- Other processes for the store's specs: functions in a forked child, and workers that take
-- commands. `spec.process` is C (process.c); `make test` builds it.
local fresh = require "spec.support.fresh"

local children = {}

local has_process, process = pcall(require, "spec.process")

--- The C module, or nil; then `pending` says why.
children.process = has_process and process or nil
children.missing = "spec/process.so is missing: make spec-tools builds it"

--- Starts fn(...) in a child that dies of SIGALRM rather than hang; `finish` waits for it.
---@return fun(): string finish gives what fn returned, as text; fails if it raised or died
function children.start(fn, ...)
  local pid, fd = process.fork(function(...)
    process.alarm(60)
    return fn(...)
  end, ...)
  return function()
    local kind, status, text = process.wait(pid, fd)
    assert(kind == "exit" and status == 0, ("child: %s %d: %s"):format(kind, status, text))
    return text
  end, pid
end

--- Runs fn(...) in a child to its end.
---@return string text what it returned
function children.run(fn, ...)
  return (children.start(fn, ...))()
end

local worker_script = [[
  store, path, commands = require "jangada.store", ...
  local function answer(text)
    io.write((tostring(text):gsub("\n", " ")), "\n"):flush()
  end
  local message, code
  db, message, code = store.open(path, load("return " .. select(3, ...))())
  answer(db and "open" or code)
  for line in io.lines(commands) do -- processes started meanwhile hold its other end, too
    if line == "quit" then break end
    local _, result = pcall(assert(load(line)))
    answer(type(result) == "table" and result.code or result)
  end
  if db then db:close{ force = true } end
]]

local Worker = {}
Worker.__index = Worker

--- A process that opens `path` and then runs what it is asked, with the global `db`.
---@param options string of store.open, as Lua source
---@return table worker
---@return string answer "open", or the code of the failure
function children.worker(path, options)
  local commands = fresh.path()
  assert(os.execute(("mkfifo '%s'"):format(commands)))
  local pipe = fresh.start(worker_script, path, commands, options or "{}")
  local worker = setmetatable({ pipe = pipe }, Worker)
  worker.commands = assert(io.open(commands, "w"))
  worker.commands:setvbuf("line")
  return worker, (pipe:read("l"))
end

--- Runs Lua source in it.
---@return string? answer what it returned or the code that it raised; nil when it died
function Worker:ask(source)
  self.commands:write((source:gsub("%s+", " ")), "\n")
  return (self.pipe:read("l"))
end

--- Ends it, in order; its DB is closed.
function Worker:close()
  if io.type(self.commands) ~= "file" then return end
  self.commands:write("quit\n")
  self.commands:close()
  self.pipe:read("a")
  self.pipe:close()
end
Worker.__close = Worker.close

--- kill -9, and waits for its death.
function Worker:kill()
  self:ask("os.execute('kill -9 $PPID')")
  self.commands:close()
  self.pipe:close()
end

return children
