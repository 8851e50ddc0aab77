-- Runs `jangada lab` as a user does, on scenarios given as text.

local db_command = require "spec.support.db_command"
local json_reader = require "jangada.cli.json_reader"
local process = require "spec.support.process"

local command = { read = db_command.read, lines = db_command.lines, directory = process.directory,
  write = process.write }

--- Runs `jangada lab` with arguments.
---@param arguments string[]
---@param shell? string what follows the command
---@return integer exit code
---@return string output
---@return string messages
function command.run(arguments, shell)
  return db_command.run(arguments, { subcommand = "lab", shell = shell })
end

--- Runs it and expects an exit code.
---@param expected integer
---@param arguments string[]
---@return string output
---@return string messages
function command.must(expected, arguments)
  local code, output, messages = command.run(arguments)
  assert(code == expected, ("exit code %s of %s\n%s%s"):format(code,
    table.concat(arguments, " "), output, messages))
  return output, messages
end

--- The file of a scenario in a new directory.
---@param text string
---@param name? string
---@return string path
---@return string directory
function command.scenario(text, name)
  local directory = process.directory()
  local path = ("%s/%s"):format(directory, name or "scenario.lua")
  process.write(path, text)
  return path, directory
end

--- The lines of a file of JSON objects.
---@param path string
---@return table[]
function command.objects(path)
  local objects = {}
  for i, line in ipairs(command.lines(command.read(path))) do
    objects[i] = json_reader.decode(line, i)
  end
  return objects
end

--- A scenario of one node that ticks each millisecond; `body` runs at each tick with `node`, its
--- `state.count`, and `seed`, the number that the scenario drew from the seed: 0..99.
---@param body string
---@param options? string further fields of the scenario
---@return string text
function command.ticking(body, options)
  return ([=[
    return function(chance)
      local drawn = chance:between(0, 99)
      return {nodes = 1, duration_ms = 20, options = {drawn = drawn}, %s
        protocol = {name = "ticker", source = [==[
          return function(node, options)
            local drawn = options.drawn
            node.state = {count = 0}
            node:every(1, function()
              node.state.count = node.state.count + 1
              %s
            end)
          end
        ]==]}}
    end]=]):format(options or "", body)
end

return command
