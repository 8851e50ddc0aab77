-- n1 leads for as long as it hears of n2; n2 takes over when it has heard nothing of n1 for longer
-- than that. It takes for granted that who hears is heard: wrong where a link is cut one way.
return function(node)
  node.state = {role = node.id == "n1" and "leader" or "follower", term = 1}
  local other = node.peers[1]
  local silence = node:after(node.id == "n1" and 100 or 300, function()
    node.state.role = node.id == "n1" and "follower" or "leader"
  end)
  node:on("ping", function()
    if silence:is_running() then silence:reset(node.id == "n1" and 100 or 300) end
  end)
  node:every(10, function() node:send(other, {type = "ping"}) end)
end
