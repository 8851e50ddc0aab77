-- Fresh files for the store's specs: paths in a private directory, opened stores that close by
-- themselves, and a check that no other DB was left open. Use: `after_each(fresh.clean)`.
local errors = require "jangada.errors"
local files = require "jangada.files"
local store = require "jangada.store"
local temporary = require "spec.support.temporary"

local fresh = {}

--- What `open` opens with: the specs of the store run in every durability.
fresh.durability = os.getenv("DURABILITY") or "none"

--- With a journal some things are different (docs/journal.md): a spec then says what holds instead.
fresh.journals = fresh.durability == "journal"

local directory
directory, fresh.owner = temporary.directory()
fresh.directory = directory

local paths, removed = 0, 0 -- how many there were so far
local mine = {} -- opened by fresh.open
local all = setmetatable({}, { __mode = "v" }) -- opened by whomever: collected ones drop out

local plain_open = store.open
function store.open(...)
  local db, message, code = plain_open(...)
  local is_lock = db and db:path():find("/jangada%-lab%-%w+/owner%.db$") -- of a lab's directory
  if not is_lock then all[#all + 1] = db end
  return db, message, code
end

local function path_of(i)
  return ("%s/%d.db"):format(directory, i)
end

--- A path in the private directory that was not used before.
function fresh.path()
  paths = paths + 1
  return path_of(paths)
end

--- Opens a store, unflushed unless `options` or DURABILITY say otherwise; `clean` closes it.
---@param path? string default: a fresh one
---@param options? table of store.open
---@return jangada.DB db
---@return string path
function fresh.open(path, options)
  path = path or fresh.path()
  local o = { durability = fresh.durability, journal_size = 1 << 20 }
  if options and (options.shared or options.read_only) then o.durability = "none" end
  for name, value in pairs(options or {}) do o[name] = value end
  local db = assert(store.open(path, o))
  mine[#mine + 1] = db
  return db, path
end

local function count_open()
  local count = 0
  for _, db in pairs(all) do
    if db:path() ~= "" then count = count + 1 end
  end
  return count
end

--- Closes what `open` opened, removes the stores, and fails if another DB is open still.
function fresh.clean()
  for i = #mine, 1, -1 do
    mine[i]:close{ force = true }
    mine[i] = nil
  end
  if count_open() > 0 then collectgarbage() end -- they may be garbage
  local left = count_open()
  for i, db in pairs(all) do
    db:close{ force = true }
    all[i] = nil
  end
  for i = removed + 1, paths do files.remove_store(path_of(i)) end
  removed = paths
  assert(left == 0, left .. " DB left open")
end

local BLOCKS_MAX <const> = 1 << 19 -- of 512 bytes, in one file: a script that runs wild dies of it

local function start(environment, script, ...)
  local file = fresh.path() .. ".lua"
  local f <close> = assert(io.open(file, "w"))
  f:write(script)
  f:close()
  local arguments = table.pack(...)
  for i = 1, arguments.n do arguments[i] = ("'%s'"):format(arguments[i]) end
  return assert(io.popen(("ulimit -f %d; LUA_PATH='%s' LUA_CPATH='%s' %s exec lua5.4 '%s' %s 2>&1")
    :format(BLOCKS_MAX, package.path, package.cpath, environment, file,
    table.concat(arguments, " "))))
end

local function finish(pipe)
  local output = pipe:read("a")
  local _, kind, status = pipe:close()
  return output, kind == "signal" and 128 + status or status
end

--- Starts a Lua script in a process of its own, with this one's paths.
---@param script string Lua source; its arguments are `...`
---@return file* pipe reads what it prints
function fresh.start(script, ...)
  return start("", script, ...)
end

--- Runs a script to its end.
---@return string output
---@return integer status exit status; 128 and the signal's number when it died of one
function fresh.run(script, ...)
  return finish(start("", script, ...))
end

local function run_under(tool, environment, script, ...)
  local library = ("%s/spec/%s.so"):format(os.getenv("BUILD") or "build", tool)
  assert(io.open(library), library .. " is missing: make spec-tools builds it"):close()
  local preload = ("LD_PRELOAD='%s %s' "):format(os.getenv("LD_PRELOAD") or "", library)
  return finish(start(preload .. environment, script, ...))
end

--- The same on a system that fails.
---@param faults string how: assignments of faults.c's variables
function fresh.run_with(faults, script, ...)
  return run_under("faults", faults, script, ...)
end

--- The same with the module spec.recorder, which takes down what is done to files.
function fresh.run_recorded(script, ...)
  return run_under("recorder", "", script, ...)
end

--- Calls fn(...), which must raise an error object of that code; returns its message.
function fresh.raises(code, fn, ...)
  local ok, failure = pcall(fn, ...)
  if ok then error(("expected %s, but nothing was raised"):format(code), 2) end
  if not errors.is(failure, code) then
    error(("expected %s, got: %s"):format(code, tostring(failure)), 2)
  end
  return failure.message
end

--- Runs fn in a savepoint that is undone.
function fresh.undone(tx, fn)
  local ok, failure = pcall(tx.savepoint, tx, function()
    fn()
    error("undo", 0)
  end)
  if ok or failure ~= "undo" then error("it was not undone: " .. tostring(failure), 2) end
end

--- Waits until another process has made a file.
function fresh.wait_for(path)
  for _ = 1, 6000 do
    local file = io.open(path)
    if file then return file:close() end
    os.execute("sleep 0.01")
  end
  error("nobody makes " .. path, 2)
end

--- All bytes of a file.
function fresh.read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

--- Makes a file of these bytes.
function fresh.write_file(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

--- Gathers what an iterator gives: {{key, value}, ...}; a nested bucket's value is false.
function fresh.gather(...)
  local items = {}
  for key, value in ... do items[#items + 1] = { key, value or false } end
  return items
end

--- Only the keys.
function fresh.keys(...)
  local keys = {}
  for key in ... do keys[#keys + 1] = key end
  return keys
end

return fresh
