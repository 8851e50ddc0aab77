-- What a plan of faults becomes: with fewer nodes, with other times, without faults of messages.

local M = {}

--- Faults of what happens to messages: fates of the single ones can stand for these.
M.OF_MESSAGES = {loss = true, delay = true, duplication = true, corruption = true, reorder = true,
  fifo = true, slow = true, capacity = true, clog = true}

-- The name of a node after one of them has gone, those behind it moving up: nil for that one. What
-- is no node (`leader`, a client) keeps its name.
local function renamed(which, gone)
  local number = math.type(which) == "integer" and which
    or type(which) == "string" and math.tointeger(tonumber(which:match("^n(%d+)$") or ""))
  if not number or number < gone then return which end
  if number == gone then return nil end
  return type(which) == "string" and "n" .. number - 1 or number - 1
end

local function all_renamed(value, gone)
  if type(value) ~= "table" then return renamed(value, gone) end
  local rest = {}
  for _, which in ipairs(value) do rest[#rest + 1] = all_renamed(which, gone) end
  return #rest > 0 and rest or nil
end

local NODES <const> = {"node", "other", "from", "to", "side", "order", "groups"}

-- A copy of a table in which those fields are other that name nodes; nil if one has nobody left.
local function without_node(entry, gone)
  local copy = {}
  for name, value in pairs(entry) do copy[name] = value end
  for _, name in ipairs(NODES) do
    if entry[name] ~= nil then
      copy[name] = all_renamed(entry[name], gone)
      if copy[name] == nil then return nil end
    end
  end
  return copy
end

local function list_without_node(list, gone)
  local rest = {}
  for _, entry in ipairs(list) do rest[#rest + 1] = without_node(entry, gone) end
  return rest
end

---What an edit becomes without one of its nodes, those behind it moving up.
---@param edit jangada.lab.Edit
---@param gone integer
---@return table fields
function M.without_node(edit, gone)
  local network, draws = {}, nil
  for name, value in pairs(edit.network) do network[name] = value end
  network.fates = network.fates and list_without_node(network.fates, gone)
  if edit.draws then
    draws = {}
    for id, own in pairs(edit.draws) do
      local name = renamed(id, gone)
      if name then draws[name] = own end
    end
  end
  return {nodes = edit.nodes - 1, network = network, draws = draws,
    faults = list_without_node(edit.faults, gone)}
end

---A fault with names in the place of `leader`, of a world in which it strikes now.
---@param fault table
---@param world table
---@return table fault
function M.named(fault, world)
  local function name(which)
    if type(which) == "table" then
      local names = {}
      for _, one in ipairs(which) do names[#names + 1] = name(one) end
      return names
    end
    if which ~= "leader" then return which end
    local machine = world:node("leader")
    return machine and machine.id or which
  end
  local copy = {}
  for field, value in pairs(fault) do copy[field] = value end
  for _, field in ipairs(NODES) do
    if fault[field] ~= nil then copy[field] = name(fault[field]) end
  end
  return copy
end

---A plan without the faults of messages.
---@param plan table[]
---@return table[]
function M.without_messages(plan)
  local rest = {}
  for _, fault in ipairs(plan) do
    if not M.OF_MESSAGES[fault.kind] then rest[#rest + 1] = fault end
  end
  return rest
end

---A plan with one fault changed.
---@param plan table[]
---@param i integer
---@param fields table what is other in it; false for a field that goes
---@return table[]
function M.with(plan, i, fields)
  local copy, fault = table.move(plan, 1, #plan, 1, {}), {}
  for name, value in pairs(plan[i]) do fault[name] = value end
  for name, value in pairs(fields) do fault[name] = value or nil end
  copy[i] = fault
  return copy
end

---A plan in which all faults from the i-th on begin earlier.
---@param plan table[]
---@param i integer
---@param by_ms number
---@return table[]
function M.earlier(plan, i, by_ms)
  local copy = table.move(plan, 1, #plan, 1, {})
  for j = i, #plan do copy[j] = M.with(plan, j, {at_ms = plan[j].at_ms - by_ms})[j] end
  return copy
end

return M
