--- How `save` writes snapshots, compaction, the applied index and stable values, together with
--- anything else it is given: first a plan that breaks no rule, then all of it in one transaction.

local format = require "jangada.log.format"
local loading = require "jangada.log.loading"
local rules = require "jangada.log.rules"
local sweeping = require "jangada.log.sweeping"
local writing = require "jangada.log.writing"

local position_at, term_at = writing.position_at, writing.term_at

local planning = {}

---@class jangada.log.Plan what a save does
---@field term integer
---@field vote string|nil
---@field commit integer
---@field applied integer
---@field snapshot jangada.log.Snapshot|nil the new one
---@field writer table|nil what has written its chunks
---@field replaces boolean the snapshot takes the place of the whole log
---@field last integer the last index once it is done
---@field base integer the index before the first entry
---@field base_term integer
---@field base_position integer
---@field first integer where entries begin
---@field entries table[]|nil
---@field values string|nil
---@field before integer position before the entries
---@field after integer|nil position after them

local function is_held(now, index, term)
  return index <= now.last and term_at(now, index) == term
end

-- 7: what the log holds up to the snapshot's last entry stays; if it does not hold that entry, the
-- snapshot takes the place of all of it.
local function plan_snapshot(tx, self, now, fields, plan)
  local given, first = fields.snapshot, fields.first
  if type(given) == "table" and given.is_writer then
    plan.writer = given
    require("jangada.log.snapshots").check_writer(tx, self, given)
  else
    rules.check_snapshot_fields(given)
    rules.check_size(given.size, 0)
  end
  local index, term = given.index, given.term
  rules.check_snapshot(now, given, plan.term)
  plan.replaces = not is_held(now, index, term)
  if plan.replaces then
    local committed = math.max(now.commit, self.noted)
    rules.check_install(now, given, first, committed, index <= now.last and term_at(now, index),
      term_at(now, committed))
    plan.last = index
  elseif first and not fields.entries then
    rules.check_beginning(given, first)
  end
  local position = plan.replaces and (given.position or 0) or position_at(self, now, index)
  plan.snapshot = { index = index, term = term, position = position, info = given.info or "",
    id = 0, size = 0, chunks = 0 }
  if plan.replaces or first and not fields.entries then plan.base = index end
end

local function plan_entries(self, now, fields, plan)
  local entries, snapshot = fields.entries, plan.snapshot
  local committed = math.max(now.commit, self.noted, snapshot and snapshot.index or 0)
  local first = rules.first_index(plan.last, committed, fields.first)
  local term_before
  if plan.replaces then -- then they begin behind the snapshot
    plan.before, term_before = snapshot.position, snapshot.term
  else
    plan.before, term_before = position_at(self, now, first - 1), term_at(now, first - 1)
  end
  if #entries > 0 then
    plan.values, plan.after = writing.pack(entries, first, plan.before, term_before, plan.term)
  end
  plan.first, plan.entries, plan.last = first, entries, first + #entries - 1
end

-- Where the log begins.
local function plan_base(self, now, fields, plan)
  local snapshot = plan.snapshot
  rules.check_compact(fields.compact, snapshot or now.snapshot)
  plan.base = math.max(plan.base, fields.compact or 0)
  if snapshot and plan.base == snapshot.index then
    plan.base_term, plan.base_position = snapshot.term, snapshot.position
  else
    plan.base_term, plan.base_position = term_at(now, plan.base), position_at(self, now, plan.base)
  end
end

local function make_plan(tx, self, now, fields)
  local plan = { replaces = false, last = now.last, base = now.first - 1 }
  rules.check_types(fields.vote, fields.entries, not fields.snapshot and fields.first or nil)
  rules.check_stable(fields.stable)
  plan.term, plan.vote = rules.hard_state(now, fields.term, fields.vote)
  if fields.snapshot ~= nil then plan_snapshot(tx, self, now, fields, plan) end
  if fields.entries then plan_entries(self, now, fields, plan) end
  plan.commit = rules.commit_index(now, fields.commit, plan.last)
  local committed = math.max(plan.commit, self.noted)
  if plan.snapshot then rules.check_covered(plan.snapshot, committed) end
  plan_base(self, now, fields, plan)
  plan.applied = rules.applied_index(now, fields.applied, committed)
  -- What is noted as committed is saved with what depends on it.
  plan.commit = math.max(plan.commit, plan.applied, plan.snapshot and plan.snapshot.index or 0)
  return plan
end

local function write_snapshot(tx, meta, now, plan)
  local snapshot = plan.snapshot
  if plan.writer then
    local writer = plan.writer
    require("jangada.log.snapshots").finish(tx, meta, writer)
    snapshot.id, snapshot.size, snapshot.chunks = writer.id, writer.size, writer.chunks
  elseif now.snapshot and now.snapshot.id == meta:sequence() then
    meta:next_sequence() -- so that its chunks are nobody's
  end
  writing.put(meta, "snapshot", format.encode_snapshot(snapshot))
  now.snapshot, now.is_swept = snapshot, false
end

local function write_stable(meta, stable)
  for key, value in pairs(stable) do
    key = format.stable_key(key)
    if value then writing.put(meta, key, value) else meta:delete(key) end
  end
end

local function execute(tx, self, now, plan, stable)
  tx:on_rollback(self.forget)
  self.now = nil -- until all is written
  local meta, parent = loading.ensure_meta(tx, self)
  local bucket = now.is_made and parent:bucket(self.name)
  if plan.snapshot then write_snapshot(tx, meta, now, plan) end
  if plan.replaces then
    writing.restart(bucket or nil, meta, now, plan.base, plan.base_position)
  elseif plan.base >= now.first then
    writing.trim(meta, now, plan.base + 1)
  end
  if plan.base >= now.first then
    writing.put_base(meta, now, plan.base, plan.base_term, plan.base_position)
  end
  if plan.entries then
    bucket = bucket or parent:ensure_bucket(self.name, writing.INTEGER_KEYS)
    if plan.first <= now.last then writing.cut(bucket, meta, now, plan.first, plan.before) end
    if plan.values then
      writing.append(bucket, meta, now, plan.entries, plan.values, plan.after)
    end
  end
  if stable then write_stable(meta, stable) end
  writing.put_hard_state(meta, now, plan.term, plan.vote, plan.commit, plan.applied)
  now.is_made = true
  if not now.is_swept then sweeping.step(parent, self, now, sweeping.COUNT_OF_COMPACTION) end
  if not self.is_shared then self.now = now end
end

local function save_in(tx, self, fields)
  local now = loading.known_in(tx, self)
  execute(tx, self, now, make_plan(tx, self, now, fields), fields.stable)
end

--- Does what `save` does.
---@param self jangada.Log
---@param fields table whose names are known
function planning.save(self, fields)
  loading.write(self, save_in, fields)
end

return planning
