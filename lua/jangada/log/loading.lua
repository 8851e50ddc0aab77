--- How a log is read from its buckets when it is opened, and what must fit together in them.

local errors = require "jangada.errors"
local format = require "jangada.log.format"
local runs = require "jangada.log.runs"
local tail = require "jangada.log.tail"

local raise = errors.raise

local loading = {}

--- What holds the two buckets: the transaction or a bucket; nil if it is not there.
---@param tx table
---@param self jangada.Log
---@return table|nil
function loading.find_parent(tx, self)
  local parent = tx
  for _, name in ipairs(self.parents) do
    parent = parent:bucket(name)
    if not parent then return nil end
  end
  return parent
end

local function load_runs(meta)
  local loaded = runs.new()
  for key, value in meta:each{ prefix = "run/" } do
    runs.append(loaded, format.decode_run(format.unseal(key, value)), format.run_term(key))
  end
  return loaded
end

--- What must hold between entries and meta, whoever wrote them.
local function check_loaded(self, now, last_value)
  local count = now.runs.count
  for k = 2, count do
    if now.runs.firsts[k] <= now.runs.firsts[k - 1] then
      raise("log_damaged", "%s: term runs out of order", self.meta_name)
    end
  end
  local last_term = now.runs.terms[count] or 0
  if last_value and format.decode(now.last, last_value) ~= last_term
    or count > 0 and (now.runs.firsts[1] > now.first or now.runs.firsts[count] > now.last) then
    raise("log_damaged", "%s: term runs and entries do not fit together", self.meta_name)
  end
  if now.commit > now.last or now.term < last_term then
    raise("log_damaged", "%s: term %d, commit %d do not fit a log that ends with entry %d, term %d",
      self.meta_name, now.term, now.commit, now.last, last_term)
  end
end

--- Reads what a log holds. Raises `log_damaged`, `version_mismatch`.
---@param tx table
---@param self jangada.Log
---@return jangada.log.Now
function loading.load(tx, self)
  local now = { first = 1, last = 0, term = 0, vote = nil, commit = 0, noted = 0, is_made = false,
    runs = runs.new() }
  local parent, bucket, meta, last_value = loading.find_parent(tx, self), nil, nil, nil
  if parent then bucket, meta = parent:bucket(self.name), parent:bucket(self.meta_name) end
  if bucket then
    local cursor <close> = bucket:cursor()
    local first = cursor:first()
    if first then
      now.first = first
      now.last, last_value = cursor:last()
    end
  end
  if meta then
    local version = meta:get("format")
    version = version and format.unseal("format", version)
    if version ~= format.VERSION then
      raise("version_mismatch", "%s: the format is %q, not %q",
        self.meta_name, tostring(version), format.VERSION)
    end
    local hard = meta:get("hard")
    if hard then
      now.term, now.vote, now.commit = format.decode_hard_state(format.unseal("hard", hard))
    end
    now.runs, now.is_made = load_runs(meta), true
  elseif last_value then
    raise("log_damaged", "%s: there are entries, but no bucket %s", self.name, self.meta_name)
  end
  check_loaded(self, now, last_value)
  now.tail = tail.new(now.last)
  return now
end

return loading
