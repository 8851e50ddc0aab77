-- docs/reference.md, with what it says of options, verdicts and invariants, and the code are one.

local faults = require "jangada.lab.faults"
local invariants = require "jangada.lab.invariants"
local lab = require "jangada.lab"
local scenarios = require "jangada.lab.scenario"
local verdicts = require "jangada.lab.verdict"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local text = read("docs/reference.md") .. "\n## "

-- The rows of the tables under a heading: name -> the other cells.
local function table_under(heading)
  local section = text:match("\n##+ " .. heading:gsub("%p", "%%%0") .. "\n(.-)\n##")
  local rows = {}
  for name, rest in assert(section, heading):gmatch("\n| `([%w_]+)` | ([^\n]*) |") do
    local cells = {}
    for cell in (rest .. " | "):gmatch("(.-) ?| ") do cells[#cells + 1] = cell end
    assert(not rows[name], name)
    rows[name] = cells
  end
  return rows
end

local function names_of(...)
  local names = {}
  for _, set in ipairs{...} do
    for name in pairs(set) do names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- A default as the reference writes it.
local function show(value)
  if value == math.maxinteger then return "without end" end
  if type(value) ~= "table" then return tostring(value) end
  return "{" .. table.concat(value, ", ") .. "}"
end

local function agree(heading, rules, further)
  local documented = table_under(heading)
  assert.same(names_of(rules, further or {}), names_of(documented))
  for name, rule in pairs(rules) do
    local default = documented[name][1]
    if default ~= "" or rule[2] ~= nil and not (heading == "faults" and name == "kinds")
      and rule[2] ~= false then
      assert.equal(show(rule[2]), default, heading .. " " .. name)
    end
  end
end

describe("the reference", function()
  it("has the options of the lab, with their defaults, and no others", function()
    for whose, rules in pairs(lab.options) do agree(whose, rules) end
    agree("A scenario", scenarios.RULES, {from = true})
  end)

  it("has the kinds of verdict, with what each says of the protocol", function()
    local documented = table_under("Verdicts")
    assert.same(names_of(verdicts.kinds), names_of(documented))
    for kind, about in pairs(verdicts.kinds) do
      assert.same(about, documented[kind])
      assert.equal(about[1], verdicts.outcome{kind = kind})
    end
  end)

  it("has the invariants and the packs there are", function()
    assert.same(names_of(invariants.all, invariants.packs), names_of(table_under("Invariants")))
    local default = text:match("Without `invariants` a world has (.-);")
    local names = {}
    for name in default:gmatch("`([%w_]+)`") do names[#names + 1] = name end
    assert.same(invariants.names, names)
    for pack, members in pairs(invariants.packs) do
      for _, name in ipairs(members) do
        assert.matches("`" .. name .. "`", table_under("Invariants")[pack][1], 1, true)
      end
    end
  end)
end)

describe("the kinds of verdict", function()
  it("that the code gives are those that there are", function()
    local pipe <close> = assert(io.popen("find lua/jangada -name '*.lua'"))
    local all = {}
    for path in pipe:lines() do
      if not path:find("lab/verdict.lua", 1, true) then all[#all + 1] = read(path) end
    end
    all = table.concat(all, "\n")
    for _, pattern in ipairs{'fail{%s*kind = "([%w_]+)"', 'verdict = {%s*kind = "([%w_]+)"',
      'failed%(seed, "([%w_]+)"'} do
      local count = 0
      for kind in all:gmatch(pattern) do
        assert.is_truthy(verdicts.kinds[kind], kind)
        count = count + 1
      end
      assert.is_true(count > 0, pattern)
    end
    for kind in pairs(verdicts.kinds) do
      assert.is_truthy(all:find('"' .. kind .. '"', 1, true), kind)
    end
  end)

  it("may be a user's own, but a verdict has a kind and a message", function()
    assert.equal("violation", verdicts.outcome{kind = "wrong"})
    assert.equal("passed", verdicts.outcome(nil))
    local world <close> = lab.new{protocol = {source = "return function() end"}}
    for _, fields in ipairs{false, "wrong", {}, {kind = "wrong"}, {message = "x"},
      {kind = 7, message = "x"}, {kind = "wrong", message = {}}} do
      local ok, failure = pcall(world.fail, world, fields)
      assert.is_false(ok)
      assert.equal("argument_invalid", failure.code)
      assert.is_nil(world.verdict)
    end
    world:fail{kind = "wrong", message = "it is"}
    assert.equal("wrong at 0.000 ms: it is", tostring(world.verdict))
  end)
end)

describe("the page of faults", function()
  it("has all kinds, and their fields", function()
    local documented, kinds = {}, {}
    for line in io.lines("docs/faults.md") do
      local kind, fields = line:match("^| `([%l_]+)` | (.-) |")
      if kind and kind ~= "kind" then
        documented[kind] = {}
        for name in fields:gmatch("`([%l_]+%??)`") do documented[kind][name] = true end
      end
    end
    for _, kind in ipairs(faults.kinds) do
      kinds[kind] = {}
      for name, rule in pairs(faults.fields(kind)) do
        kinds[kind][name .. (rule:find("?", 1, true) and "?" or "")] = true
      end
    end
    assert.same(kinds, documented)
  end)
end)
