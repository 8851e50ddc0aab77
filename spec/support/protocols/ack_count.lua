-- n1 gives its entries to the others and takes one as stored by a majority when so many
-- acknowledgments have come. It counts messages, not who sent them: wrong where one comes twice.
return function(node)
  local members = #node.peers + 1
  node.state = {stored = {}, decided = {}}
  if node.id ~= "n1" then
    return node:on("entry", function(message)
      node.state.stored[message.body.n] = true
      node:reply(message, {type = "entry_ok", n = message.body.n})
    end)
  end
  local counts, last = {}, 0
  node:on("entry_ok", function(message)
    local n = message.body.n
    counts[n] = (counts[n] or 1) + 1
    if counts[n] > members // 2 then node.state.decided[n] = true end
  end)
  node:every(20, function()
    last = last + 1
    node.state.stored[last] = true
    node:broadcast{type = "entry", n = last}
  end)
end
