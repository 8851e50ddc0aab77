-- The invariants of Raft: those of Figure 3 of the extended paper (Ongaro and Ousterhout), and what
-- a node's term and commit index promise. They read node.state.role, .term and .commit, what nodes
-- tell node:committed, and their logs (jangada.lab.invariants.logs).

local plain = require "jangada.node.plain"

local mix = plain.mix

local M = {}

function M.election_safety()
  local leaders = {} -- term -> id of the node that led in it
  return {
    name = "election_safety",
    turn = function(_, machine)
      local state = machine.state
      if type(state) ~= "table" or state.role ~= "leader" or state.term == nil then return nil end
      local leader = leaders[state.term]
      if leader == nil then
        leaders[state.term] = machine.id
      elseif leader ~= machine.id then
        return ("%s and %s both lead in term %s"):format(leader, machine.id, state.term)
      end
    end,
  }
end

function M.leader_append_only(shared)
  local logs = shared.logs()
  local leading = {} -- id -> the term in which it led after its last turn
  return {
    name = "leader_append_only",
    booted = function(_, machine) leading[machine.id] = nil end,
    turn = function(_, machine)
      local state, id = machine.state, machine.id
      local term = type(state) == "table" and state.role == "leader" and state.term or nil
      if term ~= nil and leading[id] == term and logs.removed then
        return ("%s leads in term %s and replaces or removes the entry of its log at index %d")
          :format(id, term, logs.removed)
      end
      leading[id] = term
    end,
  }
end

-- Only hashes are kept.
function M.state_machine_safety()
  local chosen = {}         -- index -> hash of term and data
  local ids, terms = {}, {} -- index -> the first of the nodes that said so, and the term
  local applied = {}        -- id -> the last index in this boot
  return {
    name = "state_machine_safety",
    booted = function(_, machine) applied[machine.id] = nil end,
    noted = function(_, machine, name, fields) -- who installs a snapshot goes on behind it
      if name == "snapshot" and fields and fields.installed then
        applied[machine.id] = fields.index
      end
    end,
    committed = function(_, machine, index, term, _, data_hash)
      local id = machine.id
      local last = applied[id]
      applied[id] = index
      if last and index ~= last + 1 then
        return ("%s applied index %d after index %d"):format(id, index, last)
      end
      local hash = mix(term, data_hash)
      local known = chosen[index]
      if known == nil then
        chosen[index], ids[index], terms[index] = hash, id, term
      elseif known ~= hash then
        return ("index %d is committed in term %d on %s, and differently in term %d on %s"):format(
          index, terms[index], ids[index], term, id)
      elseif id < ids[index] then
        ids[index] = id -- whatever the order in which they said so (jangada.lab.explore)
      end
    end,
  }
end

-- A field of the state that never falls.
local function monotonic(name, field, booted, text)
  local values = {} -- id -> the last one
  return {
    name = name,
    booted = booted and function(_, machine) booted(values, machine.id) end,
    turn = function(_, machine)
      local state, id = machine.state, machine.id
      local value, known = type(state) == "table" and state[field], values[id]
      if value == known or math.type(value) ~= "integer" then return nil end
      if known and value < known then return text:format(id, known, value) end
      values[id] = value
    end,
  }
end

-- Over restarts: the term is in what a node saves before it acts on it.
function M.term_monotonic()
  return monotonic("term_monotonic", "term", nil, "%s goes back from term %d to term %d")
end

-- Within a boot: the saved commit index is a hint, and may be behind.
function M.commit_monotonic()
  return monotonic("commit_monotonic", "commit", function(values, id) values[id] = nil end,
    "%s takes back what it held for committed: from index %d to index %d")
end

return M
