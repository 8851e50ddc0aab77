-- Making things small by trial: `fails` is asked whether what is left fails as all did.

local M = {}

-- The list without the elements first..last.
local function without(list, first, last)
  local rest = table.move(list, 1, first - 1, 1, {})
  return table.move(list, last + 1, #list, first, rest)
end

---A part of a list that fails, from which no single element can be taken. All is taken away first,
---then halves, quarters and so on, at last single elements as long as one can go.
---@param list any[] which fails
---@param fails fun(list: any[]): boolean
---@return any[] part
function M.minimize(list, fails)
  local size = #list
  while size >= 1 and #list > 0 do
    local i, has_shrunk = 1, false
    while i <= #list do
      local rest = without(list, i, math.min(i + size - 1, #list))
      if fails(rest) then
        list, has_shrunk = rest, true
      else
        i = i + size
      end
    end
    if size > 1 then
      size = (size + 1) // 2
    elseif not has_shrunk then
      break
    end
  end
  return list
end

---The least number found that fails, by halves, when `high` does.
---@param low integer
---@param high integer
---@param fails fun(n: integer): boolean
---@return integer
function M.least(low, high, fails)
  if low < high and fails(low) then return low end
  while low + 1 < high do
    local middle = (low + high) // 2
    if fails(middle) then high = middle else low = middle end
  end
  return high
end

return M
