-- A shrunk run as a scenario file: Lua that anyone can read, change and run.
--
-- If all of a run can be written down, the file needs nothing but the protocol: its own text, or
-- the module or file that the scenario names. Where clients, invariants or a script are functions,
-- the file says what is other than in the scenario, and names that (`from`).

local kv = require "jangada.lab.kv"
local literal = require "jangada.lab.shrink.literal"
local streams = require "jangada.lab.stream"

local M = {}

local COMMANDS_MAX <const> = 200

local OPTIONS <const> = {"seed", "nodes", "protocol", "options", "network", "faults", "draws",
  "clients", "operations_max", "requests_max", "invariants", "hopeless", "liveness", "durability",
  "disk", "maybe_rate", "events_max", "queue_max", "messages_max", "memory_max",
  "duration_ms"}

---------------------------------------------------------------------------------------------------
-- Clients

-- The commands that a stream has been given so far are those that its run needs.
local function describe_stream(stream)
  local commands = stream.heard
  if #commands > COMMANDS_MAX then return nil end
  local options = {commands = commands, batch_max = stream.batch_max, bytes_max = stream.bytes_max,
    timeout_ms = stream.timeout_ms, retry_ms = stream.retry_ms}
  for name, rule in pairs(streams.RULES) do
    if options[name] == rule[2] then options[name] = nil end
  end
  return "lab.stream" .. literal.of(options, "    ")
end

local function describe_kv(clients)
  local shared = clients[1].shared
  if #clients ~= shared.options.count then return nil end
  local options = {}
  for name, value in pairs(shared.options) do
    if kv.RULES[name][2] ~= value then options[name] = value end
  end
  return "lab.kv_clients" .. literal.of(options, "  ")
end

-- The clients as Lua; nil if some of them are functions.
local function describe_clients(clients)
  if #clients > 0 and kv.is_client(clients[1]) then return describe_kv(clients) end
  local texts = {}
  for i, client in ipairs(clients) do
    local text = streams.is_stream(client) and describe_stream(client)
    if not text then return nil end
    texts[i] = "    " .. text .. ",\n"
  end
  return #texts > 0 and "{\n" .. table.concat(texts) .. "  }" or "{}"
end

---Lets the streams of a case write down what commands they are given, for `text`.
---@param case jangada.Case
function M.listen(case)
  for _, client in ipairs(case.options.clients or {}) do
    if streams.is_stream(client) then
      local next_command = client.next_command
      client.heard = {}
      client.next_command = function()
        local command = next_command()
        client.heard[#client.heard + 1] = command
        return command
      end
    end
  end
end

---------------------------------------------------------------------------------------------------
-- The file

local function line_of(name, value)
  return ("  %s = %s,\n"):format(name, value)
end

-- The whole case; nil if something of it cannot be written down.
local function whole(case, edit)
  local options, lines = case.options, {}
  if case.script then return nil end
  local clients = options.clients and describe_clients(options.clients)
  if options.clients and not clients then return nil end
  for _, name in ipairs(OPTIONS) do
    local value = options[name]
    if name == "duration_ms" then value = case.duration_ms end
    if name == "faults" and edit.faults then value = edit.faults end
    if name == "operations_max" and not (clients and clients:find("^lab.kv_")) then
      value = nil -- the commands that there are say it
    end
    if name == "clients" then
      if clients then lines[#lines + 1] = line_of(name, clients) end
    elseif value ~= nil then
      if not literal.is_plain(value) then return nil end
      lines[#lines + 1] = line_of(name, literal.of(value, "  "))
    end
  end
  if #case.marks > 0 then lines[#lines + 1] = line_of("marks", literal.of(case.marks, "  ")) end
  local needs_lab = clients and clients:find("lab.", 1, true)
  return (needs_lab and "local lab = require \"jangada.lab\"\n\n" or "") .. "return {\n"
    .. table.concat(lines) .. "}\n"
end

-- What is other than in the scenario.
local function changes(scenario, base_seed, edit)
  local lines = {line_of("from", literal.of({scenario = scenario.path, seed = base_seed}))}
  for _, name in ipairs(OPTIONS) do
    if edit[name] ~= nil then
      lines[#lines + 1] = line_of(name, literal.of(edit[name], "  "))
    end
  end
  if edit.script == false then lines[#lines + 1] = line_of("script", "false") end
  return "return {\n" .. table.concat(lines) .. "}\n"
end

local function comment(lines)
  local texts = {}
  for _, text in ipairs(lines) do       -- the message of a verdict may have lines of its own
    for line in (text .. "\n"):gmatch("([^\r\n]*)\r?\n") do
      texts[#texts + 1] = ("-- " .. line):gsub("%s+$", "") .. "\n"
    end
  end
  return table.concat(texts)
end

---The file of a run, and the one that names its scenario: the first is nil if it cannot be without.
---@param shrunk jangada.lab.Shrunk
---@param case jangada.Case of it, which was run after `listen`
---@param words string[] lines for its head
---@return string|nil alone
---@return string changed
function M.text(shrunk, case, words)
  local head = comment(words) .. "\n"
  local alone = whole(case, shrunk.edit)
  return alone and head .. alone, head .. changes(shrunk.scenario, shrunk.base_seed, shrunk.edit)
end

return M
