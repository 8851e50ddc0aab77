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

return List
