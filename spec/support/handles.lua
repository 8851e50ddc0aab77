-- One of every handle, all open, for the specs of what happens to a process that has them.
local assert = require "luassert"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local handles = {}

-- What answers from the handle alone, and so in any process and on any thread.
local plain = {
  ["jangada.DB"] = { path = true, key_size_max = true },
  ["jangada.Tx"] = { id = true, is_writable = true, db = true, size = true, stats = true },
  ["jangada.Bucket"] = { name = true, tx = true, is_writable = true },
  ["jangada.Cursor"] = { bucket = true },
}

--- An open DB with everything open in it: handles of all four classes, and two iterators.
function handles.everything()
  local path = fresh.path()
  local db = assert(store.open(path))
  db:update(function(tx)
    local b = tx:create_bucket("b")
    for _, k in ipairs{ "k", "l", "m" } do b:put(k, "v") end
    b:create_bucket("n"):put("k", "nested")
  end)
  local h = { db = db, path = path, reader = db:begin("read"), writer = db:begin("write") }
  h.b = h.writer:bucket("b")
  h.old = h.reader:bucket("b")
  h.b:put("k", "new")
  h.c = h.old:cursor()
  h.c:first()
  h.each, h.each_state = h.old:each()
  h.each(h.each_state)
  h.buckets = h.writer:buckets()
  return h
end

--- Calls all methods of all handles; says which of them did not raise `code`, but for plain ones.
function handles.other_than(code, h)
  local others = {}
  for _, handle in ipairs{ h.db, h.reader, h.writer, h.b, h.old, h.c } do
    local class = getmetatable(handle)
    for name, method in pairs(class.__index) do
      local ok, failure = pcall(method, handle)
      local raised = not ok and type(failure) == "table" and failure.code == code
      if raised == (plain[class.__name][name] or false) then
        others[#others + 1] = ("%s:%s %s"):format(class.__name, name, tostring(failure))
      end
    end
    tostring(handle)
  end
  for name, call in pairs{ each = function() h.each(h.each_state) end, buckets = h.buckets } do
    local ok, failure = pcall(call)
    if ok or failure.code ~= code then others[#others + 1] = name end
  end
  table.sort(others)
  return table.concat(others, "\n")
end

--- The handles work as if nothing had happened, and what was written can be committed.
function handles.assert_whole(h)
  assert.equal("new", h.b:get("k"))
  assert.equal("v", h.old:get("k"))
  assert.equal("l", (h.c:next()))
  assert.equal("l", (h.each(h.each_state)))
  assert.equal("b", (h.buckets()))
  assert.equal(1, #h.db:readers())
  h.b:put("l", "new")
  h.writer:commit()
  assert.equal("m", (h.c:next()))
  assert.equal("v", h.old:get("l"))
  h.reader:rollback()
  h.db:update(function(tx) tx:bucket("b"):put("m", "new") end)
  h.db:view(function(tx)
    assert.same({ { "k", "new" }, { "l", "new" }, { "m", "new" }, { "n", false } },
      fresh.gather(tx:bucket("b"):each()))
  end)
  h.db:close()
end

--- Lets go of all of them, and collects.
function handles.forget(h)
  for name in pairs(h) do h[name] = nil end
  collectgarbage()
  collectgarbage()
end

return handles
