-- Finds a protocol's source, and gives it `require`: a short list of modules, loaded afresh into
-- the environment of each boot, so that not even a module's locals are shared between nodes.
--
-- A boot must be cheap, since a campaign boots nodes by the thousand. So each file is compiled
-- once a process, as the body of a function of its environment, and all nodes share the code; the
-- source is read again each time a world is made, and a file that has changed is compiled anew.

local errors = require "jangada.errors"
local store = require "jangada.store"

local M = {}

---@class jangada.Source
---@field name string what errors and tracebacks call it
---@field text string its source
---@field chunk_of fun(env: table): function the chunk, in an environment

local compiled = {} -- chunk name -> Source

local function compile(name, text)
  local source = compiled[name]
  if source and source.text == text then return source end
  if text:sub(1, 1) == "\27" then
    errors.raise("protocol_invalid", "%s is bytecode; a protocol is text", name)
  end
  -- What compiles alone compiles as the body of a function, too, and its lines keep their numbers.
  local chunk_of, message = load(text, name, "t")
  if chunk_of then
    chunk_of, message = load("local _ENV = ... return function(...) " .. text .. "\nend", name, "t")
  end
  if not chunk_of then errors.raise("protocol_invalid", "%s", message) end
  source = {name = name, text = text, chunk_of = chunk_of}
  compiled[name] = source
  return source
end

local function read(path)
  local file <close>, message = io.open(path, "rb")
  if not file then errors.raise("protocol_not_found", "%s", message) end
  local text, failure = file:read("a")
  if not text then errors.raise("protocol_not_found", "%s: %s", path, failure) end
  -- A first line for the shell is no Lua.
  return (text:gsub("^#[^\n]*", ""))
end

local function search(name)
  local path, message = package.searchpath(name, package.path)
  if not path then
    errors.raise("protocol_not_found", "no module %s:%s", name, message)
  end
  return path
end

---Finds and compiles a protocol.
---@param protocol string|table the path of a `.lua` file, the name of a module, or
---`{source = text, name = what errors call it}`
---@return jangada.Source
---Raises `protocol_not_found`, `protocol_invalid`.
function M.source(protocol)
  if type(protocol) == "table" then
    if type(protocol.source) ~= "string" then
      errors.raise("protocol_invalid", "a protocol given as a table needs its source as text")
    end
    for name, value in pairs(protocol) do
      if name ~= "source" and (name ~= "name" or type(value) ~= "string") then
        errors.raise("protocol_invalid", "a protocol given as a table has its source and its name, "
          .. "both texts, and no other %s", tostring(name))
      end
    end
    return compile("=" .. (protocol.name or "protocol"), protocol.source)
  elseif type(protocol) ~= "string" then
    errors.raise("protocol_invalid", "a protocol is the path of a Lua file, the name of a "
      .. "module or {source=, name=}, not a %s", type(protocol))
  end
  local is_path = protocol:find("%.lua$") or protocol:find("/", 1, true)
  local path = is_path and protocol or search(protocol)
  return compile("@" .. path, read(path))
end

-- What the store offers to a protocol: functions of their arguments alone.
local function reduced_store()
  return {crc32c = store.crc32c, pack_records = store.pack_records,
    unpack_record = store.unpack_record, version = store.version,
    lmdb_version = store.lmdb_version}
end

local function is_allowed(name)
  return name == "jangada.errors" or name:find("^jangada%.log$") or name:find("^jangada%.log%.")
    or name:find("^jangada%.raft$") or name:find("^jangada%.raft%.")
end

local sources = {} -- module name -> Source, of the modules protocols may require

local function module_source(name)
  local source = sources[name]
  if not source then
    local path = search(name)
    source = compile("@" .. path, read(path))
    sources[name] = source
  end
  return source
end

---Reads the modules again that protocols may require, at their next boot.
function M.refresh()
  sources = {}
end

---The texts of the modules that protocols have required since `refresh`.
---@return string[]
function M.texts()
  local texts = {}
  for _, source in pairs(sources) do texts[#texts + 1] = source.text end
  return texts
end

---Gives an environment its `require`.
---@param env table of jangada.node.environment
function M.add_require(env)
  local loaded = {["jangada.store"] = reduced_store()}
  local loading = {}
  function env.require(name)
    local module = loaded[name]
    if module ~= nil then return module end
    if type(name) ~= "string" or not is_allowed(name) then
      errors.raise("module_not_allowed", "a protocol can require jangada.log, jangada.raft, "
        .. "their parts, jangada.errors and jangada.store, not %s", tostring(name))
    end
    if loading[name] then
      errors.raise("module_not_allowed", "%s requires itself, in a circle", name)
    end
    loading[name] = true
    module = module_source(name).chunk_of(env)(name)
    loading[name] = nil
    if module == nil then module = true end
    loaded[name] = module
    return module
  end
end

return M
