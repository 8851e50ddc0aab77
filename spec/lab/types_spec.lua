-- types/lab.lua and types/world.lua, and the lab itself say the same.

local errors = require "jangada.errors"
local faults = require "jangada.lab.faults"
local lab = require "jangada.lab"
local scenarios = require "jangada.lab.scenario"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local takes, gives = read("types/lab.lua"), read("types/world.lua")

local function names_of(...)
  local names = {}
  for _, set in ipairs{...} do
    for name in pairs(set) do names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- The fields of a class: name -> what is said of it.
local function fields_of(text, class)
  local pattern = "\n%-%-%-@class " .. class:gsub("%p", "%%%0") .. "[^\n%w][^\n]*\n(.-)\n\n"
  local section = ((text .. "\n\n"):gsub("(@class [%w._]+)\n", "%1 \n")):match(pattern)
  local fields = {}
  for name, rest in assert(section, class):gmatch("@field ([%w_]+)(%??[^@]*)") do
    fields[name] = rest
  end
  return fields
end

local CLASSES <const> = {
  ["lab.new"] = "Options", network = "NetworkOptions", disk = "DiskOptions",
  faults = "FaultsOptions", liveness = "LivenessOptions", ["lab.stream"] = "StreamOptions",
  ["lab.kv_clients"] = "KvOptions",
}

-- Methods of a world that the lab calls, and nobody else.
local INTERNAL <const> = {
  add_turns = true, begin_liveness = true, begin_run = true, boot = true, can_spare = true,
  check_idle = true, check_memory = true, check_simulated = true, drop_message = true,
  fail_events = true, fail_messages = true, fail_queue = true, finish_liveness = true,
  hold_turn = true, judge_acknowledged = true, judge_commit = true, judge_turn = true,
  new_guard = true, note = true, push = true, schedule = true, stop_failed = true,
}

local function documented(class)
  local methods = {}
  for line, name in gives:gmatch("\n(%-%-%-[^\n]*)\nfunction " .. class .. ":([%w_]+)%(") do
    methods[name] = line
  end
  return methods
end

local function methods_of(object, internal)
  local methods = {}
  for name in pairs(getmetatable(object)) do
    if not name:find("^__") and not internal[name] then methods[name] = true end
  end
  return methods
end

local function world_of()
  return lab.new{protocol = {source = "return function() end"}}
end

describe("types/lab.lua", function()
  it("has all options, with their defaults", function()
    for whose, rules in pairs(lab.options) do
      local fields = fields_of(takes, "jangada.lab." .. CLASSES[whose])
      assert.same(names_of(rules), names_of(fields))
      for name, rule in pairs(rules) do
        local default = rule[2]
        if math.type(default) and default ~= math.maxinteger then
          assert.matches("default " .. default .. "\n", fields[name] .. "\n", 1, true)
        end
      end
    end
    local own = fields_of(takes, "jangada.lab.ScenarioOptions")
    assert.same(names_of(scenarios.RULES, {from = true}), names_of(own))
  end)

  it("has the fields of all kinds of fault", function()
    local fields = {at_ms = true, kind = true, for_ms = true}
    for _, kind in ipairs(faults.kinds) do
      for name in pairs(faults.fields(kind)) do fields[name] = true end
    end
    assert.same(names_of(fields), names_of(fields_of(takes, "jangada.lab.Fault")))
  end)

  it("has the functions of an invariant", function()
    local hooks = {name = true}
    local list = read("lua/jangada/lab/invariants.lua"):match("HOOKS <const> = {(.-)}")
    for name in list:gmatch('"(%w+)"') do hooks[name] = true end
    assert.same(names_of(hooks), names_of(fields_of(takes, "jangada.lab.Invariant")))
  end)
end)

describe("types/world.lua", function()
  it("has the methods of a world and of a client, and no others", function()
    local world <close> = world_of()
    assert.same(names_of(methods_of(world, INTERNAL)), names_of(documented("World")))
    for name in pairs(INTERNAL) do assert.is_function(world[name], name) end
    assert.same(names_of(methods_of(world:client("c1"), {receive = true})),
      names_of(documented("Client")))
  end)

  it("has fields that a world and a client have", function()
    local world <close> = world_of()
    for name in pairs(fields_of(gives, "jangada.World")) do
      assert.is_true(name == "verdict" or world[name] ~= nil, name)
    end
    for name in pairs(fields_of(gives, "jangada.lab.Client")) do
      assert.is_not_nil(world:client("c1")[name], name)
    end
  end)

  it("has the fields of a report", function()
    local world <close> = world_of()
    world:fail{kind = "wrong", message = "it is"}
    assert.same(names_of(world:report()), names_of(fields_of(gives, "jangada.lab.Report")))
  end)

  it("names only error codes that exist", function()
    local count = 0
    for sentence in gives:gmatch("Raises ([^.]*)") do
      for name in sentence:gsub("\n%-%-%-", ""):gsub("`", ""):gmatch("[%a]+_[%a_]+") do
        if name ~= "hopeless" then
          assert.is_truthy(errors.codes[name], name)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 50, count)
  end)
end)
