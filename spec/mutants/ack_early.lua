-- A mistake of Raft, planted: a follower's answer leaves before its entries are durable.
return {
  name = "ack_early",
  number = "M22",
  changes = "a follower's answer leaves before its entries are durable",
  breaks = "durability",
  node = function(node)
    local function reply(_, message, body)
      if body.type ~= "append_entries_ok" then return node:reply(message, body) end
      node:send(message.src, body, { before_durable = true })
    end
    return setmetatable({ reply = reply }, {
      __index = node, __newindex = function(_, name, value) node[name] = value end,
    })
  end,
}
