-- What the specs of node and lab share: worlds of protocols given as text, errors by their code.

local errors = require "jangada.errors"
local lab = require "jangada.lab"
local assert = require "luassert"

local M = {}

---A world of a protocol whose body is given as text, with `node` and `options` in scope.
---@param body string
---@param options? table further options of lab.new; one node unless it says more
---@return table world
function M.world(body, options)
  local config = {nodes = 1, invariants = {}}
  for name, value in pairs(options or {}) do config[name] = value end
  config.protocol = {name = "toy", source = "return function(node, options) " .. body .. "\nend"}
  return lab.new(config)
end

---A world of the reference Raft, with all its invariants and a client that submits without end.
---@param options? table further options of lab.new
---@return table world
function M.raft_world(options)
  local n = 0
  local config = {protocol = "jangada.raft.protocol", invariants = {"raft"},
    clients = {lab.stream{batch_max = 2, commands = function()
      n = n + 1
      return "command " .. n
    end}}}
  for name, value in pairs(options or {}) do config[name] = value end
  return lab.new(config)
end

---Runs a world of a protocol for a while.
---@return table|nil verdict
---@return table world closed
function M.verdict_of(body, options)
  local world <close> = M.world(body, options)
  return world:run(100), world
end

---Runs a protocol in which a handler must raise an error of that code.
---@return table verdict
function M.fails_with(code, body, options)
  local verdict = M.verdict_of(body, options)
  assert(verdict, "no verdict")
  assert(verdict.kind == "handler_error" and verdict.code == code, tostring(verdict))
  return verdict
end

---Runs a protocol in which nothing must go wrong.
---@return table world closed
function M.succeeds(body, options)
  local verdict, world = M.verdict_of(body, options)
  assert(verdict == nil, verdict and verdict.traceback)
  return world
end

---The code of the error object that fn raises.
---@param fn function
---@return string|nil code
---@return string message
function M.code_of(fn, ...)
  local ok, failure = pcall(fn, ...)
  assert(not ok, "nothing was raised")
  assert(errors.is(failure), tostring(failure))
  return failure.code, failure.message
end

---What a node's bucket holds on its disk now.
---@param world table
---@param which integer|string
---@param bucket string
---@param key string
---@return string|nil
function M.stored(world, which, bucket, key)
  return world:node(which).db:view(function(tx)
    local b = tx:bucket(bucket)
    return b and b:get(key)
  end)
end

---Starts Lua in a second process.
---@param text string
---@param environment? string words of the shell, such as `TMPDIR=/tmp`
---@return file* pipe what it prints
function M.start_process(text, environment)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(("package.path = %q\npackage.cpath = %q\nos.remove(%q)\n"):format(package.path,
    package.cpath, path), text)
  file:close()
  return assert(io.popen(("%s exec lua5.4 %s 2>&1"):format(environment or "", path)))
end

---Runs Lua in a second process and returns what it prints.
---@param text string
---@return string
function M.run_process(text)
  local pipe <close> = M.start_process(text)
  return pipe:read("a")
end

--- The verdict on a world of two nodes of a protocol, after 100 ms, with Raft's invariants.
function M.judge(body, options)
  local config = {nodes = 2, invariants = false}
  for name, value in pairs(options or {}) do config[name] = value end
  config.invariants = config.invariants or {"raft"}
  local world <close> = M.world(body, config)
  return world:run(100)
end

--- The verdict on a world of a wrong protocol, which violates this invariant.
function M.guilty(name, body, options)
  local verdict = M.judge(body, options)
  assert.is_not_nil(verdict, "no verdict")
  assert.equal("invariant_violated", verdict.kind, tostring(verdict))
  assert.equal(name, verdict.name, tostring(verdict))
  return verdict
end

--- A world of that protocol violates no invariant.
function M.innocent(body, options)
  local verdict = M.judge(body, options)
  assert.is_nil(verdict, verdict and tostring(verdict.traceback or verdict))
end

return M
