-- Options: what a table of them may hold is said once, as rules, and whatever else is in it is
-- refused by an error that names it.
--
--     local RULES <const> = {count = {options.integer(1, 1000), 3}, observe = {options.fn}}
--     local complete = options.read("lab.kv_clients", given, RULES)
--
-- A rule is a kind of value, and the default. A kind is a table of `is`, a function that says
-- whether a value is of it, and `text`, which says in words what is.

local errors = require "jangada.errors"

local M = {}

local MS_MAX <const> = 1e9 -- about twelve days
local TEXT_MAX <const> = 60

---@class jangada.lab.Kind
---@field is fun(value: any): boolean
---@field text string "an integer from 1 on"

local function of_type(name, text)
  return {is = function(value) return type(value) == name end, text = text}
end

--- Kinds that need no more to be said. `any` is looked at by whoever reads it further.
M.any = {is = function() return true end, text = "anything"}
M.boolean = of_type("boolean", "true or false")
M.fn = of_type("function", "a function")
M.table = of_type("table", "a table")
M.time_ms = {text = ("a time in ms, from 0 to %d"):format(MS_MAX), is = function(value)
  return type(value) == "number" and value >= 0 and value <= MS_MAX
end}
M.rate = {text = "a number from 0 to 1", is = function(value)
  return type(value) == "number" and value >= 0 and value <= 1
end}
M.path = {text = "the path of a directory", is = function(value)
  return type(value) == "string" and value ~= "" and not value:find("\0", 1, true)
end}

---The kind of integers in a range.
---@param least integer|nil
---@param most integer|nil
---@return jangada.lab.Kind
function M.integer(least, most)
  local range = least and most and (" from %d to %d"):format(least, most)
    or least and (" from %d on"):format(least) or ""
  least, most = least or math.mininteger, most or math.maxinteger
  return {text = "an integer" .. range, is = function(value)
    return math.type(value) == "integer" and value >= least and value <= most
  end}
end

---The kind of some words.
---@param words string[]
---@return jangada.lab.Kind
function M.one_of(words)
  local known = {}
  for _, word in ipairs(words) do known[word] = true end
  return {text = "one of " .. table.concat(words, ", "), is = function(value)
    return type(value) == "string" and known[value] == true
  end}
end

---The kind of lists: tables with values from 1 on, none missing, and nothing else in them.
---@param is_element fun(value: any): boolean
---@param text string "a list of texts"
---@param extra string|nil a name that may be in it, too
---@return jangada.lab.Kind
function M.list(is_element, text, extra)
  return {text = text, is = function(value)
    if type(value) ~= "table" then return false end
    local n = rawlen(value)
    for key in next, value do
      if key ~= extra and not (math.type(key) == "integer" and key >= 1 and key <= n) then
        return false
      end
    end
    for i = 1, n do
      if not is_element(value[i]) then return false end
    end
    return true
  end}
end

---A value as an error names it.
---@param value any
---@return string
function M.show(value)
  if type(value) == "string" then
    return #value > TEXT_MAX and "a long text" or (("%q"):format(value):gsub("\n", "n"))
  elseif type(value) == "table" or type(value) == "function" or type(value) == "userdata"
    or type(value) == "thread" then
    return "a " .. type(value)
  end
  return tostring(value)
end

---Refuses a value that is not of a kind.
---@param whose string "lab.new"
---@param name string
---@param value any
---@param kind jangada.lab.Kind
---Raises `option_invalid`.
function M.check(whose, name, value, kind)
  if kind.is(value) then return end
  local is_list = type(value) == "table" and kind.text:find("^a list")
  errors.raise("option_invalid", "%s of %s is %s%s", name, whose, kind.text,
    is_list and ", from 1 on and nothing else" or ", not " .. M.show(value))
end

---Reads options.
---@param whose string who has them, for errors: "lab.new"
---@param given any
---@param rules table<string, {[1]: jangada.lab.Kind, [2]: any}>
---@return table<string, any> complete a new table, with the defaults of what is not given
---Raises `option_unknown`, `option_invalid`.
function M.read(whose, given, rules)
  if type(given) ~= "table" then
    errors.raise("option_invalid", "the options of %s are a table, not %s", whose, M.show(given))
  end
  local complete = {}
  for name, rule in pairs(rules) do complete[name] = rule[2] end
  for name, value in next, given do
    local rule = rules[name]
    if not rule then
      errors.raise("option_unknown", "%s has no option %s", whose,
        type(name) == "string" and name or M.show(name))
    end
    M.check(whose, name, value, rule[1])
    complete[name] = value
  end
  return complete
end

---A time from now, for what is not an option.
---@param ms any
---@return integer us
---Raises `delay_invalid`.
function M.delay_us(ms)
  if not M.time_ms.is(ms) then
    errors.raise("delay_invalid", "a delay is %s, not %s", M.time_ms.text, M.show(ms))
  end
  return math.floor(ms * 1000)
end

return M
