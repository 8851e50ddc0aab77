-- The world of docs/tutorial.md, so small that all that can happen in it can be tried: one write at
-- n1, and two reads, one after the other, at n3.

local PROTOCOL <const> = "examples/tutorial/register.lua"

local function writer(client)
  client:request("n1", { type = "write", value = 7 }, 1000, function() end)
end

-- A read that comes after another must not give what is older.
local function reader(seen)
  return function(client)
    client:request("n3", { type = "read" }, 1000, function(first)
      if not first then return end
      client:request("n3", { type = "read" }, 1000, function(second)
        if second then seen.first, seen.second = first.value, second.value end
      end)
    end)
  end
end

return function()
  local seen = {}
  local function forward()
    if seen.first == 7 and seen.second == 0 then return "read 7, and after it 0" end
  end
  return {
    nodes = 3,
    protocol = PROTOCOL,
    clients = { writer, reader(seen) },
    invariants = { { name = "forward", seen = seen, turn = forward, finish = forward } },
    explore = { timeouts = 0, messages = 12 },
  }
end
