-- The loops of bench/store.lua with this store.
--
-- usage: lua5.4 bench/store_loop.lua append|append_durable|read|scan FILE TREE COUNT SIZE BATCH
-- Prints the seconds it took, without opening and closing.

local screens = require "jangada.cli.screen"
local store = require "jangada.store"

local kind, path, tree = arg[1], arg[2], arg[3]
local count, size, batch = tonumber(arg[4]), tonumber(arg[5]), tonumber(arg[6])

local loops = {}

function loops.append(db)
  local data, values = ("x"):rep(size), {}
  for i = 1, batch do values[i] = data end
  for first = 1, count, batch do
    db:update(function(tx) tx:bucket(tree):append(first, values) end)
  end
end

loops.append_durable = loops.append

function loops.read(db)
  db:view(function(tx)
    local bucket, at, total = tx:bucket(tree), 1, 0
    local get <const> = bucket.get
    for _ = 1, count do
      at = at * 6364136223846793005 + 1442695040888963407
      total = total + #get(bucket, (at >> 33) % count + 1)
    end
  end)
end

function loops.scan(db)
  db:view(function(tx)
    local total = 0
    for _, value in tx:bucket(tree):each() do total = total + #value end
  end)
end

local durability = kind == "append" and "none" or "commit"
local db <close> = assert(store.open(path, { durability = durability }))
db:update(function(tx) tx:ensure_bucket(tree, { keys = "integer" }) end)
local started = screens.wall_clock() -- as the peers measure, who count what waits, too
loops[kind](db)
print(("%.6f"):format(screens.wall_clock() - started))
