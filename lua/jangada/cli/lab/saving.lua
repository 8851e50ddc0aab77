--- Runs as scenario files (jangada.lab.shrink.file): written, and run as they stand there.

local errors = require "jangada.errors"
local file = require "jangada.lab.shrink.file"
local files = require "jangada.files"
local output = require "jangada.cli.output"
local scenarios = require "jangada.lab.scenario"
local trials = require "jangada.lab.shrink.trial"
local whole_file = require "jangada.cli.whole_file"

local saving = {}

-- What the run of a text is: its hash, or why there is none.
local function hash_of(text)
  local directory = files.make_temporary("jangada-shrunk")
  local path = directory .. "/run.lua"
  local _temporary <close> = setmetatable({}, { __close = function()
    os.remove(path)
    os.remove(directory)
  end })
  whole_file.write(path, function(write) write(text) end)
  local ok, outcome, failure = pcall(function()
    local scenario = scenarios.load(path)
    return trials.run(scenario, scenario:case())
  end)
  if ok and outcome then return outcome.hash end
  return nil, tostring(ok and failure or outcome)
end

saving.listen = file.listen

--- Writes a run as a scenario file, if what it says is that very run.
---@param path string - is standard output
---@param run table `scenario`, `base_seed`, `edit` and `outcome`, as of jangada.lab.shrink
---@param case jangada.Case of it, which was run after jangada.lab.shrink.file.listen
---@param words string[] lines for its head
---@return boolean is_alone it needs no other scenario
---Raises `input_invalid`, `io_error`.
function saving.write(path, run, case, words)
  local alone, changed = file.text(run, case, words)
  local is_alone = alone ~= nil and hash_of(alone) == run.outcome.hash
  if not is_alone then
    local hash, why = hash_of(changed)
    if hash ~= run.outcome.hash then
      errors.raise("input_invalid", "%s: written down it is another run%s",
        run.scenario.path, why and ": " .. why or "")
    end
  end
  local text = is_alone and alone or changed
  if path == "-" then
    output.check(io.stdout:write(text))
  else
    whole_file.write(path, function(write) write(text) end)
  end
  return is_alone
end

return saving
