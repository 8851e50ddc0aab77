-- The reference Raft, where each seed draws what it is up against: how many nodes, how slow and
-- lossy a network, how slow its disks, how long its timeouts, how much work, for how long, and
-- which faults. `jangada lab campaign FILE` runs it under one seed after the other.

local lab = require "jangada.lab"

-- Faults that follow the leader: one falls after the other, before it has done its work. What takes
-- several changes of leaders to go wrong, as Figure 8 of the paper does, is found like this; what
-- takes a crash before a flush, by nodes that boot again at once.
local function hunt(chance, duration_ms)
  local gap_ms, length_ms = chance:logarithmic(20, 400), chance:logarithmic(20, 800)
  local leaders = chance:chance(0.6) and 1 or 0.2
  local crashes = chance:chance(0.3) and 1 or 0.5
  local bounces = chance:chance(0.4) and 0.9 or 0
  local faults, at_ms = {}, 150
  while at_ms < duration_ms do
    at_ms = at_ms + math.floor(gap_ms * chance:logarithmic(0.25, 4))
    local for_ms = math.floor(length_ms * chance:logarithmic(0.25, 4))
    local is_crash = chance:chance(crashes)
    if is_crash and chance:chance(bounces) then for_ms = 0 end
    faults[#faults + 1] = { at_ms = at_ms, kind = is_crash and "crash" or "isolate",
      node = chance:chance(leaders) and "leader" or chance:between(1, 3), for_ms = for_ms }
  end
  return faults
end

-- Leaders that are cut off from the others, but not from clients, and whose clocks are slow, so
-- that it takes them long to give up: what they answer meanwhile may be old.
local function add_old_leaders(chance, faults, nodes, duration_ms)
  local all, at_ms = {}, chance:between(200, 500)
  for i = 1, nodes do all[i] = "n" .. i end
  while at_ms < duration_ms do
    local for_ms = math.floor(chance:logarithmic(300, 1500))
    faults[#faults + 1] = { at_ms = at_ms, kind = "clock_drift", node = "leader",
      rate = chance:logarithmic(0.1, 1), for_ms = for_ms }
    faults[#faults + 1] = { at_ms = at_ms, kind = "partial", from = { "leader" }, to = all,
      for_ms = for_ms }
    at_ms = at_ms + for_ms + math.floor(chance:logarithmic(100, 1000))
  end
end

-- A rough network: messages overtake one another by far, so that requests of candidates outlive
-- elections. Nobody has to get on in it.
local function draw_network(chance, is_hunted, is_rough)
  local low_ms = chance:logarithmic(is_hunted and 1 or 0.1, is_hunted and 20 or 10)
  local spread_ms = is_rough and chance:logarithmic(20, 300) or chance:logarithmic(0.1, 40)
  return {
    delay_ms = { low_ms, low_ms + spread_ms },
    loss = chance:chance(0.5) and chance:logarithmic(0.001, 0.2) or 0,
    duplication = chance:chance(0.3) and chance:logarithmic(0.01, 0.5) or 0,
  }
end

local function draw_clients(chance, machine)
  if machine == "kv" then
    return lab.kv_clients{ count = chance:between(1, 5), keys = chance:between(1, 3),
      operations = chance:between(20, 300) }
  end
  local commands = {}
  for i = 1, math.floor(chance:logarithmic(12, 400)) do commands[i] = ("line %d"):format(i) end
  local timeout_ms = math.floor(chance:logarithmic(100, 500))
  return { lab.stream{ commands = commands, batch_max = math.floor(chance:logarithmic(1, 13)),
    timeout_ms = timeout_ms, retry_ms = chance:between(10, 20) } }
end

return function(chance)
  local duration_ms = math.floor(chance:logarithmic(2000, 20000))
  local machine = chance:chance(0.3) and "kv" or "list"
  local is_hunted = chance:chance(0.6)
  local is_rough = is_hunted and chance:chance(0.4)
  if is_hunted then duration_ms = math.min(duration_ms, 3000) end
  local timeout_ms = chance:between(100, 200)
  local until_ms = duration_ms * 4 // 5
  local scenario = {
    nodes = chance:chance(0.6) and 3 or chance:chance(0.8) and 5 or 7,
    protocol = "jangada.raft.protocol",
    options = {
      machine = machine,
      election_timeout_ms = { timeout_ms, timeout_ms + math.floor(chance:logarithmic(40, 200)) },
      -- With little in a message a leader can fall between two of them.
      batch_bytes_max = chance:chance(0.6) and math.floor(chance:logarithmic(1, 100)) or 65536,
      pre_vote = chance:chance(0.5),
      check_quorum = chance:chance(0.5),
    },
    network = draw_network(chance, is_hunted, is_rough),
    faults = is_hunted and hunt(chance, until_ms) or { duration_ms = until_ms },
    clients = draw_clients(chance, machine),
    duration_ms = duration_ms,
    liveness = not is_rough and { bound_ms = 10000 } or nil,
    disk = chance:chance(0.5) and { flush_ms = { 0.05, chance:logarithmic(0.1, 60) } } or nil,
  }
  scenario.options.forward = chance:chance(0.3)
  if machine == "kv" and is_hunted and chance:chance(0.5) then
    if chance:chance(0.7) then scenario.faults = {} end
    add_old_leaders(chance, scenario.faults, scenario.nodes, until_ms)
  end
  if chance:chance(0.5) then
    scenario.options.compaction = { entries = math.floor(chance:logarithmic(1, 100)),
      trailing = chance:chance(0.5) and 0 or math.floor(chance:logarithmic(1, 50)) }
    scenario.options.snapshot_bytes_max = math.floor(chance:logarithmic(100, 10000))
  end
  return scenario
end
