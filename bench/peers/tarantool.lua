#!/usr/bin/env tarantool
-- Durable appends to a space of tarantool, one transaction a batch, wal_mode = "fsync".
--
-- usage: tarantool bench/peers/tarantool.lua DIRECTORY SIZE BATCH     (see bench/turns.lua)
-- luacheck: std luajit, globals box

local clock = require("clock")
local turns = dofile("bench/turns.lua")

local directory, size, batch = arg[1], tonumber(arg[2]), tonumber(arg[3])

box.cfg{
  wal_mode = "fsync", wal_dir = directory, memtx_dir = directory, vinyl_dir = directory,
  memtx_memory = 4 * 1024 ^ 3, checkpoint_interval = 0, log = directory .. "/tarantool.log",
}
local space = box.schema.space.create("log")
space:create_index("primary", { type = "tree", parts = { 1, "unsigned" } })

local data = ("x"):rep(size)
turns.serve("tarantool", batch, clock.monotonic, function(first)
  box.begin()
  for i = first, first + batch - 1 do space:insert{ i, 1, data } end
  box.commit()
end)
os.exit(0)
