-- Which seeds of a campaign are still to be run, and in which order: those that failed the last
-- time first.

local Queue = {}
Queue.__index = Queue
Queue.__name = "jangada.lab.Queue"

local M = {}

---Makes a queue.
---@param seeds jangada.Seeds
---@param done table<integer, boolean> those that need not be run
---@param first integer[] those that are run before all others
---@return table queue `left`: how many wait
function M.new(seeds, done, first)
  local queue = setmetatable({next = seeds:each(), left = seeds.count, done = done, ahead = {},
    is_ahead = {}}, Queue)
  for seed in pairs(done) do
    if seeds:has(seed) then queue.left = queue.left - 1 end
  end
  for _, seed in ipairs(first) do
    if seeds:has(seed) and not done[seed] and not queue.is_ahead[seed] then
      table.insert(queue.ahead, seed)
      queue.is_ahead[seed] = true
    end
  end
  return queue
end

local function next_other(self)
  local seed
  repeat seed = self.next() until not seed or not (self.done[seed] or self.is_ahead[seed])
  return seed
end

---Takes seeds: those that are to be first alone, as long as there are any.
---@param n integer how many at most
---@return integer[] seeds ascending; none when none waits
function Queue:take(n)
  local taken = {}
  while #taken < n and #self.ahead > 0 do taken[#taken + 1] = table.remove(self.ahead, 1) end
  if #taken == 0 then
    for i = 1, n do
      taken[i] = next_other(self)
      if not taken[i] then break end
    end
  end
  table.sort(taken)
  self.left = self.left - #taken
  return taken
end

---Gives seeds back that were taken and not run.
---@param seeds integer[]
function Queue:give_back(seeds)
  table.move(self.ahead, 1, #self.ahead, #seeds + 1)
  table.move(seeds, 1, #seeds, 1, self.ahead)
  for _, seed in ipairs(seeds) do self.is_ahead[seed] = true end
  self.left = self.left + #seeds
end

return M
