--- Models: what a thing does when one client at a time uses it.
--
-- A model is a table:
--
--     name        string
--     init        function(initial): the first state
--     step        function(state, operation): whether the operation can be the next one in that
--                 state, with what it returned, and the state after it. Must change nothing.
--     digest      function(state): a string that is the same for equal states only. A state that
--                 is a string, a number, a boolean or nil needs none.
--     partition   function(operation): what it concerns; those that concern different things have
--                 nothing to do with each other. Default: all concern the same.
--     prepare     function(operation): what is wrong with it, or nil; may set fields of its own
--     describe    function(operation): in words
--     noun        what the state is, in words: "the value"
--     show        function(state): the state in words
--     by_process  true if step looks at operation.process
--     mismatch    function(operation): whether it can fail by what it found. One that can, and did,
--                 is given to `step` with `operation.failed` true; others that failed are removed.
--     reads       function(operation): whether it leaves every state as it is. For speed.
--     seen        function(operations): a function of a state, or nil. It gives false for a state
--                 that is junk to those operations: in which none that reads is legal, unless it
--                 failed, and which none but one that resets leads out of. For speed.
--     resets      function(operation): whether the state after it is the same whatever was before
--
-- Only step and init are needed. An operation has f, key, input, output and known: when `known` is
-- false it is not known to have happened, and output says nothing.

local errors = require "jangada.errors"
local registers = require "jangada.check.models.registers"
local lists = require "jangada.check.models.lists"
local values = require "jangada.check.values"

local models = {}

--- The models that come with Jangada, by name.
---@type table<string, jangada.check.Model>
models.known = {
  ["register"] = registers.register,
  ["cas-register"] = registers.cas_register,
  ["kv"] = registers.kv,
  ["list"] = lists.list,
  ["queue"] = lists.queue,
  ["mutex"] = lists.mutex,
}

--- Their names, in order.
models.names = { "register", "cas-register", "kv", "list", "mutex", "queue" }

local FIELDS <const> = { name = "string", init = "function", step = "function",
  digest = "function", partition = "function", prepare = "function", describe = "function",
  noun = "string", show = "function", by_process = "boolean", mismatch = "function",
  reads = "function", seen = "function", resets = "function" }

local function check_model(model)
  for name, value in pairs(model) do
    local expected = FIELDS[name]
    if not expected then
      errors.raise("model_invalid", "a model has no field %s", tostring(name))
    elseif type(value) ~= expected then
      errors.raise("model_invalid", "%s of a model is a %s, not a %s", name, expected, type(value))
    end
  end
  for _, name in ipairs{ "init", "step" } do
    if not model[name] then errors.raise("model_invalid", "the model has no function %s", name) end
  end
end

local function describe(operation)
  local text = operation.f
  if operation.input ~= nil then text = text .. " " .. values.text(operation.input) end
  if operation.known and operation.output ~= nil then
    text = text .. " → " .. values.text(operation.output)
  end
  return text
end

--- A model that has all its functions.
---@param model string|jangada.check.Model a name, or a table as above
---@return jangada.check.Model
---Raises `model_invalid`.
function models.get(model)
  if type(model) == "string" then
    local known = models.known[model]
    if known then return known end
    errors.raise("model_invalid", "there is no model '%s': there are %s", model,
      table.concat(models.names, ", "))
  elseif type(model) ~= "table" then
    errors.raise("model_invalid", "a model is a name or a table, not a %s", type(model))
  end
  check_model(model)
  return setmetatable({
    name = model.name or "of one's own", describe = model.describe or describe,
    noun = model.noun or "the state", show = model.show or values.text,
  }, { __index = model })
end

return models
