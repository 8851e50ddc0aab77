-- A mistake of Raft, planted: a save that fails is taken for one that succeeded.
return {
  name = "save_failed",
  number = "M25",
  changes = "a save that fails is taken for one that succeeded",
  breaks = "monotonic terms",
  plant = function()
    local server = require "jangada.raft.server"
    local persist = server.persist
    function server.persist(raft, entries, first)
      pcall(persist, raft, entries, first)
    end
  end,
}
