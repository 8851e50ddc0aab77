-- Our Raft against etcd's, the cores alone: three nodes in one process, in memory, no simulated
-- delay, commands of 16 bytes, 64 of them on their way.
--
-- In the first part each command and each message is handled by itself, by both. In the second one
-- the client hands over all that the window has room for: to ours in one request, to etcd's by one
-- Propose each, which is what its users have, and again in one message of its inner protocol; and
-- etcd's nodes act once upon all that has come. The client's session, by which a command that is
-- sent twice takes effect once, is ours alone.
--
-- usage: lua5.4 bench/raft.lua DIRECTORY     (`make bench-raft` builds what it runs)

local contest = dofile("bench/contest.lua")
local screens = require "jangada.cli.screen"

local RUNS <const> = 3
local HOME <const> = "env HOME=%s " -- a contest gives each a directory; these need none
if #arg ~= 1 then
  io.stderr:write("usage: lua5.4 bench/raft.lua DIRECTORY\n")
  os.exit(2)
end

local parts = {
  { how = "each", commits = 5000, text = "one by one", etcd = { etcd = "each" } },
  { how = "all", commits = 20000, text = "together", floor = 1,
    etcd = { etcd = "all", ["etcd, in one proposal"] = "batch" } },
}

local screen = screens.new()
local directory <close> = contest.directory(arg[1])
screen:print("commits a second of Raft cores: 3 nodes in memory, 16-byte commands, a window of 64; "
  .. "medians of %d runs", RUNS)
local rows = {}
for i, part in ipairs(parts) do
  local load = { size = 16, batch = 64, turns = 12, commits = part.commits }
  local contestants = {
    { name = "jangada", command = HOME .. "lua5.4 bench/raft_core.lua " .. part.how .. " %d %d" },
  }
  for name, how in pairs(part.etcd) do
    contestants[#contestants + 1] =
      { name = name, command = HOME .. contest.BUILD .. "/bench/etcd_raft " .. how .. " %d %d" }
  end
  table.sort(contestants, function(a, b) return a.name > b.name end)
  local result = contest.run(directory.path, contestants, load, RUNS, function(share)
    screen:progress(i - 1 + share, #parts, part.text)
  end)
  for _, contestant in ipairs(contestants) do
    local name = contestant.name
    local per_commit = result:of(name, "messages") / result:of(name, "commits")
    local is_other, floor = name ~= "jangada", name == "etcd" and part.floor
    local speed = result:speed("jangada", name)
    rows[#rows + 1] = { part.text, name, screens.thousands(1 / result:seconds(name)),
      ("%.2f"):format(per_commit), is_other and ("%.2f"):format(speed) or "",
      floor and ("%s %.2f"):format(speed >= floor and "at least" or "BELOW", floor) or "" }
  end
end
screen:clear()
screen:table({ "handled", "who", "commits/s", "messages a commit", "ours to it", "floor" }, rows,
  { [3] = true, [4] = true, [5] = true })
