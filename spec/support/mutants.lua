-- Whether the lab finds the mistakes of spec/mutants, each planted into the reference Raft and run
-- under the general swarm, examples/raft_swarm.lua. None has a scenario of its own.
--
--     lua5.4 spec/support/mutants.lua [--campaigns 5] [--time 60] [--jobs 2] [--shrink 0] [NAME...]
--
-- prints a line for each mutant: how many seeds it took until the first violation (the median of
-- the campaigns, each with seeds of its own), the seconds, what was violated, and, with --shrink
-- SECONDS, the size of the shrunk run. The exit code is 0 if each campaign has killed its mutant,
-- and those that change nothing have survived.
--
-- A mutant is a file that returns a table:
--
--     name              that of the file
--     number            that of the list it comes from, M1 to M39, or "own"
--     changes           what is wrong with it, in words
--     breaks            what it violates, in words; or
--     changes_nothing   why it violates nothing, in words
--     rules             decisions to be replaced, as jangada.raft.with takes them
--     plant             function(): changes modules of the Raft, before it boots
--     node              function(node): what is given to it in place of its node

local json_reader = require "jangada.cli.json_reader"
local verdicts = require "jangada.lab.verdict"

local M = {}

local SWARM <const> = "examples/raft_swarm.lua"
local STRIDE <const> = 1000000 -- from one campaign's first seed to the next one's

local PROTOCOL <const> = [[
local mutant = (function() %s end)()
return function(node, options)
  if mutant.plant then mutant.plant() end
  local protocol = require("jangada.raft").with(mutant.rules)
  protocol(mutant.node and mutant.node(node) or node, options)
end
]]

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

--- The names of all mutants, in order.
---@return string[]
function M.names()
  local names = {}
  local pipe <close> = assert(io.popen("ls spec/mutants/*.lua"))
  for path in pipe:lines() do names[#names + 1] = path:match("([^/]+)%.lua$") end
  return names
end

---@param name string
---@return table mutant
function M.load(name)
  local mutant = dofile(("spec/mutants/%s.lua"):format(name))
  assert(mutant.name == name, name)
  assert((mutant.breaks == nil) ~= (mutant.changes_nothing == nil), name)
  return mutant
end

--- The protocol with a mutant in it.
---@param name string
---@return {source: string, name: string}
function M.protocol(name)
  return { source = PROTOCOL:format(read(("spec/mutants/%s.lua"):format(name))), name = name }
end

--- The swarm with a mutant in it, as the text of a scenario.
---@param name string
---@return string
function M.scenario(name)
  local protocol = M.protocol(name)
  return ("return { from = %q, protocol = { name = %q, source = %q } }\n"):format(SWARM,
    protocol.name, protocol.source)
end

local function jangada(arguments)
  local pipe = assert(io.popen(("%s bin/jangada lab %s 2>&1"):format(arg[-1] or "lua5.4",
    arguments)))
  local output = pipe:read("a")
  local _, _, code = pipe:close()
  return code, output
end

-- A campaign: how many seeds until the first violation, nil if there is none; the seconds; what.
local function campaign(path, first, settings)
  local results = path .. ".jsonl"
  os.remove(results)
  local code, output = jangada(("campaign %s --seeds %d-%d --until-failure --time %d --jobs %d "
    .. "--json %s"):format(path, first, first + STRIDE - 1, settings.time, settings.jobs, results))
  assert(code == 0 or code == 1 or code == 2, output)
  local seconds = tonumber(output:match("seeds? in ([%d.]+) s"))
  if code ~= 1 then return nil, seconds, output:match("([^\n]*)\n$") end
  local least, kind = math.huge, nil
  local number = 0
  for line in io.lines(results) do
    number = number + 1
    local result = json_reader.decode(line, number)
    local verdict = result.verdict
    local is_violation = type(verdict) == "table" and verdict.kind
      and verdicts.outcome(verdict) == "violation"
    if is_violation and result.seed < least then
      least, kind = result.seed, verdict.name or verdict.code or verdict.kind
    end
  end
  return least - first + 1, seconds, kind
end

local function shrunk(path, settings)
  if settings.shrink == 0 then return "" end
  local _, output = jangada(("shrink %s.jsonl --time %d --output %s.shrunk.lua"):format(path,
    settings.shrink, path))
  return output:match("\nnow%s+([^\n]+)") or "not shrunk"
end

local function median(values)
  table.sort(values)
  return values[#values // 2 + 1]
end

-- All campaigns of a mutant: whether it came out as it should, and its line.
local function judge(name, directory, settings)
  local mutant, path = M.load(name), ("%s/%s.lua"):format(directory, name)
  write(path, M.scenario(name))
  local seeds, seconds, kinds, kills = {}, {}, {}, 0
  for i = 1, settings.campaigns do
    local seed, took, kind = campaign(path, i * STRIDE + 1, settings)
    seeds[i], seconds[i] = seed or math.huge, took
    if seed then
      kills = kills + 1
      if not kinds[kind] then kinds[#kinds + 1], kinds[kind] = kind, true end
    elseif mutant.breaks then
      break -- survived: no further campaign makes up for it
    end
  end
  local is_killed = kills == settings.campaigns
  local what = is_killed and table.concat(kinds, ", ")
    or mutant.changes_nothing and kills == 0 and "changes nothing" or "SURVIVED"
  local size = kills > 0 and shrunk(path, settings) or ""
  local line = ("%-24s %-4s %8s %7.1f s  %s"):format(name, mutant.number,
    is_killed and median(seeds) or "-", median(seconds), what)
  return is_killed == (mutant.breaks ~= nil) and (is_killed or kills == 0), line, size
end

local function settings_of(arguments)
  local settings, names = { campaigns = 5, time = 60, jobs = 2, shrink = 0 }, {}
  local i = 1
  while arguments[i] do
    local option = arguments[i]:match("^%-%-(.+)$")
    if option then
      local value = math.tointeger(tonumber(arguments[i + 1]))
      assert(settings[option] and value, "cannot be understood: " .. arguments[i])
      settings[option], i = value, i + 1
    else
      names[#names + 1] = arguments[i]
    end
    i = i + 1
  end
  return settings, names[1] and names or M.names()
end

--- Runs all that is asked for and prints the table.
---@param arguments string[]
---@return boolean is_well
function M.main(arguments)
  local settings, names = settings_of(arguments)
  local pipe <close> = assert(io.popen("mktemp -d"))
  local directory = pipe:read("l")
  local wrong = {}
  print(("%-24s %-4s %8s %9s  %s"):format("mutant", "", "seeds", "time", "violated"))
  for _, name in ipairs(names) do
    local is_well, line, size = judge(name, directory, settings)
    print(line)
    if size ~= "" then print("  shrunk: " .. size) end
    io.stdout:flush()
    if not is_well then wrong[#wrong + 1] = name end
  end
  os.execute("rm -r " .. directory)
  print(#wrong == 0 and ("%d mutants, each as it should be"):format(#names)
    or ("%d of %d mutants not as they should be: %s"):format(#wrong, #names,
      table.concat(wrong, " ")))
  return #wrong == 0
end

if arg and arg[0] and arg[0]:find("mutants%.lua$") then os.exit(M.main(arg)) end

return M
