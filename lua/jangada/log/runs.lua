--- The term runs of a log: which term begins at which index.
--
-- Terms never fall along a log (section 5.3), so they form runs, few even in a long log: one for
-- each leader that wrote to it. Two arrays say everything about the terms of all entries,
--
--     index   1 2 3 4 5 6 7 8 9
--     term    1 1 1 4 4 5 5 6 6      terms  = {1, 4, 5, 6}
--                                    firsts = {1, 4, 6, 8}
--
-- and answer every question about them without reading an entry.

---@class jangada.log.Runs
---@field terms integer[] ascending
---@field firsts integer[] ascending; firsts[k] is the index of the first entry of terms[k]
---@field count integer
local runs = {}

---@return jangada.log.Runs
function runs.new()
  return { terms = {}, firsts = {}, count = 0 }
end

--- The run that holds an index, or 0 if the index lies before all of them. Looks from the end,
--- where most questions are, and goes on by halving.
---@param self jangada.log.Runs
---@param index integer
---@return integer k
function runs.find(self, index)
  local firsts, high = self.firsts, self.count
  if high == 0 or index >= firsts[high] then return high end
  local low = 0 -- firsts[low] <= index < firsts[high], taking firsts[0] for -infinity
  while high - low > 1 do
    local middle = (low + high) // 2
    if firsts[middle] <= index then low = middle else high = middle end
  end
  return low
end

-- The last run whose term is not above `term`, or 0.
local function find_term(self, term)
  local terms, low, high = self.terms, 0, self.count + 1
  while high - low > 1 do
    local middle = (low + high) // 2
    if terms[middle] <= term then low = middle else high = middle end
  end
  return low
end

--- The index of the first entry of a term, or nil if no entry has it.
---@param self jangada.log.Runs
---@param term integer
---@return integer|nil
function runs.first_of_term(self, term)
  local k = find_term(self, term)
  if k > 0 and self.terms[k] == term then return self.firsts[k] end
  return nil
end

--- Notes an entry written at the end.
---@param self jangada.log.Runs
---@param index integer one past the last
---@param term integer not below the last
---@return boolean is_new whether a run begins with it
function runs.append(self, index, term)
  local count = self.count
  if count > 0 and self.terms[count] == term then return false end
  self.count = count + 1
  self.terms[count + 1], self.firsts[count + 1] = term, index
  return true
end

--- Forgets the last run if it begins at or after an index, for a truncation.
---@param self jangada.log.Runs
---@param index integer the first index to go
---@return integer|nil term the term of the forgotten run; nil when there is none (left) to forget
function runs.cut(self, index)
  local count = self.count
  if count == 0 or self.firsts[count] < index then return nil end
  local term = self.terms[count]
  self.terms[count], self.firsts[count], self.count = nil, nil, count - 1
  return term
end

--- Drops what lies before an index, for a compaction.
---@param self jangada.log.Runs
---@param first integer the first index to stay
---@param last integer the last index of the log; below `first` when none stays
---@return integer[] dropped the terms of the runs that are gone
---@return boolean is_moved whether the run of `first` has begun before it, and begins there now
function runs.trim(self, first, last)
  local terms, firsts, count = self.terms, self.firsts, self.count
  local gone = first > last and count or runs.find(self, first) - 1
  self.terms = table.move(terms, gone + 1, count, 1, {})
  self.firsts = table.move(firsts, gone + 1, count, 1, {})
  self.count = count - gone
  local is_moved = self.count > 0 and self.firsts[1] < first
  if is_moved then self.firsts[1] = first end
  return table.move(terms, 1, gone, 1, {}), is_moved
end

--- The last place up to `index` where a log that has `term` at `index` can agree with this one:
--- the largest i <= index whose term here is not above `term` (section 5.3, the optimisation in
--- its last paragraphs). Skips all runs in between at once.
---@param self jangada.log.Runs
---@param index integer not past the last entry
---@param term integer
---@return integer index 0 if nowhere
---@return integer term the term here at that index, 0 if nowhere
function runs.conflict(self, index, term)
  local at = runs.find(self, index)
  local k = math.min(at, find_term(self, term))
  if k == 0 then return 0, 0 end
  if k < at then index = self.firsts[k + 1] - 1 end
  return index, self.terms[k]
end

return runs
