-- The verbs by which a world is turned by hand: of the text form, and of `jangada lab shell`.
--
-- This one table says what there is: how a line is read, what --help, the documents and completion
-- show, and what is done. A new method of jangada.World by which a person does something wants one
-- more entry.
--
--     takes      a pattern of what follows (jangada.lab.hand.grammar)
--     does       a line of help
--     run        function(hand, ...): does it; what the pattern read, false for what was left out.
--                It may return what is to be said of it besides what the world tells
--     family     under which help lists it
--     looks      it changes nothing, so it can be done after a verdict, too
--     expects    it may look at a verdict
--     names      its first word is a name for a node from then on

local encoding = require "jangada.raft.command"
local expectations = require "jangada.lab.hand.expectations"
local looks = require "jangada.lab.hand.looks"
local machines = require "jangada.lab.hand.machines"

---@class jangada.lab.Verb
---@field name string
---@field takes string
---@field does string
---@field run fun(hand: jangada.lab.Hand, ...): string|nil
---@field family "nodes"|"machines"|"network"|"links"|"time"|"clients"|"expect"|"look"
---@field looks boolean|nil
---@field expects boolean|nil
---@field names boolean|nil

local M = {}

---@type table<string, jangada.lab.Verb>
local verbs = M

local SUBMIT_MS <const>, ATTEMPT_MS <const>, RETRY_MS <const> = 5000, 500, 20
local REQUEST_MS <const> = 1000
local START_MS <const> = 1000000 -- what is started may be answered much later

local function define(family, name, takes, does, run, more)
  local verb = {name = name, takes = takes, does = does, run = run, family = family}
  for key, value in pairs(more or {}) do verb[key] = value end
  verbs[name] = verb
end

---------------------------------------------------------------------------------------------------
-- Nodes

-- A verb that does a method of the world to each node that is named.
local function each(name, does, otherwise)
  define("nodes", name, "NODES", does, function(hand, nodes)
    local idle = {}
    for _, machine in ipairs(hand:machines(nodes)) do
      if not hand.world[name](hand.world, machine.id) then idle[#idle + 1] = machine.id end
    end
    return #idle > 0 and ("%s %s"):format(table.concat(idle, ", "), otherwise) or nil
  end)
end

define("nodes", "crash", "NODES [keep COUNT] [TAIL]",
  "stops nodes; what they have not stored is gone, but for so many commits, with that behind them",
  function(hand, nodes, keep, tail)
    local idle = {}
    for _, machine in ipairs(hand:machines(nodes)) do
      local accident = {keep = keep or nil, tail = tail or nil}
      if not hand.world:crash(machine.id, accident) then idle[#idle + 1] = machine.id end
    end
    return #idle > 0 and ("%s was down"):format(table.concat(idle, ", ")) or nil
  end)
each("restart", "boots crashed nodes from their stores", "was up")
each("pause", "stops nodes without ending them; what comes up for them waits", "was not running")
each("resume", "lets paused nodes go on", "was not paused")

define("nodes", "name", "NAME NODE", "gives a node a name, to be used for it from here on",
  function(hand, name, node)
    hand.names[name] = hand:id(node)
    return ("%s is %s"):format(name, tostring(hand.names[name]))
  end, {names = true})

for name, verb in pairs(machines) do define("machines", name, table.unpack(verb)) end

---------------------------------------------------------------------------------------------------
-- The network

define("network", "partition", "GROUPS",
  "splits the network into groups; nodes that are not named form one more", function(hand, groups)
    local ids = {}
    for i, group in ipairs(groups) do ids[i] = hand:ids(group) end
    hand.world:partition(ids)
  end)

define("network", "rejoin", "", "ends the partition; cuts stay", function(hand)
  hand.world:rejoin()
end)

define("network", "heal", "", "ends the partition, and all cuts", function(hand)
  hand.world:heal()
end)

for _, name in ipairs{"loss", "duplication", "corruption"} do
  local what = ({loss = "is lost", duplication = "arrives twice", corruption = "is damaged"})[name]
  define("network", name, "[RATE]",
    ("so large a share of messages %s; without RATE as at first"):format(what),
    function(hand, rate) hand.world["set_" .. name](hand.world, rate or nil) end)
end

define("network", "delay", "[LAW]", "how long messages take; without LAW as at first",
  function(hand, law) hand.world:set_delay(law or nil) end)

define("network", "reorder", "[RATE] [LAW]",
  "so large a share of messages comes later by LAW; without RATE none",
  function(hand, rate, law) hand.world:set_reorder(rate or nil, law or nil) end)

define("network", "fifo", "SWITCH", "whether links keep the order of messages",
  function(hand, switch) hand.world:set_fifo(switch.is_on) end)

---------------------------------------------------------------------------------------------------
-- Some links. What such a verb lays is ended by `mend`.

local function lays(name, takes, does, run)
  define("links", name, takes, does, function(hand, ...)
    local layer = run(hand, ...)
    if not layer then return "there is nobody to do it to" end
    table.insert(hand.layers, {verb = name, layer = layer})
  end)
end

lays("isolate", "NODE", "a node reaches nobody, not even a client", function(hand, node)
  local id = hand:id(node)
  return id and hand.world:isolate(id)
end)

lays("one_way", "NODES > NODES", "what these send does not reach those", function(hand, from, to)
  return hand.world:one_way(hand:ids(from) or hand.world.ids, hand:ids(to) or hand.world.ids)
end)

lays("partial", "NODES | NODES", "these and those do not reach each other; all others reach both",
  function(hand, a, b)
    return hand.world:partial(hand:ids(a) or hand.world.ids, hand:ids(b) or hand.world.ids)
  end)

lays("bridge", "NODE [NODES]",
  "two sides joined by one node alone: NODES and the rest, without them halves",
  function(hand, node, side)
    local id = hand:id(node)
    return id and hand.world:bridge(id, hand:ids(side))
  end)

lays("ring", "[NODES]", "each node reaches only its two neighbours", function(hand, order)
  return hand.world:ring(hand:ids(order))
end)

lays("star", "NODE", "the others reach only this one", function(hand, node)
  local id = hand:id(node)
  return id and hand.world:star(id)
end)

lays("flapping", "NODE TIME TIME", "isolated for the first time, not for the second, and again",
  function(hand, node, cut_ms, open_ms)
    local id = hand:id(node)
    return id and hand.world:flapping(id, cut_ms, open_ms)
  end)

lays("slow", "NODES > NODES LAW", "another delay on these links", function(hand, from, to, law)
  return hand.world:slow(hand:ids(from), hand:ids(to), law)
end)

lays("capacity", "NODES > NODES COUNT [COUNT]",
  "these links carry so many messages a second; so many wait (100), more are lost",
  function(hand, from, to, per_second, waiting)
    return hand.world:capacity(hand:ids(from), hand:ids(to), per_second, waiting or nil)
  end)

lays("clog", "NODES > NODES", "holds what is sent on these links, until mended",
  function(hand, from, to) return hand.world:clog(hand:ids(from), hand:ids(to)) end)

define("links", "mend", "[WORD] [COUNT]",
  "ends the newest of these; that of a verb; or the verb's so-manyth of those so far",
  function(hand, name, count)
    local place
    local n = 0
    for i, entry in ipairs(hand.layers) do
      if not name or entry.verb == name then
        n = n + 1
        if not count and not entry.layer.over or count == n then place = i end
      end
    end
    local entry = hand.layers[place]
    if not entry then return "there is nothing to mend" end
    if not hand.world:mend(entry.layer) then return "it was over" end
  end)

---------------------------------------------------------------------------------------------------
-- Time

define("time", "heal_core", "",
  "makes a majority well, and its links; what else is wrong stays so, and no fault begins or ends",
  function(hand)
    local ids = hand.world:heal_core()
    return ids and table.concat(ids, ", ") or "no majority is left"
  end)

define("time", "run", "TIME", "lets time pass", function(hand, ms) hand.world:run(ms) end)

define("time", "step", "[COUNT]", "takes the next event, or so many", function(hand, count)
  local taken = 0
  while taken < (count or 1) and hand.world:step() do taken = taken + 1 end
  if taken < (count or 1) and not hand.world.is_over then return "nothing more waits" end
end)

local function of_message(name, does, run)
  define("time", name, "MESSAGE", does, function(hand, which)
    local pending = hand:message(which)
    if not pending then return "there is no such message on its way" end
    run(hand.world, pending)
    return ("%s > %s  %s"):format(pending.src, pending.dest, looks.body_text(pending.body))
  end)
end

of_message("deliver", "lets a message arrive now, whatever else is due before it",
  function(world, pending) world:take(pending, world.time_us) end)

of_message("drop", "lets a message get lost", function(world, pending) world:discard(pending) end)

define("time", "fire", "NODE", "lets the next timer of a node come up; the clock goes there",
  function(hand, node)
    local id = hand:id(node)
    for _, pending in ipairs(hand.world:pending()) do
      if pending.kind == "timer" and pending.node == id then
        hand.world:take(pending)
        return nil
      end
    end
    return "it has no timer"
  end)

---------------------------------------------------------------------------------------------------
-- Clients

local function next_session(hand)
  hand.answer, hand.asked = nil, hand.asked + 1
  return "s" .. hand.asked
end

-- Asks whoever leads, as a client of the reference Raft does, until it is answered.
local function submit(hand, commands)
  local world = hand.world
  local client = world:client("c0")
  local session = next_session(hand)
  local limit_us = world.time_us + SUBMIT_MS * 1000
  local body = {type = "submit", client = session, number = 1, commands = commands}
  local target = world:node("leader") or world.nodes[1]
  while world.time_us < limit_us and not world.is_over do
    local answer = world:request(target.id, body, ATTEMPT_MS)
    if answer and answer.type == "submit_ok" then
      hand.answer = answer
      for i, command in ipairs(commands) do
        client:acknowledged(encoding.encode(session, i, command))
      end
      break
    end
    local next_one = world.nodes[target.index % #world.nodes + 1]
    target = answer and answer.leader and world:node(answer.leader) or next_one
    if answer then world:run(RETRY_MS) end
  end
  return hand:answer_text()
end

define("clients", "submit", "WORDS",
  "submits commands to the leader of a Raft, and runs until they are answered, at most 5 s", submit)

-- Sends a body without waiting; the answer is kept when it comes, if none was asked for since.
local function send(hand, node, body)
  local id = hand:id(node)
  if not id then return "there is nobody to ask" end
  local asked = hand.asked
  hand.world:client("c0"):request(id, body, START_MS, function(answer)
    if hand.asked == asked then hand.answer = answer end
  end)
end

define("clients", "start", "NODE WORDS", "sends commands to one node of a Raft, and does not wait",
  function(hand, node, commands)
    local session = next_session(hand)
    return send(hand, node, {type = "submit", client = session, number = 1, commands = commands})
  end)

local function body_of(kind, fields)
  local body = {type = kind}
  for name, value in pairs(fields or {}) do body[name] = value end
  return body
end

define("clients", "request", "NODE WORD [FIELDS]",
  "sends a message of type WORD, and runs until it is answered, at most 1 s",
  function(hand, node, kind, fields)
    next_session(hand)
    local machine = hand:machine(node)
    if not machine then return "there is nobody to ask" end
    hand.answer = hand.world:request(machine.id, body_of(kind, fields), REQUEST_MS)
    return hand:answer_text()
  end)

define("clients", "send", "NODE WORD [FIELDS]", "sends a message of type WORD, and does not wait",
  function(hand, node, kind, fields)
    next_session(hand)
    return send(hand, node, body_of(kind, fields))
  end)

---------------------------------------------------------------------------------------------------
-- Expectations

-- What is said of an expectation that holds. A verdict that was expected is none.
local function settle(hand, expectation, holds, seen)
  if not holds then return hand:fail(seen) end
  if expectation == expectations.verdict then hand:accept_verdict() end
  return seen
end

define("expect", "expect", "EXPECTATION", "ends the run with a verdict unless it holds",
  function(hand, expected)
    return settle(hand, expected.expectation,
      expected.expectation.holds(hand, table.unpack(expected.args)))
  end, {looks = true, expects = true})

define("expect", "within", "TIME EXPECTATION",
  "runs until it holds; with a verdict if it does not in that time",
  function(hand, ms, expected)
    local holds, seen
    hand.world:run_until(function()
      holds, seen = expected.expectation.holds(hand, table.unpack(expected.args))
      return holds
    end, ms)
    holds, seen = expected.expectation.holds(hand, table.unpack(expected.args))
    return settle(hand, expected.expectation, holds, seen)
  end, {looks = true, expects = true})

for name, look in pairs(looks.verbs) do
  define("look", name, look.takes, look.does, look.run, {looks = true})
end

return M
