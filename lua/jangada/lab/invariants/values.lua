-- Invariants of consensus by whatever protocol: they read what nodes tell node:committed, what they
-- tell by node:trace("propose", {value = ...}), and what clients say they were told
-- (client:acknowledged).

local plain = require "jangada.node.plain"

local hash_string = plain.hash_string

local M = {}

-- Whoever decides, and however often it tells: in Paxos one value can be chosen by several ballots.
-- A protocol that decides once tells always the same index.
function M.agreement()
  -- index -> hash of the value, and the first node of those that told it: what is remembered does
  -- not depend on their order, so that jangada.lab.explore needs not try all of them
  local chosen, ids = {}, {}
  return {
    name = "agreement",
    committed = function(_, machine, index, _, data, hash)
      if chosen[index] == nil then
        chosen[index], ids[index] = hash, machine.id
      elseif chosen[index] ~= hash then
        return ("%s holds another value for chosen at %d than %s: %q"):format(machine.id, index,
          ids[index], data)
      elseif machine.id < ids[index] then
        ids[index] = machine.id
      end
    end,
  }
end

function M.validity()
  local proposed = {} -- value -> true
  return {
    name = "validity",
    noted = function(_, _, name, fields)
      local value = name == "propose" and fields and fields.value
      if value then proposed[value] = true end
    end,
    committed = function(_, machine, index, _, data)
      if not proposed[data] then
        return ("%s holds a value for chosen at %d that nobody has proposed: %q"):format(machine.id,
          index, data)
      end
    end,
  }
end

local Acknowledged = {name = "acknowledged_durable"}
Acknowledged.__index = Acknowledged

-- What a client was told was committed before, and where nodes have Raft logs it stays in those of
-- a majority.
function M.acknowledged_durable(shared)
  return setmetatable({
    logs = shared.logs(),
    ids = shared.ids,
    indices = {},  -- hash of what is committed -> the index
    terms = {},    -- index -> its term
    told = {},     -- index -> the client that was told so
    last_told = 0, -- the last of those
  }, Acknowledged)
end

function Acknowledged:committed(_, index, term, _, hash)
  if self.terms[index] then return nil end -- another node, or another boot
  self.terms[index] = term
  if not self.indices[hash] then self.indices[hash] = index end
end

local function judge_index(self, index)
  local logs, has, there = self.logs, 0, 0
  for _, id in ipairs(self.ids) do
    if logs.known[id].is_there then there = there + 1 end
    if logs:has(id, index, self.terms[index]) then has = has + 1 end
  end
  if there > 0 and has <= #self.ids // 2 then
    return ("%s was told that the entry at index %d, term %d is committed, which is in %d of %d "
      .. "logs"):format(self.told[index], index, self.terms[index], has, #self.ids)
  end
end

function Acknowledged:acknowledged(client, data)
  local index = self.indices[hash_string(data)]
  if not index then
    return ("%s was told that something is committed which no node has told of: %q"):format(
      client.id, data)
  end
  self.told[index] = self.told[index] or client.id
  if index > self.last_told then self.last_told = index end
  return judge_index(self, index)
end

function Acknowledged:turn()
  local removed = self.logs.removed
  if not removed then return nil end
  for index = removed, self.last_told do
    local message = self.told[index] and judge_index(self, index)
    if message then return message end
  end
end

return M
