--- What a person is told of a run: a line for what happens, a table of the nodes.

local story = {}

local MARGIN <const> = 14 -- columns of the time

-- One line for what a person wants to see of a run; nil for all that only fills it.
local function describe(event)
  if event.kind == "trace" then
    local fields = {}
    for name, value in pairs(event.fields or {}) do
      fields[#fields + 1] = ("%s=%s"):format(name, tostring(value))
    end
    table.sort(fields)
    return ("%-9s %s %s"):format(event.node, event.name, table.concat(fields, " "))
  elseif event.kind == "print" then
    return ("%-9s prints: %s"):format(event.node, event.text)
  elseif event.kind == "crash" or event.kind == "boot" or event.kind == "pause"
    or event.kind == "resume" or event.kind == "wipe"
    or event.kind == "swap" or event.kind == "lying_disk" then
    return ("%-9s %s"):format(event.node, event.kind:upper())
  elseif event.kind == "partition" then
    local groups = {}
    for i, group in ipairs(event.groups) do groups[i] = table.concat(group, " ") end
    return "network   PARTITION " .. table.concat(groups, " | ")
  elseif event.kind == "cut" or event.kind == "mend" and event.shape then
    return ("network   %s %s %s"):format(event.kind:upper(), event.shape,
      table.concat(event.links, " "))
  elseif event.kind == "heal" then
    return "network   HEAL"
  elseif event.kind == "step" then
    return "> " .. event.text
  elseif event.kind == "told" then
    return "  " .. event.text:gsub("\n", "\n" .. (" "):rep(MARGIN + 2))
  end
  return nil
end

---Prints what an event is, if a person wants to see it.
---@param screen jangada.Screen
---@param event table of a world
function story.event(screen, event)
  local text = describe(event)
  if text then screen:print("%10.3f s  %s", event.time_us / 1e6, text) end
end

---Prints each node's state.
---@param screen jangada.Screen
---@param world table
function story.nodes(screen, world)
  local rows = {}
  for i, machine in ipairs(world.nodes) do
    local fields = {}
    if type(machine.state) == "table" then
      for name, value in pairs(machine.state) do
        if type(value) ~= "table" then fields[#fields + 1] = ("%s=%s"):format(name, value) end
      end
    end
    table.sort(fields)
    rows[i] = { machine.id, machine.up and "up" or "down", machine.boots,
      table.concat(fields, " ") }
  end
  screen:table({ "node", "is", "boots", "state" }, rows)
end

return story
