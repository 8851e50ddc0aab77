local errors = require "jangada.errors"
local Log = require "jangada.log"
local store = require "jangada.store"
local fresh = require "spec.support.fresh"

local function failure_of(fn, ...)
  local ok, failure = pcall(fn, ...)
  assert.is_false(ok)
  return failure
end

describe("an error object", function()
  after_each(fresh.clean)

  it("has a code, a message, and says all of it as text", function()
    local failure = errors.new("no_space", "no room for 7 bytes", "here:1: ")
    assert.equal("here:1: no room for 7 bytes (no_space)", tostring(failure))
    assert.is_true(errors.is(failure))
    assert.is_true(errors.is(failure, "no_space"))
    assert.is_false(errors.is(failure, "io_error"))
  end)

  it("is told from other values", function()
    for _, value in ipairs{ "text", 7, {}, { code = 7, message = "x" }, { code = "x" } } do
      assert.is_false(errors.is(value))
    end
    assert.is_false(errors.is(nil))
  end)

  it("has a code that is known", function()
    assert.has_error(function() errors.new("no_such_code", "x") end)
  end)

  it("names the line that called Jangada, however deep it was raised", function()
    local db = fresh.open()
    local line = debug.getinfo(1, "l").currentline + 2
    local failure = failure_of(function()
      db:update(function(tx) tx:create_bucket("") end)
    end)
    assert.truthy(failure.where:find(("spec/errors_spec.lua:%d: "):format(line), 1, true))
    local log = Log.open(db, "replog")
    line = debug.getinfo(1, "l").currentline + 2
    failure = failure_of(function()
      log:save{ term = 1, entries = {}, first = 5 }
    end)
    assert.truthy(failure.where:find(("spec/errors_spec.lua:%d: "):format(line), 1, true),
      failure.where)
  end)

  it("is of one kind, whether C or Lua raised it", function()
    local db = fresh.open()
    local from_c = failure_of(function() db:update(function(tx) tx:create_bucket("") end) end)
    assert.equal("bucket_name_required", from_c.code)
    assert.equal("jangada.Error", getmetatable(from_c).__name)
    assert.truthy(tostring(from_c):find("the name is empty (bucket_name_required)", 1, true))
    assert.is_string(store.version)
  end)
end)
