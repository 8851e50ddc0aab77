-- What can be expected of a world: after `expect` at once, after `within 2s` in that time.
--
-- Each has `takes`, a pattern (jangada.lab.hand.grammar), `does`, a line of help, and
-- holds(hand, ...), which is given what the pattern read: whether it holds, and what is seen
-- instead, or besides.

local grammar = require "jangada.lab.hand.grammar"
local words = require "jangada.lab.hand.words"

---@class jangada.lab.Expectation
---@field takes string
---@field does string
---@field holds fun(hand: jangada.lab.Hand, ...): boolean, string

---@type table<string, jangada.lab.Expectation>
local M = {}

-- The node of the highest term that leads, among some.
local function leader_of(machines)
  local leader
  for _, machine in ipairs(machines) do
    local state = machine.state
    if type(state) == "table" and state.role == "leader"
      and (not leader or (state.term or 0) > (leader.state.term or 0)) then
      leader = machine
    end
  end
  return leader
end

local function term_of(machine)
  return type(machine.state) == "table" and machine.state.term or nil
end

M.leader = {
  takes = "[NODE] [among NODES]", does = "a node leads: any, that one, or one of those",
  holds = function(hand, node, among)
    local leader = leader_of(hand:machines_up(among))
    if not leader then return false, "nobody leads" end
    local wanted = node and hand:id(node)
    return not wanted or wanted == leader.id,
      ("%s leads in term %s"):format(leader.id, tostring(term_of(leader)))
  end,
}

M["no leader"] = {
  takes = "[among NODES]", does = "nobody leads, or nobody of those",
  holds = function(hand, among)
    local leader = leader_of(hand:machines_up(among))
    if not leader then return true, "nobody leads" end
    return false, ("%s leads in term %s"):format(leader.id, tostring(term_of(leader)))
  end,
}

M.term = {
  takes = "COUNT [NODES]", does = "all that are up, or those, are in that term",
  holds = function(hand, term, nodes)
    local texts, holds = {}, true
    for i, machine in ipairs(hand:machines_up(nodes)) do
      texts[i] = ("%s is in term %s"):format(machine.id, tostring(term_of(machine)))
      holds = holds and term_of(machine) == term
    end
    return holds and #texts > 0, table.concat(texts, ", ")
  end,
}

M["same term"] = {
  takes = "[NODES]", does = "all that are up, or those, are in one term",
  holds = function(hand, nodes)
    local machines = hand:machines_up(nodes)
    return M.term.holds(hand, machines[1] and term_of(machines[1]), nodes)
  end,
}

-- Whether two values of plain data are the same.
local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not is_same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- Whether a table has fields. Where it has a list, one value stands for a list of one.
local function has_fields(given, fields)
  if type(given) ~= "table" then return false end
  for name, value in pairs(fields) do
    local seen = given[name]
    if type(seen) == "table" and type(value) ~= "table" then value = {value} end
    if not is_same(seen, value) then return false end
  end
  return true
end

M.state = {
  takes = "NODE FIELDS", does = "a node's state has these fields",
  holds = function(hand, node, fields)
    local machine = hand:machine(node)
    if not machine then return false, "all nodes are down" end
    if not machine.up then return false, machine.id .. " is down" end
    local state = machine.state
    return has_fields(state, fields), ("%s: %s"):format(machine.id,
      type(state) == "table" and words.write_fields(state) or tostring(state))
  end,
}

M["log equal"] = {
  takes = "[NODES]", does = "the logs (replog) of all that are up, or of those, are the same",
  holds = function(hand, nodes)
    local first, first_text
    local machines = hand:machines_up(nodes)
    for _, machine in ipairs(machines) do
      local entries = hand.log_of(machine)
      local parts = {}
      for i, entry in ipairs(entries) do
        parts[i] = ("%s %s %s %s"):format(entry.index, entry.term, entry.type, entry.data)
      end
      local text = table.concat(parts)
      if not first then
        first, first_text = machine, text
      elseif text ~= first_text then
        return false, ("those of %s and %s differ"):format(first.id, machine.id)
      end
    end
    return first ~= nil, first and ("%d entries"):format(#hand.log_of(first)) or "no node is up"
  end,
}

M.committed = {
  takes = "COUNT [NODES]",
  does = "all that are up, or those, have committed so many values since they booted",
  holds = function(hand, count, nodes)
    local texts, holds = {}, true
    for i, machine in ipairs(hand:machines_up(nodes)) do
      local committed = hand.commits[machine.id] or 0
      texts[i] = ("%s has committed %d"):format(machine.id, committed)
      holds = holds and committed == count
    end
    return holds and #texts > 0, table.concat(texts, ", ")
  end,
}

M.answer = {
  takes = "[FIELDS]", does = "the last request was answered, with these fields",
  holds = function(hand, fields)
    local answer = hand.answer
    return answer ~= nil and (not fields or has_fields(answer, fields)), hand:answer_text()
  end,
}

M["no answer"] = {
  takes = "", does = "the last request was not answered",
  holds = function(hand)
    return not hand.answer, hand:answer_text()
  end,
}

M.verdict = {
  takes = "[WORD]", does = "the run has gone wrong: a kind of verdict, or an invariant",
  holds = function(hand, name)
    local verdict = hand.world.verdict
    if not verdict then return false, "nothing is wrong" end
    return not name or verdict.kind == name or verdict.name == name, tostring(verdict)
  end,
}

grammar.types.EXPECTATION = {
  what = function()
    local names = {}
    for name in pairs(M) do names[#names + 1] = name end
    table.sort(names)
    return "what is expected: " .. table.concat(names, ", ")
  end,
  words = function()
    local names = {}
    for name in pairs(M) do names[#names + 1] = name end
    table.sort(names)
    return names
  end,
  read = function(reading)
    local expectation, next_word = grammar.find(M, reading.words, reading.i)
    if not expectation then return nil end
    reading.i = next_word
    local args = grammar.read(expectation.takes, reading)
    return args and {expectation = expectation, args = args}
  end,
}

return M
