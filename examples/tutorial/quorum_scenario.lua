-- scenario.lua with the protocol that forgets a step, quorum.lua: three clients read and write it
-- under faults, and what they were told must be linearizable.

local check = require "jangada.check"

local PROTOCOL <const> = "examples/tutorial/quorum.lua"
local OPERATIONS <const> = 5         -- of each client

-- A client that asks its own node, and keeps what it asked for and was told.
local function user(history, index)
  return function(client)
    local count, process = 0, index
    local function again()
      count = count + 1
      if count > OPERATIONS then return end
      local f = client.chance:chance(0.5) and "write" or "read"
      local value = f == "write" and index * 100 + count or nil
      local function record(kind, told)
        history[#history + 1] = { process = process, type = kind, f = f, value = told }
      end
      record("invoke", value)
      client:request("n" .. index, { type = f, value = value }, 100, function(answer)
        if answer then
          record("ok", value or answer.value)
        else
          record("info", value)      -- nobody knows whether it was done
          process = process + 100    -- who asks next is somebody else
        end
        client:after(client.chance:between(0, 20), again)
      end)
    end
    again()
  end
end

local function linearizable(history)
  return {
    name = "linearizable",
    finish = function()
      local result = check.run(history, { model = "register", initial = 0 })
      if result.verdict ~= "linearizable" then return check.explain(result) end
    end,
  }
end

return function(chance)
  local history = {}
  return {
    nodes = 3,
    protocol = PROTOCOL,
    network = { delay_ms = { 1, chance:between(5, 40) }, loss = 0.05 },
    faults = { duration_ms = 600, kinds = { "crash", "partition" }, gap_ms = { 50, 400 } },
    clients = { user(history, 1), user(history, 2), user(history, 3) },
    invariants = { linearizable(history) },
    duration_ms = 800,
  }
end
