-- Histories for the checker: written by hand in few words, and drawn at random; and a checker that
-- tries every order, slow and plain, to compare with.

local check = require "jangada.check"

local histories = {}

-- What a word of a history means: 7, nil, true, "x" without quotes, [1,2] as 1,2.
local function value_of(word)
  if word == "" then return nil end
  if word == "nil" then return check.null end
  if word == "true" or word == "false" then return word == "true" end
  if word == "[]" then return {} end
  if word:find(",", 1, true) then
    local array = {}
    for part in word:gmatch("[^,]+") do array[#array + 1] = value_of(part) end
    return array
  end
  return math.tointeger(tonumber(word)) or tonumber(word) or word
end

--- Events of lines like "1 invoke write 3": process, type, f, value, and a key as "@x".
---@param text string
---@return table[]
function histories.parse(text)
  local events = {}
  for line in text:gmatch("[^\n;]+") do
    local process, kind, f, rest = line:match("^%s*(%S+) (%a+) ?(%S*) ?(.-)%s*$")
    if process then
      local key = rest:match("@(%S+)")
      local value = rest:gsub("%s*@%S+", "")
      events[#events + 1] = { process = math.tointeger(tonumber(process)) or process, type = kind,
        f = f ~= "" and f or nil, key = key, value = value_of(value) }
    end
  end
  return events
end

-- What the clients of each model ask for, at random.
local asks = {
  ["register"] = function(random)
    if random(2) == 1 then return "read" end
    return "write", random(3)
  end,
  ["cas-register"] = function(random)
    local n = random(3)
    if n == 1 then return "read" elseif n == 2 then return "write", random(3) end
    return "cas", { random(3), random(3) }
  end,
  ["kv"] = function(random)
    local n = random(7)
    if n <= 2 then return "get" elseif n == 3 then return "put", "p" .. random(2) end
    if n <= 5 then return "append", ("abc"):sub(random(3)):sub(1, 1) end
    if n == 6 then return "cas", { "p1", "p2" } end
    return "delete"
  end,
  ["list"] = function(random)
    if random(2) == 1 then return "read" end
    return "append", random(4)
  end,
  ["mutex"] = function(random) return random(2) == 1 and "acquire" or "release" end,
  ["queue"] = function(random)
    if random(2) == 1 then return "dequeue" end
    return "enqueue", random(3)
  end,
}

-- What it is answered, were it done now: {held=} is what there is.
local does = {
  read = function(thing)
    local held = thing.held
    return type(held) == "table" and table.move(held, 1, #held, 1, {}) or held
  end,
  get = function(thing) return thing.held end,
  write = function(thing, value) thing.held = value return value end,
  put = function(thing, value) thing.held = value return value end,
  delete = function(thing) thing.held = nil end,
  append = function(thing, value)
    if type(value) == "string" then
      thing.held = (thing.held or "") .. value
    else
      thing.held = thing.held or {}
      table.insert(thing.held, value)
    end
    return value
  end,
  cas = function(thing, value)
    if thing.held ~= value[1] then return false end
    thing.held = value[2]
    return value
  end,
  acquire = function(thing) thing.held = true end,
  release = function(thing) thing.held = false end,
  enqueue = function(thing, value)
    thing.held = thing.held or {}
    table.insert(thing.held, value)
    return value
  end,
  dequeue = function(thing) return thing.held and table.remove(thing.held, 1) end,
}

-- A wrong answer: some value.
local wrong = {
  read = function(random, model)
    if model ~= "list" then return random(4) > 1 and random(3) or nil end
    local list = {}
    for i = 1, random(3) - 1 do list[i] = random(4) end
    return list
  end,
  get = function(random) return ({ "", "p1", "p2", "a", "b", "ab", "p1a", "ba" })[random(8)] end,
  dequeue = function(random) return random(4) > 1 and random(3) or nil end,
  cas = function(random, _, input) return random(2) == 1 and input or false end,
}

-- Done when it is asked for or when it is answered, and now and then answered wrong.
local function answer(random, model, thing, operation)
  if not operation.is_done then operation.result = does[operation.f](thing, operation.value) end
  if random(8) == 1 and wrong[operation.f] then
    return wrong[operation.f](random, model, operation.value)
  end
  return operation.result
end

local function begin(random, model, thing)
  local f, value = asks[model](random)
  local operation = { f = f, value = value, is_done = random(2) == 1 }
  if operation.is_done then operation.result = does[f](thing, value) end
  return operation
end

--- A history at random: of few operations, so that some have an order and some have none.
---@param random fun(n: integer): integer 1..n
---@param model string
---@param count integer of operations, at most
---@return table[] events
function histories.random(random, model, count)
  local events, open, processes, fresh, asked, thing = {}, {}, { 1, 2, 3 }, 3, 0, {}
  while asked < count or next(open) do
    local at = random(3)
    local process = processes[at]
    local operation = open[process]
    if operation then
      local n = random(12)
      local kind = n == 1 and "info" or n == 2 and "fail" or "ok"
      local value = operation.value
      if kind == "ok" then value = answer(random, model, thing, operation) end
      events[#events + 1] = { process = process, type = kind, f = operation.f, value = value }
      open[process] = nil
      if kind == "info" then
        fresh = fresh + 1
        processes[at] = fresh
      end
    elseif asked < count then
      operation = begin(random, model, thing)
      open[process] = operation
      events[#events + 1] = { process = process, type = "invoke", f = operation.f,
        value = operation.value }
      asked = asked + 1
    elseif random(4) == 1 then
      break -- the rest stays open
    end
  end
  return events
end

-- Tries every order, without any memory.
local function try(operations, placed, model, state)
  local deadline = math.huge
  for _, operation in ipairs(operations) do
    if operation.returned and not placed[operation] then
      deadline = math.min(deadline, operation.returned)
    end
  end
  if deadline == math.huge then return true end
  for _, operation in ipairs(operations) do
    if not placed[operation] and operation.invoked < deadline then
      local legal, after = model.step(state, operation)
      if legal then
        placed[operation] = true
        if try(operations, placed, model, after) then return true end
        placed[operation] = nil
      end
    end
  end
  return false
end

--- Whether there is an order of prepared operations.
---@param operations jangada.check.Operation[]
---@param model jangada.check.Model
---@param initial any
---@return boolean
function histories.has_order(operations, model, initial)
  return try(operations, {}, model, model.init(initial))
end

--- Whether every subset of some of them, with all the rest, has no order.
---@param operations jangada.check.Operation[]
---@param optional jangada.check.Operation[]
---@param model jangada.check.Model
---@return boolean
function histories.is_bad_without_any(operations, optional, model)
  for bits = 0, (1 << #optional) - 1 do
    local out, kept = {}, {}
    for i, operation in ipairs(optional) do out[operation] = bits >> (i - 1) & 1 == 1 end
    for _, operation in ipairs(operations) do
      if not out[operation] then kept[#kept + 1] = operation end
    end
    if histories.has_order(kept, model) then return false end
  end
  return true
end

return histories
