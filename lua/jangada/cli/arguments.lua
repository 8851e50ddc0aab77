--- Reads arguments of the command line that are no plain words.

local arguments = {}

--- What reads an integer, for argparse's `convert`: it gives nil and a message for what is none.
---@param option string that the message names
---@param min? integer
---@param max? integer
---@return fun(text: string): integer|nil, string|nil
function arguments.integer(option, min, max)
  return function(text)
    local value = math.tointeger(tonumber(text))
    if value == nil then return nil, ("%s takes an integer, not '%s'"):format(option, text) end
    if min and value < min then return nil, ("%s is at least %d"):format(option, min) end
    if max and value > max then return nil, ("%s is at most %d"):format(option, max) end
    return value
  end
end

--- Adds an option that takes an integer.
---@param parser table of argparse
---@param name string with its dashes
---@param what string what it is, without a period; the default is told behind it
---@param settings {argname: string, default?: integer, min?: integer, max?: integer}
function arguments.add_integer(parser, name, what, settings)
  local default = settings.default
  local told = default and (" (default %d)"):format(default) or ""
  local option = parser:option(name, what .. told .. "."):argname(settings.argname)
    :convert(arguments.integer(name, settings.min, settings.max))
  if default then option:default(tostring(default)):show_default(false) end
end

return arguments
