-- The verbs that only look, and change nothing: each says what there is to see.

local encoding = require "jangada.raft.command"
local words = require "jangada.lab.hand.words"

local M = {}

local verbs = {}
M.verbs = verbs

local DATA_MAX <const> = 40 -- bytes of an entry that are shown
local BODY_MAX <const> = 72 -- of a message

local function state_text(machine)
  if not machine.up then return machine.id .. "  down" end
  local state = machine.state
  return ("%s%s  %s"):format(machine.id, machine.paused and "  paused" or "",
    type(state) == "table" and words.write_fields(state) or tostring(state))
end

verbs.state = {
  takes = "[NODES]", does = "shows the states of nodes",
  run = function(hand, nodes)
    local lines = {}
    for i, machine in ipairs(hand:machines(nodes)) do lines[i] = state_text(machine) end
    return table.concat(lines, "\n")
  end,
}

-- Printable, and not too long.
local function shorten(text, max)
  text = text:gsub("[^\32-\126]", ".")
  return #text > max and text:sub(1, max) .. "..." or text
end

-- What stands in an entry: of a command of the reference Raft, the command.
local function entry_text(entry)
  if entry.type == encoding.COMMAND then
    local ok, client, number, payload = pcall(encoding.decode, entry.data)
    if ok then
      return ("%s  (%s, %d)"):format(shorten(payload, DATA_MAX), shorten(client, DATA_MAX), number)
    end
  end
  return shorten(entry.data or entry.value, DATA_MAX)
end

verbs.log = {
  takes = "[NODES]", does = "shows the logs (replog) of nodes",
  run = function(hand, nodes)
    local lines = {}
    for _, machine in ipairs(hand:machines(nodes)) do
      local entries = machine.up and hand.log_of(machine)
      lines[#lines + 1] = machine.id .. (not entries and "  down" or #entries == 0 and "  empty"
        or "")
      for _, entry in ipairs(entries or {}) do
        lines[#lines + 1] = ("  %4s  term %s  %s"):format(entry.index, entry.term or "?",
          entry_text(entry)):gsub("%s+$", "")
      end
    end
    return table.concat(lines, "\n")
  end,
}

---A message in a line.
---@param body table
---@return string
function M.body_text(body)
  local fields = {}
  for name, value in pairs(body) do
    if name ~= "type" then fields[name] = value end
  end
  return shorten(("%s  %s"):format(body.type, words.write_fields(fields)), BODY_MAX)
end

verbs.messages = {
  takes = "", does = "shows what is on its way, with numbers for deliver and drop",
  run = function(hand)
    local lines = {}
    for i, message in ipairs(hand:messages()) do
      local pending = message.pending
      lines[i] = ("%3d  %s > %s  in %.1f ms  %s"):format(message.number, pending.src, pending.dest,
        math.max(0, pending.time_us - hand.world.time_us) / 1000, M.body_text(pending.body))
    end
    for _, layer in ipairs(hand.world.network.layers) do
      for _, held in ipairs(layer.held or {}) do
        local message = held.message
        lines[#lines + 1] = ("  -  %s > %s  held  %s"):format(message.src, message.dest,
          M.body_text(message.body))
      end
    end
    return #lines > 0 and table.concat(lines, "\n") or "nothing is on its way"
  end,
}

verbs.timers = {
  takes = "[NODES]", does = "shows when the timers of nodes come up",
  run = function(hand, nodes)
    local wanted = {}
    for _, machine in ipairs(hand:machines(nodes)) do wanted[machine.id] = true end
    local lines = {}
    for _, pending in ipairs(hand.world:pending()) do
      if pending.kind == "timer" and wanted[pending.node] then
        lines[#lines + 1] = ("%s  in %.1f ms"):format(pending.node,
          math.max(0, pending.time_us - hand.world.time_us) / 1000)
      end
    end
    return #lines > 0 and table.concat(lines, "\n") or "no timer runs"
  end,
}

return M
