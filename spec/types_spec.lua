-- The documents of the C module, the error codes, and the code itself say the same.
local errors = require "jangada.errors"
local fresh = require "spec.support.fresh"
local store = require "jangada.store"

local function read(path)
  local f <close> = assert(io.open(path))
  return f:read("a")
end

local function files(pattern)
  local pipe <close> = assert(io.popen("find " .. pattern .. " | sort"))
  local list = {}
  for path in pipe:lines() do list[#list + 1] = path end
  assert(#list > 0, pattern)
  return list
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local types = read("types/store.lua") .. read("types/journal.lua")

describe("types/store.lua, with types/journal.lua,", function()
  after_each(fresh.clean)

  it("has the methods of each class, and no others, each with a docstring", function()
    local db = fresh.open()
    local tx = db:begin("write")
    local b = tx:create_bucket("b")
    local other = fresh.open():begin("write"):commit{ wait = false }
    for _, handle in ipairs{ db, tx, b, b:cursor(), other, store.memory_disk() } do
      local class = getmetatable(handle).__name:match("^jangada%.(%a+)$")
      local documented = {}
      for line, name in types:gmatch("\n(%-%-%-[^\n]*)\nfunction " .. class .. ":([%w_]+)%(") do
        documented[name] = line
      end
      assert.same(sorted(getmetatable(handle).__index), sorted(documented))
    end
  end)

  it("has the functions and fields of the module that are for users, and no others", function()
    local internal = { plain = true, queue = true, streams = true, page = true, pages = true }
    local present, documented = {}, {}
    for name in pairs(store) do
      if not internal[name] then present[name] = true end
    end
    for name in types:gmatch("\nfunction store%.([%w_]+)%(") do documented[name] = true end
    for name in types:gmatch("\nstore%.([%w_]+) = nil") do documented[name] = true end
    assert.same(sorted(present), sorted(documented))
  end)

  it("names only options that exist, and all of store.open", function()
    local options = {}
    for list in types:gmatch("OpenOptions\n(.-)\n\n") do
      for name in list:gmatch("@field ([%w_]+)%?") do options[name] = true end
    end
    local known = {}
    local list = read("csrc/db.c"):match("open_options%[%] = {(.-)}")
    for name in list:gmatch('"([%w_]+)"') do known[name] = true end
    assert.same(sorted(known), sorted(options))
  end)

  it("names only error codes that exist", function()
    for sentence in types:gmatch("Raises ([^.]*)") do
      for name in sentence:gsub("\n%-%-%-", ""):gsub("%b()", ""):gmatch("[%a_]+_[%a_]+") do
        assert.is_truthy(errors.codes[name] or types:find(":" .. name .. "(", 1, true), name)
      end
    end
  end)
end)

describe("types/check.lua", function()
  local text = read("types/check.lua")

  -- The fields of a class, without those in parentheses.
  local function fields_of(class)
    local section = text:match("@class jangada%.check%." .. class .. "\n(.-)\n\n")
      or text:match("@class jangada%.check%." .. class .. "\n(.*)$")
    local names = {}
    for name in section:gmatch("@field ([%w_]+)%??") do names[name] = true end
    return sorted(names)
  end

  local function names_in(path, pattern)
    local names = {}
    for name in read(path):match(pattern):gmatch("([%w_]+) = ") do names[name] = true end
    return sorted(names)
  end

  it("has the options, and the fields of a model, that there are", function()
    assert.same(names_in("lua/jangada/check.lua", "OPTIONS <const> = {(.-)}"), fields_of("Options"))
    assert.same(names_in("lua/jangada/check/models.lua", "FIELDS <const> = {(.-)}"),
      fields_of("Model"))
  end)

  it("has the fields of all that a check gives", function()
    local check = require "jangada.check"
    local found = { Result = {}, Part = {}, Failure = {}, Operation = {} }
    local function add(class, object)
      for name in pairs(object) do found[class][name] = true end
    end
    local function try(order, steps_max, read_value)
      local events = {
        { process = 1, type = "invoke", f = "write", key = "x", value = 1, time = 1, line = 1 },
        { process = 1, type = "ok", value = 1, time = 2, line = 2, order = order },
        { process = 2, type = "invoke", f = "read", key = "x", time = 3, line = 3 },
        { process = 2, type = "fail", error = "e", time = 4, line = 4 },
        { process = 2, type = "invoke", f = "read", key = "x", time = 5, line = 5 },
        { process = 2, type = "ok", value = read_value, time = 6, line = 6 },
      }
      local result = check.run(events, { model = "register", steps_max = steps_max })
      add("Result", result)
      add("Part", result.parts[1])
      for _, operation in ipairs(require("jangada.check.history").operations(events)) do
        add("Operation", operation)
      end
      if result.failure then add("Failure", result.failure) end
    end
    try(1, nil, 1)
    try(nil, nil, 2)
    try(nil, 1, 1)
    for class, names in pairs(found) do assert.same(sorted(names), fields_of(class), class) end
  end)

  it("has the fields of an event that are read", function()
    local names = {}
    for name in read("lua/jangada/check/history.lua"):gmatch("event%.([%w_]+)") do
      names[name] = true
    end
    assert.same(sorted(names), fields_of("Event"))
  end)
end)

describe("every error code", function()
  -- Where codes stand as literals in the sources: {files, patterns}.
  local sources = {
    { "csrc -name '*.c'", { 'jg_raise%([%w_]+,%s*"([%w_]+)"', 'jg_fail%([%w_&>.-]+,%s*"([%w_]+)"',
      'return "([%w_]+)";' } },
    { "lua bin -name '*.lua'", { 'raise%s*%(?%s*"([%w_]+)"', 'errors%.new%s*%(?%s*"([%w_]+)"',
      'fail%s*%(?%s*"([%w_]+)"' } },
  }

  local function raised()
    local found = {}
    for _, source in ipairs(sources) do
      for _, path in ipairs(files(source[1])) do
        local text = read(path)
        for i, pattern in ipairs(source[2]) do
          local within = text
          if i == 3 and path:find("%.c$") then -- there only jg_code_of returns codes
            within = text:match("jg_code_of%(int rc%) {(.-)\n}") or ""
          end
          for code in within:gmatch(pattern) do found[code] = found[code] or path end
        end
      end
    end
    return found
  end

  it("that is raised stands in errors.lua", function()
    for code, path in pairs(raised()) do
      assert.is_truthy(errors.codes[code], ("%s, in %s"):format(code, path))
    end
  end)

  it("of errors.lua is used somewhere, and says what it means in a sentence", function()
    local all = {}
    for _, pattern in ipairs{ "csrc -name '*.c'", "lua bin -type f" } do
      for _, path in ipairs(files(pattern)) do
        if path ~= "lua/jangada/errors.lua" then all[#all + 1] = read(path) end
      end
    end
    all = table.concat(all, "\n")
    for code, sentence in pairs(errors.codes) do
      assert.is_truthy(all:find('"' .. code .. '"', 1, true), code .. " is never raised")
      assert.matches("^%w.*%.$", sentence)
    end
  end)

  it("is refused by the constructor when it is not one", function()
    assert.error_matches(function() errors.new("nonsense", "x") end, "no such error code")
    assert.error_matches(function() errors.raise("nonsense", "x") end, "no such error code")
  end)
end)
