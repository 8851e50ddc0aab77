-- The environment a protocol runs in: Lua without what differs from one process to the next.
--
-- Each boot of a node gets a fresh environment, so nothing is shared between nodes and nothing
-- outlives a crash by accident. What is left out, and why:
--
--   os, io, print's terminal    clocks, files, the outside world
--   math.random, randomseed     seeded anew by each process: `node:random` is what a node has
--   collectgarbage, __gc,       when and whether something is collected depends on the process
--   __mode
--   debug, package, dofile,     ways out
--   loadfile, bytecode
--   next and pairs as they are  string keys hash differently in each process: here they walk in
--                               order, and refuse keys that have none
--   tostring and %p of tables   addresses
--   table.sort as it is         past 100 elements its pivots come from the clock
--
-- Whoever reaches for one of them gets `not_deterministic` and is told what there is instead.
-- What stays undefined, as in all Lua, is `#t` where t has holes.
--
-- Methods of strings do not go through the environment but through the one metatable all strings
-- share. `enter` and `leave` swap its __index around each turn (jangada.node.turn does).

local errors = require "jangada.errors"
local order = require "jangada.node.order"

local M = {}

local string_meta <const> = debug.getmetatable("")
local host_strings <const> = string_meta.__index

--- For jangada.node.turn, which enters and leaves without a call: the metatable of strings, and the
--- methods that the process gives them.
M.string_meta, M.host_strings = string_meta, host_strings

---Makes the methods of strings those of an environment.
---@param strings table `environment.string`
function M.enter(strings)
  string_meta.__index = strings
end

---Gives the methods of strings back to the process.
function M.leave()
  string_meta.__index = host_strings
end

-- What is missing, and what a protocol has instead.
local missing_globals = {
  os = "node:now() is the clock",
  io = "node.db is what a node can write to",
  debug = "nothing stands in for it",
  package = "require gives what there is",
  collectgarbage = "memory is nothing a protocol can see",
  dofile = "require gives what there is",
  loadfile = "require gives what there is",
}

local function forbid(name, instead)
  errors.raise("not_deterministic", "a protocol has no %s: %s", name, instead)
end

local function forbidden(name, instead)
  return function() forbid(name, instead) end
end

local function copy_library(library)
  local copy = {}
  for name, value in next, library do copy[name] = value end
  return copy
end

-- What tostring shows of something that has no text of its own: its kind, never its address.
local function name_of(value)
  local meta = debug.getmetatable(value)
  local name = meta and rawget(meta, "__name")
  return type(name) == "string" and name or type(value)
end

local addressed = {table = true, ["function"] = true, thread = true, userdata = true}

local function safe_tostring(...)
  local value = ...
  if select("#", ...) > 0 and addressed[type(value)] then
    local meta = debug.getmetatable(value)
    if type(value) ~= "table" or not (meta and rawget(meta, "__tostring")) then
      return name_of(value)
    end
  end
  return tostring(...)
end

local function safe_format(format, ...)
  for i = 1, select("#", ...) do
    if addressed[type((select(i, ...)))] then
      local arguments = table.pack(...)
      for j = i, arguments.n do
        if addressed[type(arguments[j])] then arguments[j] = safe_tostring(arguments[j]) end
      end
      return safe_format(format, table.unpack(arguments, 1, arguments.n))
    end
  end
  if type(format) == "string" and host_strings.find(format, "p", 1, true)
    and host_strings.find(host_strings.gsub(format, "%%%%", ""), "%%[-+ #0-9.]*p") then
    errors.raise("not_deterministic", "%%p shows an address, which no other run has")
  end
  return host_strings.format(format, ...)
end

-- The metatables of a program are few; one that makes more is audited in its first ones.
local AUDITED_MAX <const> = 1024

-- setmetatable and getmetatable of one environment. Only metatables that were set in it are seen
-- again: those of strings, of the store's handles and of the node are shared by all nodes.
local function add_metatables(env)
  local known, list = setmetatable({}, {__mode = "k"}), setmetatable({}, {__mode = "v"})
  local count, turn = 0, 0
  local is_layered = false -- some metatable has a metatable, whose __index would answer for it

  local function check(meta)
    if rawget(meta, "__mode") ~= nil then
      errors.raise("not_deterministic", "a weak table shows when garbage is collected")
    end
    if rawget(meta, "__gc") ~= nil then
      errors.raise("not_deterministic", "__gc runs when garbage is collected")
    end
  end

  function env.setmetatable(t, meta, ...)
    if type(meta) == "table" then check(meta) end
    if type(meta) == "table" and not known[meta] then
      known[meta] = true
      if debug.getmetatable(meta) then is_layered = true end
      if count < AUDITED_MAX then
        count = count + 1
        list[count] = meta
      end
    end
    if known[t] then is_layered = true end
    return setmetatable(t, meta, ...)
  end

  function env.getmetatable(value)
    local meta = debug.getmetatable(value)
    if meta and known[meta] then return getmetatable(value) end
    return nil
  end

  -- __mode can be given to a metatable after it was set: one of them is looked at now and then.
  return function()
    if count == 0 then return end
    turn = turn % count + 1
    local meta = list[turn]
    if meta and (is_layered or meta.__mode ~= nil) then check(meta) end
  end
end

local function add_coroutines(env, is_bound)
  local own = setmetatable({}, {__mode = "k"}) -- coroutines made here: only these may yield
  local library = copy_library(coroutine)

  function library.create(fn)
    local thread = coroutine.create(fn)
    own[thread] = true
    return thread
  end

  function library.wrap(fn)
    local thread = library.create(fn)
    local function finish(ok, ...)
      if ok then return ... end
      coroutine.close(thread)
      error((...), 0)
    end
    return function(...) return finish(coroutine.resume(thread, ...)) end
  end

  function library.yield(...)
    if not own[coroutine.running()] then
      errors.raise("yield_refused", "a handler cannot yield: it runs to its end")
    elseif is_bound() then
      errors.raise("yield_refused", "nothing can yield inside update or view")
    end
    return coroutine.yield(...)
  end

  function library.isyieldable(...)
    if select("#", ...) > 0 then return coroutine.isyieldable(...) end
    return own[coroutine.running()] ~= nil and coroutine.isyieldable()
  end

  function library.running()
    local thread = coroutine.running()
    return thread, not own[thread]
  end

  env.coroutine = library
end

local function add_load(env)
  function env.load(chunk, name, mode, ...)
    if type(chunk) == "function" then
      local pieces = {}
      for piece in chunk do
        if piece == "" then break end
        pieces[#pieces + 1] = piece
      end
      chunk = table.concat(pieces)
    end
    if mode ~= nil and mode ~= "t" and mode ~= "bt" then
      return nil, "only text can be loaded in a protocol"
    end
    local scope = env
    if select("#", ...) > 0 then scope = (...) end
    return load(chunk, name or "=(load)", "t", scope)
  end
end

---Makes a fresh environment.
---@param print_line fun(text: string) where the protocol's `print` goes
---@param is_bound fun(): boolean whether a transaction's function is running, so that no
---coroutine may yield
---@return table env the globals of a protocol, without `require`
---@return fun() audit to be called after a turn, now and then: raises `not_deterministic` for what
---can only be seen afterwards
function M.new(print_line, is_bound)
  local env = {
    _VERSION = _VERSION,
    assert = assert, error = error, pcall = pcall, xpcall = xpcall,
    ipairs = ipairs, select = select, type = type, tonumber = tonumber,
    rawequal = rawequal, rawget = rawget, rawset = rawset, rawlen = rawlen,
    next = order.next, pairs = order.pairs, tostring = safe_tostring,
    math = copy_library(math), table = copy_library(table), utf8 = copy_library(utf8),
    string = copy_library(string),
  }
  env._G = env
  env.math.random = forbidden("math.random", "node:random(m, n) is a node's chance")
  env.math.randomseed = forbidden("math.randomseed", "the world's seed is the only one")
  env.string.dump = forbidden("string.dump", "functions cannot leave the node")
  env.string.format = safe_format
  env.table.sort = order.sort
  function env.print(...)
    local texts = table.pack(...)
    for i = 1, texts.n do texts[i] = safe_tostring(texts[i]) end
    print_line(table.concat(texts, "\t", 1, texts.n))
  end
  local audit = add_metatables(env)
  add_coroutines(env, is_bound)
  add_load(env)
  setmetatable(env, {
    __metatable = false,
    __index = function(_, name)
      if missing_globals[name] then forbid(name, missing_globals[name]) end
    end,
  })
  return env, audit
end

return M
