-- Paxos, Multi-Paxos and the lock service with one line changed: mistakes that people make. Each
-- works, and goes on working, until a seed comes that shows what the line is for.
--
--     lua5.4 examples/mistakes.lua            from the root of the repository

local lab = require "jangada.lab"
local scenarios = require "jangada.lab.scenario"

local SEEDS <const> = 20000

local mistakes = {
  { "paxos", "an acceptor forgets its promise in a crash",
    [[state.promised = math.tointeger(kept:get("promised") or 0)]],
    [[state.promised = math.tointeger(kept:get("ballot") or 0)]] },
  { "paxos", "an acceptor breaks its promise",
    [[if ballot < state.promised then return false end]], [[]] },
  { "paxos", "a proposer ignores the value that it is told of",
    [[proposed = best.value or wanted]], [[proposed = wanted]] },
  { "paxos", "a proposer takes any value that it is told of, not that of the highest ballot",
    [[if body.accepted_in > best.ballot then]], [[if body.accepted then]] },
  { "paxos", "half of the acceptors count as a majority",
    [[members // 2 + 1]], [[(members + 1) // 2]] },
  { "paxos", "all agree on what nobody wants",
    [[proposed = best.value or wanted]], [[proposed = "nothing"]] },
  { "paxos", "a proposer does not wait longer after a failure",
    [[wait_ms = math.min(2 * wait_ms, 2000)]], [[]] },
  { "multi_paxos", "a new leader forgets what it is told of",
    [[best[slot] and best[slot].value or "nothing")]], [["nothing")]] },
  { "multi_paxos", "a leader does not send again what may have got lost",
    [[if not known[slot] then send_accept(slot) end]], [[]] },
  { "lock", "a worker counts its lease from the answer",
    [[body.asked_at + LEASE_MS
  end)]], [[node:now() + LEASE_MS
  end)]] },
  { "lock", "the server does not wait after a crash",
    [[free_at = node:now() + LEASE_MS
  node.state]], [[free_at = node:now()
  node.state]] },
  { "lock", "the file does not look at tokens",
    [[if token < highest.value then]], [[if false then]] },
  { "lock", "a worker gives the lock back and goes on",
    [[state.ends = node:now() ]], [[]] },
}

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The text with one passage in the place of another, which is there once.
local function replace(text, old, new)
  local first, last = text:find(old, 1, true)
  assert(first and not text:find(old, last + 1, true), old .. ": is not there once")
  return text:sub(1, first - 1) .. new .. text:sub(last + 1)
end

for _, mistake in ipairs(mistakes) do
  local name, what, old, new = table.unpack(mistake)
  local protocol = { name = name, source = replace(read("examples/" .. name .. ".lua"), old, new) }
  local scenario = scenarios.load("examples/" .. name .. "_scenario.lua")
  local seed, verdict = 0, nil
  while not verdict and seed < SEEDS do
    seed = seed + 1
    local case = scenario:case(seed)
    case.options.protocol = protocol
    local world <close> = lab.new(case.options)
    scenarios.run(case, world)
    verdict = world.verdict
  end
  print(("%s: %s\n  seed %d: %s\n"):format(name, what, seed, verdict or "nothing found"))
end
