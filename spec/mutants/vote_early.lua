-- A mistake of Raft, planted: the vote leaves before it is durable.
return {
  name = "vote_early",
  number = "M1",
  changes = "the vote leaves before it is durable",
  breaks = "election safety",
  node = function(node)
    local function reply(_, message, body)
      if body.type ~= "request_vote_ok" then return node:reply(message, body) end
      node:send(message.src, body, { before_durable = true })
    end
    return setmetatable({ reply = reply }, {
      __index = node, __newindex = function(_, name, value) node[name] = value end,
    })
  end,
}
