--- A state machine that appends: each command is an item, its answer the item's position.

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

return List
