--- A state machine that appends: each command is an item, its answer the item's position. Items are
--- read by their position, and "length" is how many there are.

---@class jangada.raft.List
---@field items string[]
local List = {}
List.__index = List

---@return jangada.raft.List
function List.new()
  return setmetatable({ items = {} }, List)
end

--- Applies a command.
---@param item string
---@return integer position
function List:apply(item)
  local position = #self.items + 1
  self.items[position] = item
  return position
end

--- Answers a query.
---@param query string a position, or "length"
---@return string|integer|boolean|nil answer false if there is no such item; nil if it is no query
function List:query(query)
  if query == "length" then return #self.items end
  if not query:find("^%d+$") then return nil end
  return self.items[tonumber(query)] or false
end

local PART_BYTES <const> = 16 * 1024

--- The state at this moment, for a snapshot. What is appended later is not in it.
---@return fun(): string|nil part the next one; nil after the last
function List:snapshot()
  local items, count, i = self.items, #self.items, 0
  return function()
    local pieces, bytes = {}, 0
    while i < count and bytes < PART_BYTES do
      i = i + 1
      pieces[#pieces + 1], bytes = string.pack(">s4", items[i]), bytes + #items[i] + 4
    end
    return pieces[1] and table.concat(pieces)
  end
end

--- Makes the state that of a snapshot.
---@param parts fun(): string|nil
function List:restore(parts)
  local items = {}
  for part in parts do
    local at = 1
    while at <= #part do
      items[#items + 1], at = string.unpack(">s4", part, at)
    end
  end
  self.items = items
end

return List
