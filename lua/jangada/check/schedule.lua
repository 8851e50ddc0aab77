--- Shares a budget among searches: a slice of steps each, in turn, and twice as much in each round.
--
-- One partition may be refuted after a few thousand steps while another takes billions: whoever
-- finishes one before he begins the next may never come to the first.

local schedule = {}

local SLICE <const> = 20000

---@class jangada.check.Budget
---@field steps_max integer steps of the model, of all searches together
---@field memory_max integer bytes, of all searches together, about
---@field progress? fun(done: integer, total: integer, steps: integer) called after each slice

local function give_up(part, reason)
  part.reason, part.search = reason, nil
end

-- Gives the largest search up, until what is left is within the budget.
local function make_room(open, memory_max)
  while true do
    local total, largest, size_largest = 0, nil, -1
    for _, part in ipairs(open) do
      local size = part.search and part.search:size() or 0
      total = total + size
      if size > size_largest then largest, size_largest = part, size end
    end
    if total <= memory_max then return end
    give_up(largest, "memory")
  end
end

-- Keeps what a search that has ended found, and lets go of its memory.
local function finish(part)
  part.verdict = part.search.verdict
  if part.verdict then
    part.order, part.search = part.search:order(), nil
  end
end

local function run_slice(part, slice, spent, budget)
  local before = part.search.steps
  part.search:run(math.min(slice, budget.steps_max - spent))
  part.steps = part.search.steps
  if part.search.verdict ~= nil then finish(part) end
  return spent + part.steps - before
end

--- Searches all partitions, until one has no order, all have one, or the budget is used up.
---@param parts table[] with `search`; they get steps, and: verdict, with `order` if it is true; or
--- `reason`, why there is none: "steps", "memory", or nil for one that was not looked at to the end
--- because another had no order
---@param budget jangada.check.Budget
---@return table|nil part one that has no order
---@return integer steps of all
function schedule.run(parts, budget)
  local open, spent, slice, total = {}, 0, SLICE, #parts
  for i, part in ipairs(parts) do open[i], part.steps = part, 0 end
  while #open > 0 do
    local rest = {}
    for _, part in ipairs(open) do
      if part.search then
        spent = run_slice(part, slice, spent, budget)
        if part.verdict == false then return part, spent end
        if part.verdict == nil then
          rest[#rest + 1] = part
          make_room(open, budget.memory_max)
        end
        if budget.progress then budget.progress(total - #open, total, spent) end
        if spent >= budget.steps_max then
          for _, other in ipairs(open) do
            if other.search then give_up(other, "steps") end
          end
        end
      end
    end
    open, slice = {}, slice * 2
    for _, part in ipairs(rest) do
      if part.search then open[#open + 1] = part end
    end
  end
  return nil, spent
end

return schedule
