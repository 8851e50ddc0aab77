--- Reads arguments of the command line that are no plain words.

local arguments = {}

--- An integer. For argparse's `convert`: gives nil and a message for what is none.
---@param text string
---@return integer|nil value
---@return string|nil message
function arguments.integer(text)
  local value = math.tointeger(tonumber(text))
  if value == nil then return nil, ("an integer is expected, not '%s'"):format(text) end
  return value
end

return arguments
