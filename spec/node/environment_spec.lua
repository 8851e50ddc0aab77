local environment = require "jangada.node.environment"
local labs = require "spec.support.labs"
local modules = require "jangada.node.modules"
local store = require "jangada.store"

-- Runs a chunk in a fresh environment, as a turn does: with its string methods, and the audit.
local function run(text, printed)
  local env, audit = environment.new(
    function(line) if printed then printed[#printed + 1] = line end end,
    function() return false end)
  modules.add_require(env)
  local chunk = assert(load(text, "=protocol", "t", env))
  environment.enter(env.string)
  local results = table.pack(pcall(chunk))
  local audited, why = pcall(audit)
  environment.leave()
  if not results[1] then error(results[2], 0) end
  if not audited then error(why, 0) end
  return table.unpack(results, 2, results.n)
end

local function refused(text, code)
  local actual, message = labs.code_of(run, text)
  assert.equal(code or "not_deterministic", actual, message)
  return message
end

describe("the environment of a protocol", function()
  it("has no clocks, files, chance, debug or collector, and says what there is instead", function()
    assert.matches("node:now", refused("return os.time()"))
    assert.matches("node.db", refused("return io.open('x')"))
    assert.matches("node:random", refused("return math.random(5)"))
    refused("math.randomseed(1)")
    refused("return debug.getinfo(1)")
    refused("return collectgarbage('count')")
    refused("return package.loaded")
    refused("return dofile('x.lua')")
    refused("return loadfile('x.lua')")
    refused("return string.dump(function() end)")
    refused("return ('x').dump(function() end)")
  end)

  it("has all the rest of Lua", function()
    assert.equal(6, run[[
      local t = table.pack(select("#", 1, 2), math.max(1, 2), ("x"):rep(2), utf8.char(65))
      assert(t[1] == 2 and t[2] == 2 and t[3] == "xx" and t[4] == "A")
      assert(rawlen({1}) == 1 and rawequal(t, t) and tonumber("10") == 10 and type(_G) == "table")
      local ok, message = pcall(error, "why") assert(not ok and message == "why")
      assert(xpcall(function() return 1 end, function() end))
      local s = 0 for _, v in ipairs{1, 2, 3} do s = s + v end
      return s]])
  end)

  it("gives an undefined global as nil, as Lua does", function()
    assert.is_nil((run"return undefined_thing"))
  end)

  it("walks tables in the order of their keys", function()
    assert.equal("a1 b2 c3", run[[
      local t, out = {c = 3, a = 1, b = 2}, {}
      for k, v in pairs(t) do out[#out + 1] = k .. v end
      assert(next(t) == "a" and next(t, "a") == "b")
      return table.concat(out, " ")]])
    refused("for k in pairs{[{}] = 1} do end", "unordered_key")
    refused("return next{[print] = 1}", "unordered_key")
  end)

  it("shows no addresses", function()
    assert.same({"table", "function", "function", "thread", "table function", "nil 1 x"}, {
      run"return tostring({})", run"return tostring(print)", run"return tostring(function() end)",
      run"return tostring(coroutine.create(print))",
      run"return ('%s %s'):format({}, print)", run"return string.format('%s %d %s', nil, 1, 'x')",
    })
    assert.equal("Account", run"return tostring(setmetatable({}, {__name = 'Account'}))")
    assert.equal("me me", run[[
      local t = setmetatable({}, {__tostring = function() return "me" end})
      return tostring(t) .. (" %s"):format(t)]])
    refused("return ('%p'):format({})")
    refused("return string.format('%-20p', {})")
    refused("return string.format('%p', 'x')")
    assert.equal("100%p", run"return ('100%%p'):format()")
  end)

  it("lets no error message show an address", function()
    local message = select(2, run"return pcall(function() return {} < {} end)")
    assert.is_nil(message:find("0x"))
  end)

  it("sorts long lists the same way each time", function()
    assert.is_true((run[[
      local list = {}
      for i = 1, 300 do list[i] = {key = i % 3, place = i} end
      table.sort(list, function(a, b) return a.key < b.key end)
      for i = 2, 300 do
        assert(list[i-1].key < list[i].key or list[i-1].place < list[i].place)
      end
      return true]]))
  end)

  it("has no weak tables and no finalizers", function()
    refused("setmetatable({}, {__mode = 'k'})")
    refused("setmetatable({}, {__gc = function() end})")
    refused("setmetatable({}, {__gc = false})")
  end)

  it("finds a metatable that is made weak behind its back", function()
    refused("local m = {} setmetatable({}, m) m.__mode = 'v'")
  end)

  it("finds a finalizer that a metatable was given since it was last set", function()
    refused("local m = {} setmetatable({}, m) m.__gc = function() end setmetatable({}, m)")
  end)

  it("loads text into itself, and no bytecode", function()
    assert.equal(3, run"return load('return 1 + 2')()")
    assert.equal(5, run"x = 5 return load('return x')()")
    assert.equal(7, run"return load('return y', 'n', 't', {y = 7})()")
    assert.equal(9, run[[
      local n = 0
      return load(function() n = n + 1 return ({"return ", "9"})[n] end)()]])
    assert.is_nil((run"return load('x', 'n', 'b')"))
    refused("return load('return os.time()')()")
    local bytecode = string.dump(function() return 1 end)
    assert.is_nil((run(("return load(%q)"):format(bytecode))))
    assert.is_nil((run(("return load(%q, 'n', 'bt')"):format(bytecode))))
    local ok = pcall(run, "return load('return os', 'n', 't', nil)()") -- no globals at all
    assert.is_false(ok)
  end)

  it("requires a short list of modules and nothing else", function()
    assert.equal("function", run"return type(require('jangada.log').open)")
    assert.equal("function", run"return type(require('jangada.log.format').encode)")
    assert.equal("function", run"return type(require('jangada.errors').raise)")
    assert.equal(store.crc32c("x"), run"return require('jangada.store').crc32c('x')")
    assert.is_nil((run"return require('jangada.store').open"))
    for _, name in ipairs{"os", "io", "string", "jangada.lab", "jangada.node", "jangada", "lfs",
      "jangada.logs", "jangada.node.plain"} do
      refused(("return require %q"):format(name), "module_not_allowed")
    end
    refused("return require(5)", "module_not_allowed")
  end)

  it("loads a module once, and afresh for each environment", function()
    assert.is_true((run"return require('jangada.errors') == require('jangada.errors')"))
    local one = run"local e = require('jangada.errors') e.mark = 1 return e"
    local other = run"return require('jangada.errors')"
    assert.not_equal(one, other)
    assert.is_nil(other.mark)
    assert.is_nil(require("jangada.errors").mark)
  end)

  it("shares no library and no metatable with another", function()
    run"string.mine = 1 table.mine = 1 math.mine = 1 utf8.mine = 1 coroutine.mine = 1 _G.mine = 1"
    assert.is_nil((run"return string.mine or table.mine or math.mine or utf8.mine or mine"))
    assert.is_nil((run"return ('x').mine"))
    assert.is_nil(rawget(string, "mine"))
    assert.is_nil((run"return getmetatable('')"))
    assert.is_nil((run"return getmetatable(_G)"))
  end)

  it("has its own methods of strings, which a protocol may add to for itself", function()
    assert.equal("x!", run"function string.shout(s) return s .. '!' end return ('x'):shout()")
    assert.is_nil(("x").shout)
  end)

  it("gives metatables back that were set in it", function()
    assert.is_true((run"local m = {} return getmetatable(setmetatable({}, m)) == m"))
    assert.equal("locked", run"return getmetatable(setmetatable({}, {__metatable = 'locked'}))")
  end)

  it("has coroutines, but lets none yield out of it", function()
    assert.equal("1 2 3", run[[
      local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
      return co() .. " " .. co() .. " " .. co()]])
    refused("coroutine.yield(1)", "yield_refused")
    local outside = coroutine.create(function() refused("coroutine.yield(1)", "yield_refused") end)
    assert(coroutine.resume(outside))
    assert.equal("dead", coroutine.status(outside))
    assert.is_true(select(2, run"return coroutine.running()"))
    assert.is_false((run"return coroutine.isyieldable()"))
  end)

  it("passes on what a wrapped coroutine raises", function()
    local ok, message = pcall(run, "coroutine.wrap(function() error('inside', 0) end)()")
    assert.is_false(ok)
    assert.equal("inside", message)
  end)

  it("prints to the world", function()
    local printed = {}
    run("print('x', 1, nil, {})", printed)
    assert.same({"x\t1\tnil\ttable"}, printed)
  end)

  it("leaves the process its strings when it is done", function()
    run"string.format = nil"
    assert.equal("5", ("%d"):format(5))
    assert.is_not_nil(("%p"):format({}):find("0x"))
  end)
end)
