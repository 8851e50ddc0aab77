-- A mistake of Raft, planted: a leader answers a read from its state, without asking anybody.
return {
  name = "reads_locally",
  number = "own",
  changes = "a leader answers a read from its state, without asking anybody",
  breaks = "linearizability",
  plant = function()
    local submit = require "jangada.raft.submit"
    local on_submit, get = submit.on_submit, require("jangada.raft.kv").get("")
    function submit.on_submit(raft, message)
      local body = message.body
      local command = body.commands[1]
      if raft.state.role ~= "leader" or command:sub(1, 4) ~= get:sub(1, 4) then
        return on_submit(raft, message)
      end
      raft.node:reply(message, { type = "submit_ok", number = body.number,
        results = { raft.machine:apply(command) } })
      on_submit(raft, message) -- its number is used up; the client has its answer
    end
  end,
}
