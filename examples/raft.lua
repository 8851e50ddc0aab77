-- A key-value store on five Raft servers: the leader crashes, and nothing that was answered is
-- lost. Then the same cluster with one rule of Raft broken, and what the lab says about it.
--
--     lua5.4 examples/raft.lua

local lab = require "jangada.lab"
local kv = require "jangada.raft.kv"

-- Submits commands until some server, the leader, answers.
local number = 0
local function ask(world, ...)
  local body = { type = "submit", client = "example", number = number + 1, commands = { ... } }
  number = number + select("#", ...)
  for attempt = 0, 100 do
    local reply = world:request(attempt % 5 + 1, body, 500)
    if reply and reply.type == "submit_ok" then return table.unpack(reply.results) end
  end
  error("no leader answers")
end

local world <close> = lab.new{
  seed = 7, nodes = 5, protocol = "jangada.raft.protocol", options = { machine = "kv" },
}
ask(world, kv.put("boat", "jangada"), kv.put("wood", "balsa"))
print("the leader crashes")
world:crash("leader")
print("boat", ask(world, kv.get("boat")))
print("wood was balsa and is now cork", ask(world, kv.cas("wood", "balsa", "cork")))
print("wood", ask(world, kv.get("wood")))
print("verdict", world.verdict or "none: every invariant held")

-- A follower that gives its vote to whoever asks, twice in a term if need be.
local generous = {
  name = "generous",
  source = [[
    local raft = require "jangada.raft"
    return raft.with{ may_vote_for = function(vote, candidate) return true end }
  ]],
}
for seed = 1, 1000 do
  local broken <close> = lab.new{ seed = seed, nodes = 5, protocol = generous,
    network = { delay_ms = { 1, 40 } }, faults = { duration_ms = 3000 } }
  broken:run(3000)
  if broken.verdict then
    print(("seed %d: %s"):format(seed, broken.verdict.name))
    break
  end
end
