-- What must hold after every turn of every node, whatever the faults.
--
--     election_safety        at most one leader in a term (Raft, 5.2)
--     leader_append_only     a leader never replaces or removes an entry of its log (Raft, 5.3)
--     log_matching           two logs that have an entry of one index and term are the same up to
--                            there (Raft, 5.3)
--     leader_completeness    what is committed is in the logs of all later leaders (Raft, 5.4)
--     state_machine_safety   no two nodes hold different entries committed at one index, and each
--                            applies them in order (Raft, 5.4.3)
--     term_monotonic         a node's term never falls, over restarts too
--     commit_monotonic       a node's commit index never falls, until it restarts
--     acknowledged_durable   what a client was told is committed, and stays in a majority of logs
--     agreement              no two values are committed at one index, in whatever terms
--     validity               only what was proposed is committed
--
-- An invariant is a table of a name and any of these functions:
--
--     turn(self, machine, wrote, seen)
--                                    after a turn of that machine's node, when it is durable;
--                                    `wrote`: it had a transaction. On a slow disk the store holds
--                                    what later turns wrote, too; `seen`: what `look` returned
--     look(self, machine, wrote)     right after a turn on a slow disk, before `turn`
--     committed(self, machine, index, term, data, hash)
--                                    when the node calls node:committed; `hash`: of the data
--     acknowledged(self, client, data)
--                                    when a client says it was told that this is committed
--     noted(self, machine, name, fields)
--                                    when the node calls node:trace
--     booted(self, machine)          before the node boots
--     finish(self)                   at the end of the run (World:finish)
--
-- `turn`, `committed`, `acknowledged` and `finish` return nil when all is well, else a message;
-- `finish` may return the fields of a verdict instead. All others only look only at what the turn
-- touched: what was right before and was not touched is right still.

local errors = require "jangada.errors"
local logs = require "jangada.lab.invariants.logs"
local options = require "jangada.lab.options"

local M = {}

local makers = {}
for _, name in ipairs{"raft", "log_matching", "completeness", "values"} do
  for key, maker in pairs(require("jangada.lab.invariants." .. name)) do makers[key] = maker end
end

---All there are, by name: what makes one.
---@type table<string, fun(shared: table): table>
M.all = makers

---Names that stand for several.
M.packs = {
  raft = {"election_safety", "leader_append_only", "log_matching", "leader_completeness",
    "state_machine_safety", "term_monotonic", "commit_monotonic", "acknowledged_durable"},
  consensus = {"agreement", "validity"},
  committed = {"agreement", "acknowledged_durable"},
}

---The names of those that a world has which names none: those of Raft but for the two that cost
---more than a few percent.
M.names = {"election_safety", "leader_append_only", "log_matching", "state_machine_safety",
  "term_monotonic", "commit_monotonic"}

-- The function form: fn(world, machine) after each turn.
local function from_function(world, fn, number)
  return {
    name = "invariant " .. number,
    turn = function(_, machine) return fn(world, machine) end,
  }
end

local HOOKS <const> = {"booted", "look", "turn", "committed", "acknowledged", "noted", "finish"}

local function from_table(entry)
  if type(entry) ~= "table" or type(entry.name) ~= "string" then
    errors.raise("option_invalid", "an invariant is a table with a name, not %s",
      options.show(entry))
  end
  for _, hook in ipairs(HOOKS) do
    if entry[hook] ~= nil and type(entry[hook]) ~= "function" then
      errors.raise("option_invalid", "%s of the invariant %s is a function, not %s", hook,
        entry.name, options.show(entry[hook]))
    end
  end
  if not (entry.turn or entry.committed or entry.acknowledged or entry.finish) then
    errors.raise("option_invalid", "the invariant %s looks at nothing: it has neither turn, "
      .. "committed, acknowledged nor finish", entry.name)
  end
  return entry
end

local list_of_them = options.list(function(entry)
  return type(entry) == "string" or type(entry) == "function" or type(entry) == "table"
end, "a list of names, of tables with a name and of functions")

-- The names in a list, with those of packs, each once; and what is no name as it is.
local function expand(list)
  local expanded, known = {}, {}
  local function add(entry)
    if type(entry) == "string" and known[entry] then return end
    known[entry] = true
    expanded[#expanded + 1] = entry
  end
  for _, entry in ipairs(list) do
    for _, name in ipairs(M.packs[entry] or {entry}) do add(name) end
  end
  return expanded
end

---Checks an invariant that is a table.
---@param invariant any
---@return table invariant
---Raises `option_invalid`.
M.check = from_table

---Adds an invariant to those of a world.
---@param world table
---@param invariant table
function M.add(world, invariant)
  local judges = world.judges
  for _, hook in ipairs(HOOKS) do
    if invariant[hook] then
      judges[hook] = judges[hook] or {}
      table.insert(judges[hook], invariant)
    end
  end
end

---Gives a world its invariants: `invariants`, all of them, and `judges`, for each of their
---functions those that have it, or false.
---@param world table
---@param list nil|(string|table|fun(world, machine): string|nil)[] names of invariants or packs,
---tables as above, or functions that are called after each turn and return nil or a message; nil
---for `names`
---Raises `option_invalid`.
function M.install(world, list)
  world.invariants, world.judges = {}, {}
  for _, hook in ipairs(HOOKS) do world.judges[hook] = false end
  local shared, read = {ids = world.ids}, nil
  function shared.logs() -- they are read if somebody asks for them, before anybody looks
    if not read then
      read = logs.new()
      M.add(world, read)
    end
    return read
  end
  options.check("lab.new", "invariants", list or M.names, list_of_them)
  for i, entry in ipairs(expand(list or M.names)) do
    local invariant
    if type(entry) == "string" then
      local maker = makers[entry]
        or errors.raise("option_invalid", "invariants: there is no invariant %s", entry)
      invariant = maker(shared)
    elseif type(entry) == "function" then
      invariant = from_function(world, entry, i)
    else
      invariant = from_table(entry)
    end
    table.insert(world.invariants, invariant)
    M.add(world, invariant)
  end
end

return M
