--- Reads arguments of the command line that are no plain words.

local arguments = {}

--- What reads an integer, for argparse's `convert`: it gives nil and a message for what is none.
---@param option string that the message names
---@return fun(text: string): integer|nil, string|nil
function arguments.integer(option)
  return function(text)
    local value = math.tointeger(tonumber(text))
    if value == nil then return nil, ("%s takes an integer, not '%s'"):format(option, text) end
    return value
  end
end

return arguments
