-- Steps on buckets: each changes the buckets of a world (workload.lua) and returns the function of
-- a write transaction that does the same to the real ones; nil where there is nothing to do.
local data = require "spec.support.crash.data"
local model = require "spec.support.model"

local NAMES <const> = { "a", "b", "c" }
local KEYS_MAX <const> = 40
local LARGE_EVERY <const> = 30 -- puts

local steps = {}

local function set(node, key, item)
  node.items[key], node.order = item, nil
end

local function some_key(random) return ("k%02d"):format(random(1, KEYS_MAX)) end

local function ensure(node, name)
  local item = node.items[name]
  if not item then
    item = model.node()
    set(node, name, item)
  end
  return item
end

--- Puts and deletes in one bucket, and sometimes in one nested in it.
function steps.put(world, random)
  local name, kind, doing = NAMES[random(1, #NAMES)], random(1, 3), {}
  local node = ensure(world.buckets, name)
  local nested = kind > 1 and ensure(node, "nested")
  for i = 1, random(1, 8) do
    local key, value = some_key(random), random(1, 4) > 1 and data.some(random) or nil
    if i == 1 and random(1, LARGE_EVERY) == 1 then value = data.large(random) end
    local inner = nested and random(1, 2) == 1
    set(inner and nested or node, key, value)
    doing[#doing + 1] = { key, value, inner }
  end
  node.sequence = node.sequence + 1
  return function(tx)
    local bucket = tx:ensure_bucket(name)
    local inner = nested and bucket:ensure_bucket("nested", { tree = kind == 3 })
    for _, item in ipairs(doing) do
      local into = item[3] and inner or bucket
      if item[2] then into:put(item[1], item[2]) else into:delete(item[1]) end
    end
    bucket:next_sequence()
  end
end

function steps.delete(world, random)
  local name = NAMES[random(1, #NAMES)]
  if not world.buckets.items[name] then return nil end
  set(world.buckets, name, nil)
  return function(tx) tx:delete_bucket(name) end
end

function steps.delete_range(world, random)
  local name = NAMES[random(1, #NAMES)]
  local node, from, to = world.buckets.items[name], some_key(random), some_key(random)
  if not node then return nil end
  for _, key in ipairs(model.order(node)) do
    if key >= from and key <= to then set(node, key, nil) end
  end
  return function(tx) tx:bucket(name):delete_range(from, to) end
end

--- One bucket into another, in place of what was moved there before.
function steps.move(world, random)
  local name, to = NAMES[random(1, #NAMES)], NAMES[random(1, #NAMES)]
  local node, parent = world.buckets.items[name], world.buckets.items[to]
  if not node or not parent or node == parent then return nil end
  local replaces = parent.items[name] ~= nil
  set(world.buckets, name, nil)
  set(parent, name, node)
  return function(tx)
    local into = tx:bucket(to)
    if replaces then into:delete_bucket(name) end
    tx:move_bucket(name, into)
  end
end

return steps
