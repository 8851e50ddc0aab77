-- The steps by which a failing run becomes smaller. Each takes a shrinker (jangada.lab.shrink) and
-- proposes edits to it.
--
-- A run hangs on small things: with a message less, timers and messages fall otherwise, and it does
-- not fail. So after a first round, in which what has no part in it goes, all that the seed has
-- decided is said by name: what each node draws, how long each message takes, who is struck. From
-- then on a proposal changes what it names and nothing else; and what is named goes again, where it
-- can. What one step takes away often makes room for another: they are gone through until none
-- finds anything.

local capture = require "jangada.lab.shrink.capture"
local lists = require "jangada.lab.shrink.lists"
local plans = require "jangada.lab.shrink.plans"
local stories = require "jangada.lab.story"

local M = {}

local ROUNDS_MAX <const> = 10
local SEEDS_MAX <const> = 400       -- that a search looks at
local SEARCH_SHARE <const> = 0.2    -- of the whole time, at most, for one search
local MESSAGES_FEW <const> = 40     -- delivered: a run of so many is read as it is
local NODES_MIN <const> = 3         -- of what a run fails to do: fewer could not be expected to
local OPERATIONS_MAX <const> = 1 << 14
local FIRST_SHARE <const> = 0.2     -- of the whole time, before all is said by name
local SLACK <const> = 1.3           -- how much longer a simpler run may take
local CALM_MS <const> = {5, 1, 2, 10, 20, 50, 100}
local ROUND_MS <const> = {100, 50, 10, 5}

local function longer(self)
  local duration_ms = self.edit.duration_ms
  return duration_ms and math.ceil(duration_ms * SLACK)
end

local function is_shorter(self)
  local time_us = self.outcome.time_us
  return function(outcome) return outcome.time_us < time_us end
end

---------------------------------------------------------------------------------------------------
-- Nodes

-- Of four nodes three are a majority, as of five: so two go at once, if one alone cannot.
local function fewer_nodes(self)
  local function try(edit)
    return self:try(self:with{nodes = edit.nodes, faults = edit.faults, network = edit.network,
      draws = edit.draws, duration_ms = longer(self)})
  end
  local function one_less(edit)
    for gone = edit.nodes, 1, -1 do
      if try(plans.without_node(edit, gone)) then return true end
    end
    return false
  end
  local function two_less(edit)
    for gone = edit.nodes, 2, -1 do
      local less = plans.without_node(edit, gone)
      for other = gone - 1, 1, -1 do
        if try(plans.without_node(less, other)) then return true end
      end
    end
    return false
  end
  local least = self.is_safety and 1 or NODES_MIN
  while self.edit.nodes > least + 1 and (two_less(self.edit) or one_less(self.edit)) do end
  while self.edit.nodes > least and one_less(self.edit) do end
end

---------------------------------------------------------------------------------------------------
-- Time

local function no_script(self)
  if not self.has_script or not self.is_safety then return end
  self:try(self:with{script = false, duration_ms = self.outcome.time_us // 1000 + 1})
end

-- What only the end of a run shows needs not come so late.
local function earlier_end(self)
  local duration_ms = self.edit.duration_ms
  if not duration_ms or self.outcome.time_us < duration_ms * 1000 then return end
  lists.least(0, math.ceil(duration_ms), function(ms)
    return self:try(self:with{duration_ms = ms})
  end)
end

local function gap_before(self, i)
  local plan = self.edit.faults
  return plan[i].at_ms - (i > 1 and plan[i - 1].at_ms or 0)
end

-- Takes time out between one fault and the next.
local function earlier_faults(self)
  for i = 1, #self.edit.faults do
    local by_ms = gap_before(self, i)
    while by_ms >= 10 do
      local edit = self:with{faults = plans.earlier(self.edit.faults, i, by_ms)}
      if not self:try(edit, is_shorter(self)) then by_ms = by_ms // 2 end
      by_ms = math.min(by_ms, gap_before(self, i))
    end
  end
end

local function shorter_faults(self)
  for i = 1, #self.edit.faults do
    local for_ms = self.edit.faults[i].for_ms
    while for_ms and for_ms > 10 do
      for_ms = for_ms // 2
      local edit = self:with{faults = plans.with(self.edit.faults, i, {for_ms = for_ms})}
      if not self:try(edit, is_shorter(self)) then break end
    end
  end
end

-- A timer that comes up sooner.
local function smaller_draws(self)
  if not self.edit.draws then return end
  local list = capture.draw_list(self.edit.draws)
  for i, draw in ipairs(list) do
    for _, way in ipairs{0, draw.way // 2} do
      if way < draw.way then
        local copy = table.move(list, 1, #list, 1, {})
        copy[i] = {id = draw.id, number = draw.number, way = way}
        if self:try(self:with{draws = capture.draws(copy, self.edit.draws.usual)},
          is_shorter(self)) then
          list = copy
          break
        end
      end
    end
  end
end

local function shorter(self)
  no_script(self)
  earlier_end(self)
  earlier_faults(self)
  shorter_faults(self)
  smaller_draws(self)
end

---------------------------------------------------------------------------------------------------
-- Faults and requests

local function fewer_faults(self)
  lists.minimize(self.edit.faults, function(plan)
    return self:try(self:with{faults = plan, duration_ms = longer(self)})
  end)
  for i = 1, #self.edit.faults do -- what lasts has one end less
    if self.edit.faults[i].for_ms then
      self:try(self:with{faults = plans.with(self.edit.faults, i, {for_ms = false})})
    end
  end
end

-- The least value of an option that will do, from what is known to be enough.
local function least(self, name, enough)
  local function try(n)
    return self:try(self:with{[name] = n, duration_ms = longer(self)})
  end
  local most = self.edit[name] or enough
  if not self.edit[name] and not try(most) then return end
  lists.least(0, math.min(most, enough), try)
  while self.edit[name] > 0 and try(self.edit[name] - 1) do end
end

local function fewer_requests(self)
  if not self.is_safety or self.outcome.requests == 0 then return end
  least(self, "operations_max", OPERATIONS_MAX)
  least(self, "requests_max", self.outcome.requests)
end

---------------------------------------------------------------------------------------------------
-- Messages and draws

local function is_calm(self)
  local network = self.edit.network
  return network.delay_ms and network.delay_ms[1] == "constant" and not network.fates
    and (network.loss or 0) == 0 and #plans.without_messages(self.edit.faults) == #self.edit.faults
end

local function all_calm(self)
  if is_calm(self) then return end
  for _, ms in ipairs(CALM_MS) do
    if self:try(self:with{network = capture.network(ms, {}), duration_ms = longer(self),
      faults = plans.without_messages(self.edit.faults)}) then return end
  end
end

-- The delay that most messages of a run come near to.
local function usual_ms(list)
  local delays = {}
  for _, fate in ipairs(list) do delays[#delays + 1] = fate.delays_us[1] end
  table.sort(delays)
  local median_ms = (delays[#delays // 2 + 1] or 5000) / 1000
  local best = CALM_MS[1]
  for _, ms in ipairs(CALM_MS) do
    if math.abs(ms - median_ms) < math.abs(best - median_ms) then best = ms end
  end
  return best
end

-- Says all by name that the seed has decided: the same run.
local function name_all(self)
  local seen = capture.new()
  if not self:observe(function(event, world) seen:observe(event, world) end) then return end
  local calm_ms = self.calm_ms or usual_ms(seen.fates)
  local plan = {}
  for _, fault in ipairs(plans.without_messages(self.edit.faults)) do
    plan[#plan + 1] = seen.faults[fault] -- nothing, if the run was over before it
  end
  if self:try(self:with{network = capture.network(calm_ms, seen.fates), faults = plan,
    draws = capture.draws(seen.draws)}) then
    self.calm_ms = calm_ms
  end
end

local function fewer_fates(self)
  local network = self.edit.network
  local calm_ms, is_lossy = network.delay_ms[2], network.loss == 1
  lists.minimize(capture.fate_list(network), function(list)
    return self:try(self:with{network = capture.network(calm_ms, list, is_lossy),
      duration_ms = longer(self)})
  end)
end

-- Delays become the usual one, where they can.
local function usual_fates(self)
  local network = self.edit.network
  local calm_ms, is_lossy = network.delay_ms[2], network.loss == 1
  local list, calm_us = capture.fate_list(network), math.floor(calm_ms * 1000)
  local odd = {}
  for _, fate in ipairs(list) do
    if #fate.delays_us == 1 and fate.delays_us[1] ~= calm_us then odd[#odd + 1] = fate end
  end
  lists.minimize(odd, function(rest)
    local is_odd, fates = {}, {}
    for _, fate in ipairs(rest) do is_odd[fate] = true end
    for i, fate in ipairs(list) do
      fates[i] = (is_odd[fate] or #fate.delays_us ~= 1) and fate
        or {from = fate.from, to = fate.to, number = fate.number, delays_us = {calm_us}}
    end
    return self:try(self:with{network = capture.network(calm_ms, fates, is_lossy),
      duration_ms = longer(self)})
  end)
end

-- All messages are lost but those that arrive; and of these those that are not needed. The story of
-- the run knows most of them at once.
local function fewer_messages(self)
  local seen, story = capture.new(), stories.new()
  if not self:observe(function(event, world)
    seen:observe(event, world)
    story:observe(event)
  end) then return end
  local calm_ms, needed = usual_ms(seen.fates), {}
  for _, message in ipairs(story:messages()) do needed[#needed + 1] = seen.of_message[message] end
  for _, fates in ipairs{needed, seen.fates} do
    if self:try(self:with{network = capture.network(calm_ms, fates, true),
      draws = capture.draws(seen.draws), duration_ms = longer(self)}) then
      return fewer_fates(self)
    end
  end
end

local function fewer_draws(self)
  local free = self:with{}
  free.draws = nil
  if self:try(free) then return end
  local draws, usual = capture.draw_list(self.edit.draws), self.edit.draws.usual
  for _, share in ipairs(usual and {usual} or {1, 0.5}) do
    if usual or self:try(self:with{draws = capture.draws(draws, share)}) then
      lists.minimize(draws, function(list)
        return self:try(self:with{draws = capture.draws(list, share), duration_ms = longer(self)})
      end)
      return
    end
  end
end

local function calmer(self)
  local network = self.edit.network
  if not self.is_safety then
    all_calm(self)
  elseif network.fates and network.delay_ms and network.delay_ms[1] == "constant" then
    fewer_fates(self)
    if network.loss == 1 then usual_fates(self) end
  end
  if self.edit.draws then fewer_draws(self) end
end

-- Another seed, if it takes fewer messages.
local function other_seeds(self)
  local limit_s, sent = self:share(SEARCH_SHARE), self.outcome.sent
  for seed = 1, SEEDS_MAX do
    if not self:has_time(limit_s) then return end
    if self:try(self:with{seed = seed}, function(outcome) return outcome.sent < 0.8 * sent end) then
      return
    end
  end
end

---------------------------------------------------------------------------------------------------
-- In the end

local function rounder(self)
  for i = 1, #self.edit.faults do
    for _, name in ipairs{"at_ms", "for_ms"} do
      for _, unit in ipairs(ROUND_MS) do
        local ms = self.edit.faults[i][name]
        if not ms or ms % unit == 0 then break end
        local round = math.tointeger((ms + unit / 2) // unit * unit)
        if self:try(self:with{faults = plans.with(self.edit.faults, i, {[name] = round}),
          duration_ms = longer(self)}) then break end
      end
    end
  end
end

local STEPS <const> = {
  ["fewer nodes"] = fewer_nodes, ["shorter"] = shorter, ["fewer faults"] = fewer_faults,
  ["fewer requests"] = fewer_requests, ["calm"] = all_calm, ["calmer messages"] = calmer,
  ["fewer messages"] = fewer_messages, ["all by name"] = name_all, ["another seed"] = other_seeds,
  ["rounder times"] = rounder,
}

-- Numbers of what is to get smaller: a round that changes none of them was the last.
local function size_of(self)
  local edit = self.edit
  return ("%d %d %d %d %d %d %s"):format(edit.nodes, self.outcome.time_us, #edit.faults,
    self.outcome.requests, #capture.fate_list(edit.network), #capture.draw_list(edit.draws),
    tostring(self.has_script))
end

local function go_through(self, steps)
  for _, name in ipairs(steps) do
    self.step = name
    STEPS[name](self)
  end
end

local ALL <const> = {"fewer nodes", "shorter", "fewer faults", "fewer requests", "calmer messages"}

---Goes through all steps until nothing gets smaller, or the shrinker has no more time.
---@param self table
function M.run(self)
  self.phase_s = self:share(FIRST_SHARE)
  go_through(self, {"fewer faults", "fewer requests"})
  self.phase_s = math.huge
  if not self.is_safety then
    go_through(self, {"another seed"})
  else
    go_through(self, {"all by name", "fewer nodes", "calm"})
    if self.outcome.delivered > MESSAGES_FEW then go_through(self, {"fewer messages"}) end
  end
  for _ = 1, ROUNDS_MAX do
    local before = size_of(self)
    go_through(self, ALL)
    if size_of(self) == before then break end
  end
  go_through(self, {"rounder times"})
end

return M
