-- The contestant that is ours: durable appends to a Raft log.
--
-- usage: lua5.4 bench/append.lua DURABILITY DIRECTORY SIZE BATCH     (see bench/turns.lua)

local clock = require "clock"
local Log = require "jangada.log"
local store = require "jangada.store"
local turns = dofile("bench/turns.lua")

local durability, directory = arg[1], arg[2]
local size, batch = math.tointeger(tonumber(arg[3])), math.tointeger(tonumber(arg[4]))

local db <close> = assert(store.open(directory .. "/log.db", { durability = durability }))
local log = Log.open(db, "replog")
log:save{ term = 1 }

local entries, data = {}, ("x"):rep(size)
for i = 1, batch do entries[i] = { term = 1, data = data } end
turns.serve("jangada", batch, clock.now, function() log:save{ entries = entries } end)
