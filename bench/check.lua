-- How fast the checker is: histories of a key-value store and of registers as many clients see
-- them, good ones, bad ones, and ones in which clients time out.
--
-- Clients ask, wait and ask again; each operation takes effect at one moment while it runs. In a
-- bad history one read returns what the key held before, or what was never written. Each figure is
-- the worst of several seeds.
--
-- usage: lua5.4 bench/check.lua [SEEDS]

local check = require "jangada.check"

local SEEDS <const> = math.tointeger(tonumber(arg and arg[1])) or 5

-- What a client does next: {f=, key=, value=} in the words of kv.
local function ask(case, client, number)
  local key = ("k%d"):format(math.random(case.keys))
  if case.model == "cas-register" then
    local n = math.random(3)
    if n == 1 then return {f = "read", key = key} end
    if n == 2 then return {f = "write", key = key, value = math.random(5)} end
    return {f = "cas", key = key, value = {math.random(5), math.random(5)}}
  end
  local n = math.random(10)
  if n <= 5 then return {f = "get", key = key} end
  local value = ("x %d %d y"):format(client, number)
  return {f = n <= 9 and "append" or "put", key = key, value = value}
end

local function apply(held, operation)
  local old = held[operation.key]
  if operation.f == "get" or operation.f == "read" then
    operation.result = old
  elseif operation.f == "append" then
    held[operation.key] = (old or "") .. operation.value
  elseif operation.f == "cas" then
    operation.result = old == operation.value[1] and operation.value
    if operation.result then held[operation.key] = operation.value[2] end
  else
    held[operation.key] = operation.value
  end
end

-- Events of one run, by time: each operation is called, takes effect and returns.
local function run(case, seed)
  math.randomseed(seed)
  local moments, now, process = {}, {}, {}
  for client = 1, case.clients do now[client], process[client] = math.random(100), client end
  for number = 1, case.operations do
    local client = (number - 1) % case.clients + 1
    local operation = ask(case, client, number)
    operation.process = process[client]
    operation.is_lost = math.random(1000) <= case.lost_per_mille
    local called = now[client] + math.random(50)
    local took = math.random(100)
    now[client] = called + took
    if operation.is_lost then
      now[client] = called + 500
      process[client] = process[client] + case.clients
    end
    local effect = called + math.random(0, took)
    for step, at in ipairs{called, effect, math.max(now[client], effect)} do
      moments[#moments + 1] = {at = at, step = step, number = number, operation = operation}
    end
  end
  table.sort(moments, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    if a.step ~= b.step then return a.step < b.step end
    return a.number < b.number
  end)
  return moments
end

-- The events that clients see, and with `is_bad` one read in them that returns an older value.
local function history(case, seed)
  local events, held, reads = {}, {}, {}
  local before = {}
  for _, moment in ipairs(run(case, seed)) do
    local operation = moment.operation
    local event = {process = operation.process, f = operation.f, key = operation.key}
    if moment.step == 1 then
      event.type, event.value = "invoke", operation.value
      operation.before = before[operation.key]
    elseif moment.step == 2 then
      if not operation.is_lost or math.random(2) == 1 then apply(held, operation) end
    else
      event.type = operation.is_lost and "info" or "ok"
      event.value = operation.result
      if operation.value and operation.f ~= "cas" then event.value = operation.value end
      if event.type == "ok" and (event.f == "get" or event.f == "read") then
        if operation.before and operation.before ~= operation.result then
          local value = case.model == "kv" and operation.before or 9
          reads[#reads + 1] = {event = event, value = value}
        end
        before[operation.key] = before[operation.key] or operation.result
      end
    end
    if event.type then events[#events + 1] = event end
  end
  if case.is_bad then
    local read = reads[#reads * 3 // 4]
    read.event.value = read.value
  end
  return events
end

local cases = {
  {name = "key-value", operations = 2000, clients = 50, keys = 10},
  {name = "key-value, bad", operations = 2000, clients = 50, keys = 10, is_bad = true},
  {name = "key-value, 1 in 100 lost", operations = 2000, clients = 50, keys = 10, lost = 10},
  {name = "key-value, 1 in 100 lost, bad", operations = 2000, clients = 50, keys = 10, lost = 10,
    is_bad = true},
  {name = "key-value, one key", operations = 2000, clients = 20, keys = 1},
  {name = "registers", operations = 2000, clients = 50, keys = 10, model = "cas-register"},
  {name = "registers, 1 in 20 lost", operations = 2000, clients = 50, keys = 10, lost = 50,
    model = "cas-register"},
  {name = "registers, 1 in 20 lost, bad", operations = 2000, clients = 50, keys = 10, lost = 50,
    model = "cas-register", is_bad = true},
  {name = "key-value, 100,000", operations = 100000, clients = 50, keys = 500},
}

print(("the worst of %d seeds; the floor of the first is 2 s"):format(SEEDS))
print(("%-32s%10s%8s%6s%10s%12s%12s%10s"):format("history", "operations", "clients", "keys",
  "seconds", "steps", "steps/s", "with core"))
for _, case in ipairs(cases) do
  case.model, case.lost_per_mille = case.model or "kv", case.lost or 0
  local worst, worst_core
  for seed = 1, SEEDS do
    local events = history(case, seed)
    collectgarbage()
    local begin = os.clock()
    local result = check.run(events, {model = case.model, core = false})
    local seconds = os.clock() - begin
    assert(result.verdict == (case.is_bad and "not_linearizable" or "linearizable"), result.verdict)
    begin = os.clock()
    check.run(events, {model = case.model})
    local with_core = os.clock() - begin
    if not worst or seconds > worst.seconds then
      worst = {seconds = seconds, steps = result.steps}
    end
    worst_core = math.max(worst_core or 0, with_core)
  end
  print(("%-32s%10d%8d%6d%10.3f%12d%12.0f%10.3f"):format(case.name, case.operations, case.clients,
    case.keys, worst.seconds, worst.steps, worst.steps / worst.seconds, worst_core))
end
