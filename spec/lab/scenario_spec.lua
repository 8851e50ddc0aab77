local fresh = require "spec.support.fresh"
local process = require "spec.support.process"
local scenarios = require "jangada.lab.scenario"

local function scenario(text)
  local path = process.directory() .. "/scenario.lua"
  process.write(path, text)
  return scenarios.load(path)
end

local function message_of(...) return fresh.raises("input_invalid", ...) end

local idle = [[{name = "idle", source = "return function() end"}]]

describe("a scenario", function()
  it("is run afresh for every seed", function()
    local one = scenario("return {protocol = " .. idle .. ", clients = {{}}, duration_ms = 7}")
    local a, b = one:case(3), one:case()
    assert.not_equal(a.options.clients[1], b.options.clients[1])
    assert.same({3, 1, 7}, {a.options.seed, b.options.seed, b.duration_ms})
    assert.is_nil(a.options.duration_ms)
    assert.equal(10000, scenario("return {}"):case().duration_ms)
  end)

  it("can be a function that draws from the seed", function()
    local one = scenario("return function(chance) return {nodes = chance:between(1, 50), "
      .. "duration_ms = chance:between(1, 1000)} end")
    local seen, kinds = {}, 0
    for seed = 1, 20 do
      local case = one:case(seed)
      assert.equal(case.options.nodes, one:case(seed).options.nodes)
      if not seen[case.options.nodes] then kinds = kinds + 1 end
      seen[case.options.nodes] = true
    end
    assert.is_true(kinds > 5)
    local other = scenario("return function() return {seed = 1} end")
    assert.matches("names none", message_of(other.case, other))
  end)

  it("is made from another one that it names rightly, or not at all", function()
    for from, expected in pairs{
      ["7"] = "`from` is the path of a scenario", ["true"] = "`from` is the path of a scenario",
      ["{}"] = "`from` is the path of a scenario", ["{scenario = 7}"] = "is the path of a scenario",
      ["{scenario = 'x.lua', seed = 1.5}"] = "seed = an integer",
      ["{scenario = 'x.lua', sed = 1}"] = "`from` has no sed",
      ["'/nonexistent.lua'"] = "/nonexistent.lua: No such file",
    } do
      local one = scenario(("return {from = %s}"):format(from))
      assert.matches(expected, message_of(one.case, one, 1), 1, true)
    end
  end)

  it("says what is wrong with it, and where", function()
    assert.matches("No such file", message_of(scenarios.load, "/nonexistent.lua"))
    assert.matches("scenario.lua:1:", message_of(scenario, "return {"))
    for text, expected in pairs{
      ["error('no')"] = "scenario.lua:1: no",
      ["return 7"] = "returns a table, not a number",
      ["return function() return 7 end"] = "returns a table, not a number",
      ["return {script = 1}"] = "script is a function, not 1",
      ["return {duration_ms = 'x'}"] = "duration_ms is a time in ms, from 0 to 1000000000",
      ["return {marks = 'x'}"] = "marks is a list of names, not \"x\"",
    } do
      local one = scenario(text)
      assert.matches(expected, message_of(one.case, one), 1, true)
    end
    local one = scenario("return {sed = 1}")
    assert.matches("scenario.lua: lab.new has no option sed",
      message_of(one.world, one, one:case()))
  end)

  it("knows the marks that its protocol names, and those it tells of", function()
    local one = scenario([[return {nodes = 1, marks = {"told"}, protocol = {name = "p", source =
      "return function(node) if node.id == 'x' then node:reached('never') end "
      .. "node:reached \"at boot\" end"}}]])
    local case = one:case()
    local world <close> = one:world(case)
    assert.same({"told", "never", "at boot"}, scenarios.marks(case, world))
    one = scenario("return {nodes = 1, protocol = 'jangada.raft.protocol'}")
    case = one:case()
    local raft <close> = one:world(case)
    local names = table.concat(scenarios.marks(case, raft), " ")
    for _, name in ipairs{"append_refused", "log_truncated", "duplicate_submit"} do
      assert.matches(name, names)
    end
  end)

  it("has a digest of the code that a run of it depends on", function()
    local function digest(text)
      local one = scenario(text)
      return one:digest(one:case())
    end
    local text = "return {protocol = " .. idle .. "}"
    assert.equal(digest(text), digest(text))
    assert.not_equal(digest(text), digest(text .. " --"))
    assert.matches("^%x+$", digest(text))
    local directory = process.directory()
    local function with(protocol)
      process.write(directory .. "/p.lua", protocol)
      return digest(("return {protocol = %q}"):format(directory .. "/p.lua"))
    end
    assert.equal(with("return 1"), with("return 1"))
    assert.not_equal(with("return 1"), with("return 2"))
    assert.matches("no module nonsense", message_of(digest, "return {protocol = 'nonsense'}"))
  end)
end)
