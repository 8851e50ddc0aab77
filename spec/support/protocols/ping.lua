-- Each node counts the pings of the others, durably, and answers each with a pong.

return function(node)
  local pongs = 0

  local function count(name)
    return node.db:update(function(tx)
      local bucket = tx:ensure_bucket("counts")
      local value = tonumber(bucket:get(name) or "0") + 1
      bucket:put(name, tostring(value))
      return value
    end)
  end

  node.state = {pings = 0, pongs = 0}
  node:on("ping", function(message)
    node.state.pings = count("pings")
    node:reply(message, {type = "pong", pings = node.state.pings})
  end)
  node:on("pong", function()
    pongs = pongs + 1
    node.state.pongs = pongs
  end)
  node:every(node:random(10, 20), function()
    node:broadcast{type = "ping", msg_id = pongs, at = node:now()}
  end)
end
