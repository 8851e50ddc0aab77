-- Each node tells the others what it has heard, in whatever order `pairs` has it: the protocol that
-- shows when that order differs from one process to the next.

return function(node)
  local heard = {}
  for _, name in ipairs{"ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak"} do
    heard[name .. " of " .. node.id] = true
  end

  node.state = {heard = 0}
  node:on("rumour", function(message)
    if not heard[message.body.name] then
      heard[message.body.name] = true
      node.state.heard = node.state.heard + 1
      node:trace("heard", {name = message.body.name})
    end
  end)
  node:every(20, function()
    local peer = node.peers[node:random(#node.peers)]
    for name in pairs(heard) do node:send(peer, {type = "rumour", name = name}) end
  end)
end
