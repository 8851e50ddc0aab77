-- A scenario: a Lua file that returns the options of lab.new, and besides:
--
--     duration_ms   how long to run, in simulated time (10000)
--     script        function(world): runs the world itself, instead of duration_ms
--     explore       the bounds of `jangada lab explore` (jangada.lab.explore)
--     abstract      function(world): what novelty looks at (jangada.lab.novelty)
--     marks         names that node:reached is expected to be called with, beyond those that the
--                   protocol's text names
--     from          another scenario: what is not named here is as in that one. Its path, or
--                   {scenario = path, seed = which one of it}
--
-- The file is run afresh for every seed, so nothing of one run is left in the next. It may return a
-- function instead: function(chance) is called with a stream of the seed (jangada.lab.oracle) and
-- returns such a table, so that each seed draws its own number of nodes, network, load and length.
--
-- A file NAME.scenario is none in Lua but a text (jangada.lab.hand.file): a header, then a step a
-- line. Its script performs the steps.

local bounds = require "jangada.lab.explore.bounds"
local errors = require "jangada.errors"
local files = require "jangada.files"
local forms = require "jangada.lab.hand.file"
local hands = require "jangada.lab.hand"
local lab = require "jangada.lab"
local modules = require "jangada.node.modules"
local kinds = require "jangada.lab.options"
local oracles = require "jangada.lab.oracle"
local plain = require "jangada.node.plain"
local store = require "jangada.store"

local Scenario = {}
Scenario.__index = Scenario
Scenario.__name = "jangada.lab.Scenario"

local M = {}

local DURATION_MS <const> = 10000
local function is_mark(mark) return type(mark) == "string" end

local OWN <const> = {duration_ms = {kinds.time_ms, DURATION_MS}, script = {kinds.fn},
  marks = {kinds.list(is_mark, "a list of names"), {}}, explore = {kinds.table, {}},
  abstract = {kinds.fn}}

--- The rules of what it has besides the options of lab.new (jangada.lab.options), but for `from`.
M.RULES = OWN

local DEPTH_MAX <const> = 8 -- of scenarios that are made from one another

---@class jangada.Scenario
---@field path string of its file
---@field text string of its file
---@field form jangada.lab.Text|nil what it says, if it is in the text form
---@field base jangada.Scenario|nil the Lua scenario that a text names
---@field before table<string, boolean> modules that were loaded before it
---@field depth integer how many scenarios are made from it, one from the other
---@field origin? jangada.Scenario what the last case was made from

---@class jangada.Case
---@field seed integer
---@field options table of lab.new
---@field duration_ms number
---@field script? fun(world: table)
---@field marks string[]
---@field explore table bounds
---@field abstract? fun(world: table): string
---@field steps jangada.lab.Step[]|nil of the text form

local function load_form(path, text)
  local form = forms.read(text, path)
  local base = form.header.scenario and M.load(form.header.scenario)
  return setmetatable({path = path, form = form, base = base, before = base and base.before or {},
    text = base and text .. base.text or text, depth = 0}, Scenario)
end

---Reads the file of a scenario.
---@param path string
---@return jangada.Scenario
---Raises `input_invalid`.
function M.load(path)
  local file <close>, message = io.open(path, "rb")
  local text = file and file:read("a")
  if not text then
    errors.raise("input_invalid", "%s", message or path .. ": it cannot be read")
  end
  if path:find("%.scenario$") then return load_form(path, text) end
  local chunk, fault = load(text:gsub("^#[^\n]*", "", 1), "@" .. path, "t")
  if not chunk then errors.raise("input_invalid", "%s", fault) end
  local before = {}
  for name in pairs(package.loaded) do before[name] = true end
  return setmetatable({path = path, text = text, chunk = chunk, before = before, depth = 0},
    Scenario)
end

local function call(self, fn, ...)
  local ok, result = xpcall(fn, debug.traceback, ...)
  if not ok then errors.raise("input_invalid", "%s: %s", self.path, tostring(result)) end
  return result
end

local function check_own(self, given)
  for name, rule in pairs(OWN) do
    local kind, value = rule[1], given[name]
    if value ~= nil and not kind.is(value) then
      errors.raise("input_invalid", "%s: %s is %s, not %s", self.path, name, kind.text,
        kinds.show(value))
    end
  end
  local ok, fault = pcall(bounds.read, given.explore or {})
  if not ok then errors.raise("input_invalid", "%s: explore: %s", self.path, fault.message) end
end

local function case_of_form(self, seed)
  local form, base = self.form, self.base
  seed = seed or form.header.options.seed
  local case = base and base:case(seed) or {options = {}, marks = {}}
  for name, value in pairs(form.header.options) do case.options[name] = value end
  case.seed = seed or case.options.seed or 1
  case.options.seed, case.duration_ms = case.seed, 0
  local steps = form.steps(case.options.nodes or 3)
  case.steps = steps
  function case.script(world) hands.new(world):perform_all(steps) end
  return case
end

-- The scenario that another is made from, and its seed.
local function find_origin(self, from, seed)
  local is_table = type(from) == "table"
  local path = from
  if is_table then path, seed = from.scenario, from.seed or seed end
  if type(path) ~= "string" or seed ~= nil and math.type(seed) ~= "integer" then
    errors.raise("input_invalid", "%s: `from` is the path of a scenario, or {scenario = path, "
      .. "seed = an integer}", self.path)
  end
  for name in pairs(is_table and from or {}) do
    if name ~= "scenario" and name ~= "seed" then
      errors.raise("input_invalid", "%s: `from` has no %s", self.path, tostring(name))
    end
  end
  if self.depth == DEPTH_MAX then
    errors.raise("input_invalid", "%s: more than %d scenarios are made from one another",
      self.path, DEPTH_MAX)
  end
  self.origin = M.load(path)
  self.origin.depth = self.depth + 1
  return self.origin, seed
end

-- Completes options by those of the scenario that they are made from. `script = false` is none.
local function complete(self, options, seed)
  local origin, origin_seed = find_origin(self, options.from, seed or options.seed)
  local case = origin:case(origin_seed)
  local all = case.options
  for _, name in ipairs{"duration_ms", "script", "marks", "explore", "abstract"} do
    all[name] = case[name]
  end
  for name, value in pairs(options) do all[name] = value end
  if all.script == false then all.script = nil end
  all.from = nil
  return all
end

---What a seed is to run.
---@param seed? integer instead of the scenario's own
---@return jangada.Case
---Raises `input_invalid`.
function Scenario:case(seed)
  if self.form then return case_of_form(self, seed) end
  local options = call(self, self.chunk)
  if type(options) == "function" then
    seed = seed or 1
    options = call(self, options, oracles.new(seed):stream("scenario"))
    if type(options) == "table" and options.seed ~= nil then
      errors.raise("input_invalid", "%s: a scenario that draws is given its seed; it names none",
        self.path)
    end
  end
  if type(options) ~= "table" then
    errors.raise("input_invalid", "%s: a scenario returns a table, not a %s", self.path,
      type(options))
  end
  if options.from ~= nil then options = complete(self, options, seed) end
  check_own(self, options)
  options.seed = seed or options.seed or 1
  local case = {seed = options.seed, options = options, script = options.script,
    duration_ms = options.duration_ms or DURATION_MS, marks = options.marks or {},
    explore = options.explore or {}, abstract = options.abstract}
  for name in pairs(OWN) do options[name] = nil end
  return case
end

---Makes the world of a case, at time 0.
---@param case jangada.Case
---@param kept? table as lab.new takes it
---@return table world
---Raises `input_invalid`.
function Scenario:world(case, kept)
  local ok, made = pcall(lab.new, case.options, kept)
  if ok then return made end
  if not errors.is(made) then error(made, 0) end
  errors.raise("input_invalid", "%s: %s", self.path, made.message)
end

---Runs the world of a case to its end, and judges it.
---@param case jangada.Case
---@param world table
function M.run(case, world)
  if case.script then case.script(world) else world:run(case.duration_ms) end
  if not world.closed then world:finish() end
end

---The marks that a world's run could reach: those that the text of its protocol names, with the
---modules that it has loaded, and those that the scenario tells of.
---@param case jangada.Case
---@param world table
---@return string[] names
function M.marks(case, world)
  local names = table.move(case.marks, 1, #case.marks, 1, {})
  local function scan(text)
    for _, name in text:gmatch(":reached%s*%(?%s*([\"'])([^\"'\n]+)%1") do
      names[#names + 1] = name
    end
  end
  scan(world.source.text)
  for _, text in ipairs(modules.texts()) do scan(text) end
  return names
end

---------------------------------------------------------------------------------------------------
-- What a result depends on

local LIBRARY <const> = {"check", "errors", "lab", "log", "node", "raft"}

-- The texts of the library: of those parts that a run goes through.
local function library_texts()
  local root = package.searchpath("jangada.lab", package.path):match("^(.*)lab%.lua$")
  local words = {}
  for i, name in ipairs(LIBRARY) do words[i] = ("%s %s.lua"):format(name, name) end
  local pipe <close> = assert(io.popen(("cd %s && find %s -name '*.lua' 2>/dev/null | LC_ALL=C "
    .. "sort"):format(files.quote(root), table.concat(words, " "))))
  local texts = {}
  for name in pipe:lines() do
    local file <close> = assert(io.open(root .. name, "rb"))
    texts[#texts + 1] = name .. "\n" .. file:read("a")
  end
  return texts
end

-- The texts of the modules that the scenario itself has loaded.
local function user_texts(self)
  local names, texts = {}, {}
  for name in pairs(package.loaded) do
    if not self.before[name] and not tostring(name):find("^jangada%.") then
      names[#names + 1] = tostring(name)
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local path = package.searchpath(name, package.path)
    local file <close> = path and io.open(path, "rb")
    if file then texts[#texts + 1] = name .. "\n" .. file:read("a") end
  end
  return texts
end

---A digest of all the code that a run of it depends on: the scenario, the protocol, the modules
---that the scenario has loaded, and the library. It is the same on every machine.
---@param case jangada.Case
---@return string hexadecimal, 16 digits
---Raises `input_invalid`.
function Scenario:digest(case)
  local ok, source = pcall(modules.source, case.options.protocol)
  if not ok then
    errors.raise("input_invalid", "%s: %s", self.path, errors.is(source) and source.message
      or tostring(source))
  end
  local value, origin = plain.hash_string(self.text), self.origin or self.base and self.base.origin
  local function fold(texts)
    for _, text in ipairs(texts) do value = plain.mix(value, plain.hash_string(text)) end
  end
  while origin do
    fold{origin.text}
    origin = origin.origin
  end
  fold{source.text, store.version, store.lmdb_version, _VERSION}
  fold(user_texts(self))
  fold(library_texts())
  return ("%016x"):format(value)
end

return M
