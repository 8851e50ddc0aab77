-- A mistake of Raft, planted: a client is answered when its commands are logged.
return {
  name = "answers_early",
  number = "own",
  changes = "a client is answered when its commands are logged",
  breaks = "durability",
  plant = function()
    local clients = require "jangada.raft.clients"
    function clients.wait(raft, message)
      local body, results = message.body, {}
      for i = 1, #body.commands do results[i] = false end
      raft.node:reply(message,
        { type = "submit_ok", number = body.number + #body.commands - 1, results = results })
    end
  end,
}
