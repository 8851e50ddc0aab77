--- The face of Jangada: what `require "jangada"` gives.

local store = require "jangada.store"

local jangada = {
  version = store.version,
  store = store,
}

-- The storeys above the store are loaded when they are first asked for: whoever only stores
-- loads no simulator.
local storeys = {
  errors = "jangada.errors",
  log = "jangada.log",
  node = "jangada.node",
  raft = "jangada.raft",
  lab = "jangada.lab",
  check = "jangada.check",
}

return setmetatable(jangada, {
  __index = function(face, name)
    local module = storeys[name]
    if module == nil then return nil end
    local loaded = require(module)
    rawset(face, name, loaded)
    return loaded
  end,
})
