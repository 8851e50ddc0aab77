-- What the specs of explorations share: small worlds, and a search that knows nothing, to compare
-- with.

local lab = require "jangada.lab"
local oracles = require "jangada.lab.oracle"

local explored = {}

local explore = lab.explore

--- What makes worlds of a protocol whose body is given as text.
function explored.maker(body, options)
  local config = {nodes = 2, invariants = {}}
  for name, value in pairs(options or {}) do config[name] = value end
  config.protocol = {name = "toy", source = "return function(node, options) " .. body .. "\nend"}
  return function() return config end
end

--- What can be seen of a world.
function explored.look(world)
  local texts = {}
  for i, machine in ipairs(world.nodes) do
    local names, state = {}, machine.state or {down = true}
    for name in pairs(state) do names[#names + 1] = name end
    table.sort(names)
    for j, name in ipairs(names) do names[j] = ("%s=%s"):format(name, state[name]) end
    texts[i] = table.concat(names, " ")
  end
  return table.concat(texts, " | ") .. " " .. #world:pending()
end

--- All that can be seen, with everything that was seen on the way to it, by a search that knows
--- nothing: each run is one way.
function explored.all_ways(make, steps)
  local enumeration, seen = lab.enumeration(), {}
  repeat
    local options = {network = {delay_ms = {"constant", 0}}, choose = enumeration.choose,
      durability = "none"}
    for name, value in pairs(make()) do options[name] = value end
    local world <close> = lab.new(options)
    seen[explored.look(world)] = true
    for _ = 1, steps do
      local pending = world:pending()
      if #pending == 0 then break end
      world:take(pending[world.oracle:choose(#pending, "event") + 1], 0)
      seen[explored.look(world)] = true
    end
  until not enumeration:next()
  return seen
end

function explored.seen_by(make, bounds)
  local seen = {}
  local found = explore(make, bounds, nil, function(_, world) seen[explored.look(world)] = true end)
  return seen, found
end

--- Two nodes with a few states, and messages that change these and send others.
function explored.automaton(seed)
  local chance, rules = oracles.new(seed):stream("automaton"), {}
  for _, id in ipairs{"n1", "n2", "n3"} do
    for state = 0, 2 do
      for _, kind in ipairs{"a", "b"} do
        local rule = {next = chance:choose(3)}
        for _ = 1, chance:choose(5) // 2 do
          rule[#rule + 1] = {dest = "n" .. chance:between(1, 3), kind = ("ab"):sub(
            chance:choose(2) + 1):sub(1, 1)}
        end
        rules[("%s%d%s"):format(id, state, kind)] = rule
      end
    end
  end
  return explored.maker([[
    node.state = {s = 0}
    local function take(kind)
      local rule = options[node.id .. node.state.s .. kind]
      node.state.s = rule.next
      for _, it in ipairs(rule) do node:send(it.dest, {type = it.kind}) end
    end
    node:on("a", function() take("a") end)
    node:on("b", function() take("b") end)
    take(node.id == "n1" and "a" or "b")
  ]], {nodes = 3, options = rules})
end

--- The states that are met, and what was found.
function explored.states_of(make, bounds)
  local states = {}
  local found = explore(make, bounds, nil, function(digest) states[digest] = true end)
  return states, found
end

return explored
