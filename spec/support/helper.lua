-- Loaded once before the specs: puts the repository's own paths first, also for what the specs
-- start as processes of their own.
local build = os.getenv("BUILD") or "build"
package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath
