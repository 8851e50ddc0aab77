-- Raft with the key-value machine, but a leader answers a read from what it has applied itself, and
-- asks nobody whether it leads still.

local raft = require "jangada.raft"

return function(node, options)
  local machine, submit = raft.kv.new(), nil

  local function on_submit(message)
    local body = message.body
    local is_read = body.commands[1]:sub(1, 4) == "\3get"
    if not is_read or node.state.role ~= "leader" then return submit(message) end
    node:reply(message, {type = "submit_ok", number = body.number,
      results = {machine:apply(body.commands[1])}})
  end

  -- What Raft is given: the node, but its client requests and its commits pass through here.
  local face = setmetatable({
    on = function(_, kind, fn)
      if kind == "submit" then submit, fn = fn, on_submit end
      node:on(kind, fn)
    end,
    committed = function(_, index, term, data)
      if data ~= "" then
        local _, _, command = raft.command.decode(data)
        machine:apply(command)
      end
      node:committed(index, term, data)
    end,
  }, {__index = node, __newindex = node})
  raft.protocol(face, options)
end
