--- Configurations that a search has been in: Lowe's cache.
--
-- A configuration is the set of completed operations that are placed, the set of unknown ones that
-- are, and the state. One that was searched in vain makes every other vain that has placed the same
-- completed operations, is in the same state, and has used the same unknown ones or more: that has
-- no choice which the first had not. So for each set of completed operations and state, the sets of
-- unknown ones are kept, and asked whether one is within the set at hand.
--
-- Completed operations are numbered by invocation. The words of their set are full up to a point
-- and empty from some other, a few words on: only those between are kept.

local visited = {}

local pack, unpack = string.pack, table.unpack

-- What an entry costs beside its key.
local ENTRY_BYTES <const>, SET_BYTES <const> = 80, 56

local formats = setmetatable({}, {
  __index = function(self, count)
    self[count] = "<I4I4" .. ("j"):rep(count)
    return self[count]
  end,
})

---@class jangada.check.Visited
---@field size integer bytes, about
---@field entries integer

--- A cache for searches of so many operations. Its functions are closures of the sets.
---@param completed integer how many completed operations there are
---@param unknown integer and unknown ones
---@return jangada.check.Visited with put, take, use, unuse, each of an operation's number, and
--- been(state): whether to be there is vain; if not it is from now on
function visited.new(completed, unknown)
  local words, masks = {}, {}
  for i = 1, completed // 64 + 2 do words[i] = 0 end
  for i = 1, (unknown + 63) // 64 do masks[i] = 0 end
  local stride, low, high = #masks, 1, 1
  local cache = {}
  local self = { size = 0, entries = 0 }

  function self.put(i)
    local w = (i - 1 >> 6) + 1
    words[w] = words[w] | 1 << (i - 1 & 63)
    if w > high then high = w end
    while words[low] == -1 do low = low + 1 end
    if low > high then high = low end
  end

  function self.take(i)
    local w = (i - 1 >> 6) + 1
    words[w] = words[w] & ~(1 << (i - 1 & 63))
    if w < low then low = w end
    while high > low and words[high] == 0 do high = high - 1 end
  end

  function self.use(j)
    local w = (j - 1 >> 6) + 1
    masks[w] = masks[w] | 1 << (j - 1 & 63)
  end

  function self.unuse(j)
    local w = (j - 1 >> 6) + 1
    masks[w] = masks[w] & ~(1 << (j - 1 & 63))
  end

  local function is_within(sets, at)
    for w = 1, stride do
      if sets[at + w] & ~masks[w] ~= 0 then return false end
    end
    return true
  end

  function self.been(state)
    local key
    if low == high then
      key = pack("<I4I4j", state, low, words[low])
    else
      key = pack(formats[high - low + 1], state, low, unpack(words, low, high))
    end
    local sets = cache[key]
    if stride == 0 then
      if sets then return true end
      cache[key] = true
    else
      if not sets then
        sets = {}
        cache[key] = sets
        self.size = self.size + SET_BYTES
      end
      local count = #sets
      for at = 0, count - 1, stride do
        if is_within(sets, at) then return true end
      end
      for w = 1, stride do sets[count + w] = masks[w] end
      self.size = self.size + 16 * stride
      if count > 0 then return false end
    end
    self.entries, self.size = self.entries + 1, self.size + ENTRY_BYTES + #key
    return false
  end

  return self
end

return visited
