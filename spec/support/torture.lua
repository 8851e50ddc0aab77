-- The helper of `make gc-torture`: the collector runs at every allocation.
dofile("spec/support/helper.lua")
collectgarbage("incremental", 1, 1000, 1)
